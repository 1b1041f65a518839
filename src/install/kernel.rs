//! The kernel command line that starts an installer without questions, by family.

use std::fmt::Write as _;

use muster_facts::MacAddr;

use crate::desired::Family;

/// What Ubuntu's installer fetches is an image, not a folder: a tree that Muster serves has it under this name.
pub const INSTALLER_IMAGE: &str = "installer.iso";

/// The value of a kernel option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OptionValue {
    /// `quiet`
    Bare,
    /// `console=ttyS0`, once for each.
    Texts(Vec<String>),
}

/// One kernel option of the effective values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KernelOption {
    /// Its name.
    pub name: String,
    /// Its value or values.
    pub value: OptionValue,
}

/// What an installer has to know on its command line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'a> {
    /// Which installer.
    pub family: Family,
    /// The answer file is a kickstart, whichever installer reads it.
    pub kickstart: bool,
    /// First number of the version; 0 when it is not known.
    pub major: u32,
    /// Code name of the release, for Debian's kin.
    pub codename: Option<&'a str>,
    /// Where the answer file is.
    pub answer_url: &'a str,
    /// Where the installation tree is.
    pub tree_url: Option<&'a str>,
    /// The interface that boots.
    pub mac: MacAddr,
    /// The host's name.
    pub hostname: Option<&'a str>,
    /// The host's domain.
    pub domain: Option<&'a str>,
    /// Its name servers.
    pub name_servers: &'a [String],
    /// The locale, such as `en_US.UTF-8`.
    pub locale: &'a str,
    /// The keyboard layout.
    pub keyboard: &'a str,
    /// Where the installer's log is sent, where the installer can send it.
    pub syslog: Option<(&'a str, u16)>,
    /// Further options. One of the same name as one of ours takes its place.
    pub options: &'a [KernelOption],
}

/// The command line, without `initrd=`: that is the boot loader's to add.
#[must_use]
pub fn kernel_line(target: &Target<'_>) -> String {
    let mut ours: Vec<(&str, Option<String>)> = Vec::new();
    let url = target.answer_url.to_owned();
    match target.family {
        // Anaconda of RHEL 6 knows the names without `inst.`; later ones know both, and newest only the longer.
        Family::Redhat if (1..=6).contains(&target.major) => {
            ours.push(("kssendmac", None));
            ours.push(("ks", Some(url)));
            ours.extend(target.tree_url.map(|tree| ("repo", Some(tree.to_owned()))));
            ours.push(("ksdevice", Some("bootif".to_owned())));
        }
        Family::Redhat => {
            ours.push(("inst.ks.sendmac", None));
            ours.push(("inst.ks", Some(url)));
            ours.extend(target.tree_url.map(|tree| ("inst.repo", Some(tree.to_owned()))));
            ours.extend(
                target
                    .syslog
                    .map(|(host, port)| ("inst.syslog", Some(format!("{host}:{port}")))),
            );
            ours.push(("ip", Some("dhcp".to_owned())));
        }
        // By kickseed, which sets what `auto` would and takes no preseed beside it.
        Family::Debian if target.kickstart => {
            ours.push(("priority", Some("critical".to_owned())));
            // Asked for before there is a network to fetch the kickstart by.
            let (language, rest) = target.locale.split_once('_').unwrap_or((target.locale, "US"));
            ours.push(("language", Some(language.to_owned())));
            ours.push(("country", rest.split('.').next().map(str::to_owned)));
            ours.push(("locale", Some(target.locale.to_owned())));
            ours.push(("keymap", Some(target.keyboard.to_owned())));
            ours.push(("ks", Some(url)));
            ours.extend(debian_network(target));
        }
        Family::Debian => {
            ours.push(("auto-install/enable", Some("true".to_owned())));
            ours.push(("priority", Some("critical".to_owned())));
            ours.push(("url", Some(url)));
            ours.extend(target.codename.map(|name| ("suite", Some(name.to_owned()))));
            ours.extend(debian_network(target));
        }
        Family::Ubuntu => {
            ours.push(("autoinstall", None));
            ours.push(("ip", Some("dhcp".to_owned())));
            // A folder with user-data and meta-data; the slash at its end is needed.
            let folder = format!("nocloud;s={}/", url.trim_end_matches('/'));
            ours.push(("ds", Some(folder)));
            ours.extend(target.tree_url.map(|tree| ("url", Some(image_of(tree)))));
        }
        Family::Suse => {
            ours.push(("autoyast", Some(url)));
            ours.extend(target.tree_url.map(|tree| ("install", Some(tree.to_owned()))));
            ours.push(("netdevice", Some(target.mac.to_string())));
            ours.push(("netsetup", Some("dhcp".to_owned())));
        }
    }
    ours.push((
        "BOOTIF",
        Some(format!("01-{}", target.mac.to_string().replace(':', "-"))),
    ));
    let mut line = String::new();
    for (name, value) in &ours {
        if !target.options.iter().any(|option| option.name == *name) {
            push(&mut line, name, value.as_deref());
        }
    }
    for option in target.options {
        match &option.value {
            OptionValue::Bare => push(&mut line, &option.name, None),
            OptionValue::Texts(texts) => {
                for text in texts {
                    push(&mut line, &option.name, Some(text));
                }
            }
        }
    }
    line
}

/// What Debian's installer has to know before it has a network, as it asks for it otherwise; an answer file comes later.
fn debian_network(target: &Target<'_>) -> Vec<(&'static str, Option<String>)> {
    let mut words = vec![
        // The one that BOOTIF names.
        ("interface", Some("auto".to_owned())),
        ("hostname", Some(target.hostname.unwrap_or("localhost").to_owned())),
        ("domain", Some(target.domain.unwrap_or_default().to_owned())),
        // Asked for where DHCP tells of none.
        ("netcfg/get_nameservers", Some(target.name_servers.join(" "))),
    ];
    if let Some((host, port)) = target.syslog {
        words.push(("log_host", Some(host.to_owned())));
        words.push(("log_port", Some(port.to_string())));
    }
    words
}

/// Ubuntu's installer fetches a whole image: the one in the tree, unless the tree is one.
fn image_of(tree: &str) -> String {
    if tree.ends_with(".iso") {
        tree.to_owned()
    } else {
        format!("{}/{INSTALLER_IMAGE}", tree.trim_end_matches('/'))
    }
}

/// One option. What would end the line, or a word in it, is left out or quoted as the kernel reads it
/// (Documentation/admin-guide/kernel-parameters).
fn push(line: &mut String, name: &str, value: Option<&str>) {
    let plain = |text: &str| -> String {
        text.chars()
            .filter(|c| c.is_ascii_graphic() || *c == ' ')
            .filter(|c| *c != '"')
            .collect()
    };
    let name: String = plain(name).replace(' ', "");
    if name.is_empty() {
        return;
    }
    if !line.is_empty() {
        line.push(' ');
    }
    line.push_str(&name);
    if let Some(value) = value.map(plain) {
        let quote = if value.contains(' ') { "\"" } else { "" };
        // Writing to a String cannot fail.
        let _ = write!(line, "={quote}{value}{quote}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(family: Family, major: u32, options: &[KernelOption]) -> String {
        kernel_line(&Target {
            family,
            kickstart: family == Family::Redhat,
            major,
            codename: Some("trixie"),
            answer_url: "http://10.77.0.1/boot/answer/TOKEN",
            tree_url: Some("http://10.77.0.1/boot/tree/x"),
            mac: MacAddr([0x52, 0x54, 0, 0x77, 0, 1]),
            hostname: Some("web1"),
            domain: Some("lab"),
            name_servers: &[],
            locale: "en_US.UTF-8",
            keyboard: "us",
            syslog: Some(("10.77.0.1", 514)),
            options,
        })
    }

    #[test]
    fn each_family_has_its_own_words() {
        for (family, major, words) in [
            (
                Family::Redhat,
                9,
                &[
                    "inst.ks=http://10.77.0.1/boot/answer/TOKEN",
                    "inst.ks.sendmac",
                    "inst.repo=",
                ][..],
            ),
            (Family::Redhat, 6, &["ks=http://", "kssendmac", "repo="]),
            (
                Family::Debian,
                13,
                &[
                    "auto-install/enable=true",
                    "hostname=web1 domain=lab netcfg/get_nameservers=",
                    "url=http://10.77.0.1/boot/answer/TOKEN",
                    "suite=trixie",
                ],
            ),
            (
                Family::Ubuntu,
                24,
                &[
                    "autoinstall",
                    "ds=nocloud;s=http://10.77.0.1/boot/answer/TOKEN/",
                    "url=http://10.77.0.1/boot/tree/x/installer.iso",
                ],
            ),
            (
                Family::Suse,
                15,
                &["autoyast=http://", "install=http://", "netdevice=52:54:00:77:00:01"],
            ),
        ] {
            let line = line(family, major, &[]);
            for word in words {
                assert!(line.contains(word), "{family:?}: {word} in {line}");
            }
            assert!(line.ends_with("BOOTIF=01-52-54-00-77-00-01"), "{line}");
        }
    }

    #[test]
    fn a_site_s_option_takes_the_place_of_ours_and_cannot_break_the_line() {
        let options = [
            KernelOption {
                name: "ip".into(),
                value: OptionValue::Texts(vec!["10.0.0.2::10.0.0.1".into()]),
            },
            KernelOption {
                name: "console".into(),
                value: OptionValue::Texts(vec!["tty0".into(), "ttyS0,115200".into()]),
            },
            KernelOption {
                name: "quiet".into(),
                value: OptionValue::Bare,
            },
            KernelOption {
                name: "note".into(),
                value: OptionValue::Texts(vec!["two words\nchain \"x\"".into()]),
            },
        ];
        let line = line(Family::Redhat, 9, &options);
        assert!(!line.contains("ip=dhcp") && line.contains("ip=10.0.0.2::10.0.0.1"));
        assert!(
            line.ends_with("console=tty0 console=ttyS0,115200 quiet note=\"two wordschain x\""),
            "{line}"
        );
    }
}
