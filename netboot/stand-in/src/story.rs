//! An installation as it looks from outside, in Anaconda's order: `%pre`, disks, `%pre-install`, packages, `%post`.

use crate::{
    buildstamp::Buildstamp,
    kickstart::{Kickstart, Script},
    script,
    syslog::{Speaker, Syslog},
};

/// The release of RHEL from which disks and packages are modules of their own, with a log of their own.
const MODULES_SINCE: u32 = 9;
/// What is said of what is not done.
const NOT_DONE: &str = "(STAND-IN: not done)";
/// Commands that lay out disks.
const PARTITIONING: [&str; 8] = [
    "clearpart",
    "part",
    "partition",
    "raid",
    "volgroup",
    "logvol",
    "btrfs",
    "autopart",
];

/// Tells the whole story of an installation by its log, and runs what reports.
pub(crate) fn tell(kickstart: &Kickstart, buildstamp: &Buildstamp, log: &mut Syslog) {
    let anaconda = Speaker::Anaconda;
    let modules = buildstamp.major() >= MODULES_SINCE;
    let version = env!("CARGO_PKG_VERSION");
    log.log(
        anaconda,
        &format!(
            "anaconda: main: anaconda-stand-in {version} for {} {} {NOT_DONE}",
            buildstamp.product, buildstamp.version
        ),
    );
    run_all("pre", &kickstart.pre, log, Script::whole);
    for (number, command) in kickstart.named(&PARTITIONING).enumerate() {
        let action = format!("executing action: [{number}] {} {NOT_DONE}", first_words(command));
        if modules {
            log.log(Speaker::Module("Storage"), &format!("INFO:blivet:{action}"));
        } else {
            log.log(anaconda, &format!("blivet: {action}"));
        }
    }
    run_all("pre-install", &kickstart.pre_install, log, Script::reports);
    for package in &kickstart.packages {
        let installed = format!("Installed: {package} {NOT_DONE}");
        if modules {
            let logger = "anaconda.modules.payloads.payload.dnf.transaction_progress";
            log.log(Speaker::Module("Payloads"), &format!("INFO:{logger}:{installed}"));
        } else {
            log.log(anaconda, &format!("packaging: {installed}"));
        }
    }
    run_all("post", &kickstart.post, log, Script::reports);
}

impl Script {
    /// All of it: `%pre` runs in the installer's own memory, as it does here.
    fn whole(&self) -> (String, usize) {
        (self.text.clone(), 0)
    }
}

/// Runs the scripts of one section, as far as `part` takes them.
fn run_all(section: &str, scripts: &[Script], log: &mut Syslog, part: fn(&Script) -> (String, usize)) {
    if scripts.is_empty() {
        return;
    }
    // Two signs: nobody formats this text in Anaconda either.
    let say = |log: &mut Syslog, text: &str| log.log(Speaker::Anaconda, &format!("anaconda: kickstart.script: {text}"));
    say(log, &format!("Running kickstart %%{section} script(s)"));
    for script in scripts {
        if !script.is_shell() {
            say(log, &format!("a %{section} script is not for a shell {NOT_DONE}"));
            continue;
        }
        let (text, left_out) = part(script);
        if left_out > 0 {
            say(
                log,
                &format!("{left_out} lines of a %{section} script need an installed system {NOT_DONE}"),
            );
        }
        match script::run(&text) {
            Ok(0) => {}
            Ok(status) => say(log, &format!("a %{section} script ended with {status}")),
            Err(error) => say(log, &format!("a %{section} script cannot be run: {error}")),
        }
    }
    say(log, &format!("All kickstart %%{section} script(s) have been run"));
}

/// Name and first argument: enough to see which, and no secret of a later one.
fn first_words(command: &str) -> String {
    command.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
}
