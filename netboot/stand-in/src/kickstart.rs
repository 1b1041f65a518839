//! A kickstart cut into its commands and sections. Whether it is a good one is pykickstart's to say, not this reader's.

use nix::sys::reboot::RebootMode;

/// A section with a script.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Script {
    /// What follows the section's name, as `--log=/root/post.log`.
    pub(crate) arguments: String,
    /// Its lines.
    pub(crate) text: String,
}

impl Script {
    /// Whether it is written for a shell: no interpreter is named, or one that is a shell.
    pub(crate) fn is_shell(&self) -> bool {
        let named = self
            .arguments
            .split_whitespace()
            .skip_while(|word| !word.starts_with("--interpreter"));
        let interpreter = named.flat_map(|word| word.split('=')).nth(1);
        interpreter.is_none_or(|path| matches!(path.rsplit('/').next(), Some("sh" | "bash" | "ash" | "dash")))
    }

    /// The lines that only report: the function `report`, and calls of it that stand at the beginning of a line. Also
    /// how many lines are left out.
    pub(crate) fn reports(&self) -> (String, usize) {
        let (mut kept, mut left_out, mut inside) = (String::new(), 0, false);
        for line in self.text.lines() {
            inside |= line == "report() {";
            if inside || line.starts_with("report ") {
                kept.push_str(line);
                kept.push('\n');
            } else if !line.trim().is_empty() && !line.starts_with('#') {
                left_out += 1;
            }
            inside &= line != "}";
        }
        (kept, left_out)
    }
}

/// What is used of a kickstart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Kickstart {
    /// Commands outside sections, comments left out.
    pub(crate) commands: Vec<String>,
    /// Names in `%packages`.
    pub(crate) packages: Vec<String>,
    /// `%pre`
    pub(crate) pre: Vec<Script>,
    /// `%pre-install`
    pub(crate) pre_install: Vec<Script>,
    /// `%post`
    pub(crate) post: Vec<Script>,
}

impl Kickstart {
    /// Cuts a kickstart up. Sections that are not used are left out.
    pub(crate) fn parse(text: &str) -> Self {
        let mut kickstart = Self::default();
        let mut lines = text.lines();
        while let Some(line) = lines.next() {
            let Some(section) = line.strip_prefix('%') else {
                if !line.trim().is_empty() && !line.trim_start().starts_with('#') {
                    kickstart.commands.push(line.trim().to_owned());
                }
                continue;
            };
            let (name, arguments) = section.split_once(char::is_whitespace).unwrap_or((section, ""));
            if name == "include" || name == "ksappend" {
                continue;
            }
            let body: Vec<&str> = lines.by_ref().take_while(|line| line.trim_end() != "%end").collect();
            let script = || Script {
                arguments: arguments.to_owned(),
                text: body.iter().map(|line| format!("{line}\n")).collect(),
            };
            match name {
                "packages" => kickstart.packages.extend(
                    body.iter()
                        .map(|line| line.trim())
                        .filter(|line| !line.is_empty() && !line.starts_with('#'))
                        .map(str::to_owned),
                ),
                "pre" => kickstart.pre.push(script()),
                "pre-install" => kickstart.pre_install.push(script()),
                "post" => kickstart.post.push(script()),
                _ => {}
            }
        }
        kickstart
    }

    /// Commands of these names.
    pub(crate) fn named<'a>(&'a self, names: &'a [&str]) -> impl Iterator<Item = &'a str> {
        self.commands.iter().map(String::as_str).filter(|command| {
            let name = command.split_whitespace().next().unwrap_or_default();
            names.contains(&name)
        })
    }

    /// How the machine ends. Anaconda's own default, to wait for a person, is a restart here.
    pub(crate) fn end(&self) -> RebootMode {
        match self.named(&["reboot", "poweroff", "halt", "shutdown"]).last() {
            Some(command) if !command.starts_with("reboot") => RebootMode::RB_POWER_OFF,
            _ => RebootMode::RB_AUTOBOOT,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# made\ntext\nreboot\npart / --size=1\n%packages\n@core\n\ncurl\n%end\n%pre\nreport() {\n    true\n}\n\
                        report installer\n%end\n%post --interpreter=/usr/bin/python3\nreport post\n%end\n%onerror\nfalse\n%end\n";

    #[test]
    fn commands_and_sections_are_told_apart() {
        let kickstart = Kickstart::parse(TEXT);
        assert_eq!(kickstart.commands, ["text", "reboot", "part / --size=1"]);
        assert_eq!(kickstart.packages, ["@core", "curl"]);
        assert_eq!(
            (kickstart.pre.len(), kickstart.pre_install.len(), kickstart.post.len()),
            (1, 0, 1)
        );
        assert!(kickstart.pre[0].is_shell() && !kickstart.post[0].is_shell());
        assert_eq!(kickstart.end(), RebootMode::RB_AUTOBOOT);
        assert_eq!(Kickstart::parse("poweroff").end(), RebootMode::RB_POWER_OFF);
    }

    #[test]
    fn only_reports_are_kept_of_a_script_for_a_system_that_is_not_there() {
        let script = Script {
            arguments: String::new(),
            text: "report() {\n    x\n}\nreport post\n# keys\nuseradd x\nif y; then\n    report agent_checksum\nfi\nreport done\n"
                .to_owned(),
        };
        assert_eq!(
            script.reports(),
            ("report() {\n    x\n}\nreport post\nreport done\n".to_owned(), 4)
        );
    }
}
