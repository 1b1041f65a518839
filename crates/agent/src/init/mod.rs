//! PID 1 of the collection image: from the kernel's hand-over to the server's orders.
//!
//! It never ends and never panics by intent: what fails is shown on the machine's screen with what
//! to do, and what cannot go on restarts the machine after a while.

mod choice;
pub mod cmdline;
pub mod coldplug;
mod console;
mod firmware;
pub mod modules;
pub mod mounts;
mod network;
mod panics;
mod reach;
mod screen;
mod second;
mod session;
mod trouble;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::reboot::{RebootMode, reboot};

use self::cmdline::BootOptions;
use self::coldplug::Coldplug;
use self::console::{Console, uptime};
use self::network::Bound;
use self::reach::Reach;
use self::session::{End, Session};
use self::trouble::Trouble;
use crate::report::{BootServer, Stage};

/// How long a fatal error is shown before the machine restarts.
const FATAL_PAUSE: Duration = Duration::from_secs(5 * 60);
/// Between two looks at the devices.
const LOOK: Duration = Duration::from_millis(100);
/// Looks without anything new after which the devices count as complete.
const QUIET_LOOKS: u32 = 4;
/// How long devices may keep appearing. Controllers with many disks need most of it.
const LONGEST_SETTLING: Duration = Duration::from_secs(30);

/// Runs the collection. Only for PID 1.
pub fn run() -> ! {
    panics::guard();
    let unmounted = mounts::basics();
    // A kernel that panics must not stand still for ever either.
    let _ = fs::write("/proc/sys/kernel/panic", "60");
    let console = Console::open();
    panics::show_on(&console);
    let options = BootOptions::parse(&fs::read_to_string("/proc/cmdline").unwrap_or_default());
    console.update(|status| {
        status.machine = screen::machine(Path::new("/sys"));
        status.server.clone_from(&options.server);
        status.notes = unmounted;
        status.notes.extend(options.complaints.iter().cloned());
        status.doing = "loading drivers".to_owned();
    });
    let mut transcript = vec![(
        Stage::Kernel,
        format!("{} runs, {} s after its start", release(), uptime()),
    )];

    let mut plug = Coldplug::new(Path::new("/sys"), &module_directory());
    // Buses first; everything on them is found in the looks that follow.
    plug.round();
    plug.basics();
    if let Err(why) = mounts::efi_variables() {
        console.update(|status| status.notes.push(why));
    }

    let (sender, addresses) = channel();
    let reach = Reach::default();
    let (boot_interface, screen, reached) = (options.boot_interface, console.clone(), reach.clone());
    let network = thread::Builder::new()
        .name("network".to_owned())
        .spawn(move || network::keep(boot_interface, &screen, &reached, &sender));
    if let Err(error) = network {
        fatal(&console, &format!("the network thread cannot be started: {error}"));
    }

    let (server, token) = match (&options.server, &options.token) {
        (Some(server), Some(token)) => (server, token),
        (None, _) => given_up(
            &console,
            Trouble::NoServer {
                given: options.complaints.first().cloned(),
            },
        ),
        (Some(_), None) => given_up(&console, Trouble::NoToken),
    };
    let server = BootServer::new(server, token.reveal());

    settle(&mut plug);
    plug.wait_for_background();
    settle(&mut plug);
    transcript.push((Stage::Modules, modules_told(&plug)));
    tell_drivers(&console, &plug);
    console.doing("waiting for an address");
    let bound = wait_for_address(&console, &addresses, &mut plug);
    transcript.push((Stage::Link, format!("{} has a link", bound.interface.label())));
    let lease = &bound.lease;
    transcript.push((
        Stage::Address,
        format!(
            "{} got {}/{} from {}, {} s after the kernel's start",
            bound.interface.name,
            lease.address,
            lease.prefix,
            lease.server,
            uptime()
        ),
    ));
    for (stage, message) in &transcript {
        // Best effort: the report itself says it better when the server cannot be reached.
        if server.progress(*stage, message).is_err() {
            break;
        }
    }
    match Session::new(&server, &console, &reach).run() {
        End::Reboot => {
            console.doing("restarting, as the server said");
            restart(RebootMode::RB_AUTOBOOT)
        }
        End::Poweroff => {
            console.doing("switching off, as the server said");
            restart(RebootMode::RB_POWER_OFF)
        }
    }
}

/// Looks until nothing new has appeared for a while.
pub fn settle(plug: &mut Coldplug) {
    let started = Instant::now();
    let mut quiet = 0;
    while quiet < QUIET_LOOKS && started.elapsed() < LONGEST_SETTLING {
        quiet = if plug.round() { 0 } else { quiet + 1 };
        thread::sleep(LOOK);
    }
}

/// Waits without end, and goes on looking for devices meanwhile: a slow card may be the one.
fn wait_for_address(console: &Console, addresses: &Receiver<Bound>, plug: &mut Coldplug) -> Bound {
    loop {
        match addresses.recv_timeout(Duration::from_millis(500)) {
            Ok(bound) => return bound,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => fatal(console, "the network thread ended"),
        }
        if plug.round() {
            tell_drivers(console, plug);
        }
    }
}

/// Shows what drivers complain of: modules refused, firmware missing.
fn tell_drivers(console: &Console, plug: &Coldplug) {
    let refused = plug
        .refused
        .iter()
        .map(|(module, why)| format!("driver {module} cannot be loaded: {why}"));
    let missing = firmware::missing();
    let firmware = (!missing.is_empty()).then(|| {
        format!(
            "firmware that is not in this image: {} (see netboot/README.md)",
            missing.join(", ")
        )
    });
    let told: Vec<String> = refused.chain(firmware).collect();
    console.update(|status| {
        for note in told {
            if !status.notes.contains(&note) {
                status.notes.push(note);
            }
        }
    });
}

fn modules_told(plug: &Coldplug) -> String {
    let mut text = format!(
        "{} of {} modules loaded, {} s after the kernel's start",
        plug.loaded,
        plug.in_image(),
        uptime()
    );
    for (module, why) in plug.refused.iter().take(5) {
        text.push_str(&format!("; {module}: {why}"));
    }
    let missing = firmware::missing();
    if !missing.is_empty() {
        text.push_str(&format!("; firmware not in the image: {}", missing.join(", ")));
    }
    text
}

fn release() -> String {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("Linux {}, muster-agent {}", release.trim(), env!("CARGO_PKG_VERSION"))
}

/// Where the modules of the kernel that runs are.
#[must_use]
pub fn module_directory() -> PathBuf {
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    Path::new("/lib/modules").join(release.trim())
}

fn fatal(console: &Console, reason: &str) -> ! {
    let restart_in_minutes = FATAL_PAUSE.as_secs() / 60;
    given_up(
        console,
        Trouble::Fatal {
            reason: reason.to_owned(),
            restart_in_minutes,
        },
    )
}

/// Shows what is wrong, and restarts after a while: the next boot may be answered rightly.
fn given_up(console: &Console, trouble: Trouble) -> ! {
    console.update(|status| {
        status.doing = format!("restarting in {} min", FATAL_PAUSE.as_secs() / 60);
        status.report_trouble = Some(trouble);
    });
    thread::sleep(FATAL_PAUSE);
    restart(RebootMode::RB_AUTOBOOT)
}

/// Restarts or switches off. Nothing is mounted that would have to be written back.
pub fn restart(mode: RebootMode) -> ! {
    loop {
        let _ = reboot(mode);
        // A kernel that cannot do it the ordinary way is asked for the hard one.
        let _ = fs::write(
            "/proc/sysrq-trigger",
            if mode == RebootMode::RB_POWER_OFF { "o" } else { "b" },
        );
        thread::sleep(Duration::from_secs(10));
    }
}
