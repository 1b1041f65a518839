//! What a line of an installer's log means. The programs' names and phrases are those that the installers of each family
//! write to syslog: d-i (main-menu, base-installer, apt-install), Anaconda (its modules and DNF), subiquity (curtin
//! events) and `YaST`.

use super::{Packages, Stage};

/// One line of an installer's log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLine<'a> {
    /// The program, when the message names one.
    pub program: &'a str,
    /// What it says.
    pub message: &'a str,
}

/// What a line means for the installation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogMeaning {
    /// A stage is reached, or goes on.
    Stage(Stage, Option<Packages>),
    /// Something went wrong; whether the installer goes on, only what comes after says.
    Trouble,
    /// The installer gives up.
    Failed,
}

/// Program (its beginning), phrase, and the stage that the phrase is evidence of.
const PHRASES: &[(&str, &str, Stage)] = &[
    // Debian's installer: main-menu names each step as it begins.
    ("main-menu", "'partman-base' selected", Stage::Disks),
    ("main-menu", "'bootstrap-base' selected", Stage::Packages),
    ("main-menu", "'pkgsel' selected", Stage::Packages),
    ("main-menu", "'grub-installer' selected", Stage::Post),
    ("main-menu", "'finish-install' selected", Stage::Post),
    ("main-menu", "selected", Stage::Installer),
    ("partman", "", Stage::Disks),
    ("debootstrap", "", Stage::Packages),
    ("base-installer", "", Stage::Packages),
    ("in-target", "", Stage::Packages),
    ("apt-install", "", Stage::Packages),
    ("grub-installer", "", Stage::Post),
    ("preseed", "late_command", Stage::Post),
    ("finish-install", "", Stage::Post),
    ("kickseed", "", Stage::Installer),
    // Anaconda of RHEL 9 and Fedora: disks and packages are modules, whose own messages come under their bus names, with
    // level and logger before the text. Of packages only those that say INFO: others count bytes.
    (
        "org.fedoraproject.anaconda.modules.storage",
        "blivet:executing action",
        Stage::Disks,
    ),
    (
        "org.fedoraproject.anaconda.modules.payloads",
        "info:anaconda.modules.payloads.payload.dnf.transaction_progress:install",
        Stage::Packages,
    ),
    ("org.fedoraproject.anaconda", "", Stage::Installer),
    // Anaconda of RHEL 8, which sends the names of its logs before the text, and what all have in common.
    ("anaconda", "packaging: installed:", Stage::Packages),
    ("anaconda", "running kickstart %%post script", Stage::Post),
    // Anaconda of RHEL 7.
    ("anaconda", "executing action", Stage::Disks),
    ("anaconda", "creating partitions", Stage::Disks),
    ("blivet", "executing action", Stage::Disks),
    ("program", "mkfs", Stage::Disks),
    ("packaging", "installed:", Stage::Packages),
    ("packaging", "starting package installation", Stage::Packages),
    ("dnf", "installed:", Stage::Packages),
    ("anaconda", "installing software", Stage::Packages),
    ("anaconda", "configuring installed system", Stage::Post),
    ("anaconda", "installing boot loader", Stage::Post),
    ("anaconda", "running post-installation", Stage::Post),
    ("anaconda", "all actions done", Stage::Post),
    ("anaconda", "", Stage::Installer),
    // Subiquity and curtin.
    ("curtin_event", "cmd-block-meta", Stage::Disks),
    ("curtin_event", "partitioning", Stage::Disks),
    ("curtin_event", "cmd-extract", Stage::Packages),
    ("curtin_event", "installing-kernel", Stage::Packages),
    ("curtin_event", "curthooks", Stage::Post),
    ("subiquity", "curtin command block-meta", Stage::Disks),
    ("subiquity", "curtin command extract", Stage::Packages),
    ("subiquity", "curtin command curthooks", Stage::Post),
    ("subiquity", "install_postinstall", Stage::Packages),
    ("subiquity", "postinstall/run_late_commands", Stage::Post),
    ("subiquity", "", Stage::Installer),
    // YaST.
    ("yast", "inst_prepdisk", Stage::Disks),
    ("yast", "committing partitioning", Stage::Disks),
    ("yast", "inst_kickoff", Stage::Packages),
    ("yast", "installing package", Stage::Packages),
    ("yast", "inst_bootloader", Stage::Post),
    ("yast", "inst_finish", Stage::Post),
    ("yast", "", Stage::Installer),
    ("autoyast", "", Stage::Installer),
];

/// Program (its beginning) and phrase by which an installer says that it gives up.
const FAILURES: &[(&str, &str)] = &[
    ("main-menu", "menu item 'partman-base' failed"),
    ("main-menu", "menu item 'bootstrap-base' failed"),
    ("main-menu", "menu item 'pkgsel' failed"),
    ("main-menu", "menu item 'grub-installer' failed"),
    ("debootstrap", "e: couldn't"),
    ("base-installer", "error: exiting on error"),
    // Of Anaconda's errors these end it: its last exception handler runs, or its error handler says so itself
    // (pyanaconda `exception.py` and `errors.py`; the words differ between releases in what comes before).
    ("anaconda", "running handleexception"),
    ("anaconda", "fatal error and installation will be aborted"),
    ("anaconda", "the installation was stopped due to"),
    ("anaconda", "the installer will now terminate"),
    ("subiquity", "finish: subiquity/install/install: fail"),
    ("yast", "installation aborted"),
];

/// Program (its beginning) and phrase of what may be overcome. Anaconda writes the traceback of many an error that it
/// catches: of a mirror that did not answer once, of a bus name that is not there.
const TROUBLES: &[(&str, &str)] = &[
    ("anaconda", "traceback (most recent call last)"),
    ("packaging", "traceback (most recent call last)"),
    ("subiquity", "traceback (most recent call last)"),
];

/// What one line means; nothing for most.
#[must_use]
pub fn meaning(line: &LogLine<'_>) -> Option<LogMeaning> {
    let program = line.program.to_ascii_lowercase();
    let message = line.message.to_ascii_lowercase();
    let says = |begin: &str, phrase: &str| program.starts_with(begin) && message.contains(phrase);
    if FAILURES.iter().any(|(begin, phrase)| says(begin, phrase)) {
        return Some(LogMeaning::Failed);
    }
    if TROUBLES.iter().any(|(begin, phrase)| says(begin, phrase)) {
        return Some(LogMeaning::Trouble);
    }
    let packages = count(&message);
    PHRASES
        .iter()
        .find(|(begin, phrase, _)| says(begin, phrase))
        .map(|(_, _, stage)| LogMeaning::Stage(*stage, packages.filter(|_| *stage == Stage::Packages)))
}

/// `Installed: bash … (12/340)`, `Retrieving 3 of 87`, `[45/412]`: n of m. `newly installed` and sizes are none.
fn count(message: &str) -> Option<Packages> {
    let words: Vec<&str> = message.split_whitespace().collect();
    for word in &words {
        let inside = word.trim_matches(|c: char| matches!(c, '(' | ')' | '[' | ']' | ':' | ',' | '.'));
        if let Some((done, all)) = inside.split_once('/')
            && let Some(packages) = packages(done, all)
        {
            return Some(packages);
        }
    }
    words.windows(3).find_map(|three| match three {
        [done, "of", all] => packages(done, all.trim_end_matches([',', '.', ')', ':'])),
        _ => None,
    })
}

fn packages(done: &str, all: &str) -> Option<Packages> {
    let (done, all) = (done.trim_start_matches('(').parse().ok()?, all.parse().ok()?);
    (done <= all && all > 0).then_some(Packages { done, all: Some(all) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_each_family() {
        let count = |done, all| Some(Packages { done, all: Some(all) });
        for (program, message, expected) in [
            (
                "main-menu[215]",
                "INFO: Menu item 'partman-base' selected",
                Some((Stage::Disks, None)),
            ),
            (
                "main-menu",
                "INFO: Menu item 'netcfg' selected",
                Some((Stage::Installer, None)),
            ),
            (
                "debootstrap",
                "Unpacking base system (12/98)",
                Some((Stage::Packages, count(12, 98))),
            ),
            ("in-target", "Setting up openssh-server", Some((Stage::Packages, None))),
            (
                "grub-installer",
                "info: Installing grub on '/dev/sda'",
                Some((Stage::Post, None)),
            ),
            (
                "packaging",
                "Installed: bash-5.1 (3/341)",
                Some((Stage::Packages, count(3, 341))),
            ),
            (
                "org.fedoraproject.Anaconda.Modules.Storage",
                "INFO:blivet:executing action: [171] create format ext4 filesystem mounted at / on partition vda2 (id 22)",
                Some((Stage::Disks, None)),
            ),
            (
                "org.fedoraproject.Anaconda.Modules.Payloads",
                "INFO:anaconda.modules.payloads.payload.dnf.transaction_progress:Installed: bash-5.1.8-9.el9.x86_64 1 aa",
                Some((Stage::Packages, None)),
            ),
            (
                "org.fedoraproject.Anaconda.Modules.Payloads",
                "DEBUG:anaconda.modules.payloads.payload.dnf.transaction_progress:Installing - bash (120/4096)",
                Some((Stage::Installer, None)),
            ),
            (
                "anaconda",
                "packaging: Installed: bash-4.4.20-4.el8.x86_64",
                Some((Stage::Packages, None)),
            ),
            (
                "anaconda",
                "blivet: executing action: [3] create device",
                Some((Stage::Disks, None)),
            ),
            (
                "anaconda",
                "anaconda: kickstart.script: Running kickstart %%post script(s)",
                Some((Stage::Post, None)),
            ),
            (
                "curtin_event",
                "start: cmd-install/stage-partitioning",
                Some((Stage::Disks, None)),
            ),
            (
                "YaST2",
                "Installing package vim (7 of 512)",
                Some((Stage::Packages, count(7, 512))),
            ),
            ("kernel", "sda: sda1 sda2", None),
            ("sshd", "Accepted publickey", None),
        ] {
            let found = meaning(&LogLine { program, message });
            let expected = expected.map(|(stage, packages)| LogMeaning::Stage(stage, packages));
            assert_eq!(found, expected, "{program}: {message}");
        }
    }

    #[test]
    fn an_installer_that_gives_up_is_heard() {
        for (program, message) in [
            ("main-menu[1]", "WARNING **: Menu item 'bootstrap-base' failed."),
            ("debootstrap", "E: Couldn't download packages: base-files"),
            (
                "base-installer",
                "error: exiting on error base-installer/kernel/failed-package-install",
            ),
            ("anaconda", "DEBUG:anaconda.exception:running handleException"),
            (
                "anaconda",
                "The following error occurred while installing.  This is a fatal error and installation will be aborted.",
            ),
            (
                "anaconda[1802]",
                "There was an error running the kickstart script at line 12. This is a fatal error and installation will be aborted.",
            ),
        ] {
            assert_eq!(
                meaning(&LogLine { program, message }),
                Some(LogMeaning::Failed),
                "{message}"
            );
        }
    }

    #[test]
    fn an_error_that_may_be_overcome_is_no_end() {
        for (program, message) in [
            ("anaconda", "Traceback (most recent call last):"),
            ("anaconda[1802]", "WARNING:threading:Traceback (most recent call last):"),
            ("packaging", "Traceback (most recent call last):"),
        ] {
            let found = meaning(&LogLine { program, message });
            assert_eq!(found, Some(LogMeaning::Trouble), "{message}");
        }
    }

    #[test]
    fn dates_and_paths_are_no_counts() {
        for message in ["on 2026/11/24", "/dev/sda/1", "5/3 done", "1 of many", "0/0"] {
            assert_eq!(count(message), None, "{message}");
        }
    }
}
