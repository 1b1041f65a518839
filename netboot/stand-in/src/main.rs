//! `anaconda-stand-in`: PID 1 of an initramfs that stands for Anaconda's in the lab.
//!
//! It is not Anaconda and **installs nothing**: no disk is opened, no package is fetched. What it does as Anaconda does is
//! what a boot server can see of it: the words of the kernel command line, the DHCP vendor class, the request for the
//! kickstart with its headers, the request for `.treeinfo`, the lines of its log by syslog over TCP, the kickstart's
//! scripts that report, and the restart. Names and phrases are those of Anaconda's own sources and of logs people have
//! published; what it does differently is said by `STAND-IN` in its log.

mod buildstamp;
mod fetch;
mod kickstart;
mod network;
mod options;
mod script;
mod story;
mod syslog;

use std::{fs, path::Path, process::ExitCode, thread, time::Duration};

use muster_agent::init::{self, coldplug::Coldplug, mounts};
use nix::sys::reboot::RebootMode;

use self::{buildstamp::Buildstamp, kickstart::Kickstart, options::Options, syslog::Syslog};

/// How long a failure stays on the screen before the machine restarts.
const FAILURE_PAUSE: Duration = Duration::from_secs(120);

/// Why the stand-in cannot go on.
#[derive(Debug, thiserror::Error)]
enum Fault {
    /// The kernel command line does not say what is needed.
    #[error(
        "inst.ks is not on the kernel command line: an Anaconda without a kickstart asks a person, and this one cannot"
    )]
    NoKickstart,
    /// No address.
    #[error(transparent)]
    Network(#[from] network::NetworkFault),
    /// A file cannot be fetched.
    #[error(transparent)]
    Fetch(#[from] fetch::FetchFault),
}

fn main() -> ExitCode {
    if std::process::id() != 1 {
        eprintln!("anaconda-stand-in is the /init of an initramfs, and installs nothing");
        return ExitCode::from(2);
    }
    let unmounted = mounts::basics();
    for why in unmounted {
        say(&why);
    }
    match run() {
        Ok(mode) => restart(mode),
        Err(fault) => {
            say(&format!("stopped: {fault}"));
            thread::sleep(FAILURE_PAUSE);
            restart(RebootMode::RB_AUTOBOOT)
        }
    }
}

/// From drivers to the end that the kickstart asks for.
fn run() -> Result<RebootMode, Fault> {
    let options = Options::parse(&fs::read_to_string("/proc/cmdline").unwrap_or_default());
    let buildstamp = Buildstamp::parse(&fs::read_to_string("/.buildstamp").unwrap_or_default());
    say(&format!(
        "STAND-IN for Anaconda of {} {}: nothing will be installed",
        buildstamp.product, buildstamp.version
    ));
    let mut plug = Coldplug::new(Path::new("/sys"), &init::module_directory());
    plug.round();
    init::settle(&mut plug);
    let bound = network::up(options.boot_interface)?;
    say(&format!(
        "{} got {} from {}",
        bound.interface, bound.address, bound.server
    ));

    // In Anaconda's order: its initramfs fetches the kickstart, then looks for the second stage; only that has a log.
    let address = options.kickstart.as_deref().ok_or(Fault::NoKickstart)?;
    let headers = fetch::headers(&options, &buildstamp, Path::new("/sys"));
    for (name, value) in &headers {
        say(&format!("header {name}: {value}"));
    }
    let text = fetch::text(address, &headers)?;
    say(&format!("kickstart of {} bytes fetched", text.len()));
    if let Some(port) = &options.copy {
        copy_out(port, &text);
    }
    if let Some(tree) = &options.tree {
        let url = format!("{}/.treeinfo", tree.trim_end_matches('/'));
        match fetch::text(&url, &[]) {
            Ok(_) => say(".treeinfo fetched; a second stage is not looked for (STAND-IN)"),
            Err(fault) => say(&format!("{fault}")),
        }
    }
    let mut log = Syslog::open(options.syslog.as_deref(), &bound.address.to_string());
    if let Some(why) = log.trouble() {
        say(why);
    }
    let kickstart = Kickstart::parse(&text);
    script::prepare();
    story::tell(&kickstart, &buildstamp, &mut log);
    log.close();
    Ok(kickstart.end())
}

/// Gives the kickstart as it was fetched to the lab, by a serial port that nothing else uses: it is checked there. It
/// holds this installation's one-time tokens, so it is not printed on the console.
fn copy_out(port: &str, text: &str) {
    let written = script::raw_terminal(port).and_then(|()| fs::write(Path::new("/dev").join(port), text));
    match written {
        Ok(()) => say(&format!("kickstart copied to {port}")),
        Err(error) => say(&format!("the kickstart cannot be copied to {port}: {error}")),
    }
}

/// One line on the console.
pub(crate) fn say(text: &str) {
    println!("anaconda-stand-in: {text}");
}

fn restart(mode: RebootMode) -> ! {
    let word = match mode {
        RebootMode::RB_POWER_OFF => "switching off",
        _ => "restarting",
    };
    say(&format!("{word}, as the kickstart says"));
    init::restart(mode)
}
