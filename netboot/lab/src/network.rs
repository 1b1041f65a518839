//! Network namespaces with bridges, taps and cables between them.

use std::{
    fs::{self, File},
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::atomic::{AtomicU32, Ordering},
    thread,
};

use nix::{
    sched::{CloneFlags, setns},
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{LabError, stop};

/// Where `ip netns` keeps namespaces.
const FOLDER: &str = "/run/netns";

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A network namespace; it is deleted with all its interfaces, and what still runs in it killed, when this is dropped.
#[derive(Debug)]
pub struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes a namespace of exactly this name; one that is left over, with nothing running in it, is replaced.
    ///
    /// # Errors
    /// When something runs in a namespace of this name, or `ip` refuses (not root, no namespaces).
    pub fn create(name: &str) -> Result<Self, LabError> {
        stop::listen();
        if Path::new(FOLDER).join(name).exists() {
            let running = run_ip(&["netns", "pids", name])?;
            let running = String::from_utf8_lossy(&running.stdout)
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ");
            if !running.is_empty() {
                let source = std::io::Error::other(format!("processes {running} run in it: another lab is up"));
                return Err(LabError::Io {
                    action: format!("making namespace {name}"),
                    source,
                });
            }
            run_ip(&["netns", "delete", name])?;
        }
        run_ip(&["netns", "add", name])?;
        let namespace = Self { name: name.to_owned() };
        namespace.ip(&["link", "set", "lo", "up"])?;
        Ok(namespace)
    }

    /// Makes a namespace with a name of its own, which holds `label` and the process id; those of processes that have
    /// died are deleted first.
    ///
    /// # Errors
    /// When `ip` refuses.
    pub fn unique(label: &str) -> Result<Self, LabError> {
        sweep();
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        Self::create(&format!("muster-{label}-{}-{number}", std::process::id()))
    }

    /// The name `ip netns` knows it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The file that stands for it.
    pub fn path(&self) -> PathBuf {
        Path::new(FOLDER).join(&self.name)
    }

    /// Runs `ip` on this namespace.
    ///
    /// # Errors
    /// When `ip` does not end well; the error holds what it said.
    pub fn ip(&self, arguments: &[&str]) -> Result<(), LabError> {
        run_ip(&[&["-n", &self.name], arguments].concat()).map(drop)
    }

    /// Adds a bridge with an address, without spanning tree: a port forwards at once. Its hardware address is `mac`;
    /// without one of its own, a bridge takes another address with each port that comes and goes.
    ///
    /// # Errors
    /// When `ip` refuses.
    pub fn add_bridge(&self, bridge: &str, mac: &str, address: Ipv4Addr, prefix: u8) -> Result<(), LabError> {
        self.ip(&[
            "link",
            "add",
            bridge,
            "address",
            mac,
            "type",
            "bridge",
            "stp_state",
            "0",
            "forward_delay",
            "0",
            "mcast_snooping",
            "0",
        ])?;
        self.add_address(bridge, address, prefix)?;
        self.ip(&["link", "set", bridge, "up"])
    }

    /// Adds an address to an interface.
    ///
    /// # Errors
    /// When `ip` refuses.
    pub fn add_address(&self, interface: &str, address: Ipv4Addr, prefix: u8) -> Result<(), LabError> {
        self.ip(&[
            "address",
            "add",
            &format!("{address}/{prefix}"),
            "broadcast",
            "+",
            "dev",
            interface,
        ])
    }

    /// Adds a tap for a virtual machine as a port of a bridge.
    ///
    /// # Errors
    /// When `ip` refuses, for example without /dev/net/tun.
    pub fn add_tap(&self, tap: &str, bridge: &str) -> Result<(), LabError> {
        self.ip(&["tuntap", "add", "dev", tap, "mode", "tap"])?;
        self.ip(&["link", "set", tap, "master", bridge])?;
        self.ip(&["link", "set", tap, "up"])
    }

    /// Lays a cable from `near` here to `far` in another namespace; both ends are up.
    ///
    /// # Errors
    /// When `ip` refuses.
    pub fn add_cable(&self, near: &str, other: &Self, far: &str) -> Result<(), LabError> {
        self.ip(&[
            "link",
            "add",
            near,
            "type",
            "veth",
            "peer",
            "name",
            far,
            "netns",
            &other.name,
        ])?;
        self.ip(&["link", "set", near, "up"])?;
        other.ip(&["link", "set", far, "up"])
    }

    /// Lets this namespace route IPv4 between its interfaces.
    ///
    /// # Errors
    /// When the setting cannot be written.
    pub fn route_between(&self) -> Result<(), LabError> {
        self.enter(|| fs::write("/proc/sys/net/ipv4/ip_forward", "1"))?
            .map_err(LabError::io(format!("switching on routing in {}", self.name)))
    }

    /// Runs `work` on a thread inside the namespace; sockets it opens stay there.
    ///
    /// # Errors
    /// When the namespace cannot be entered, or `work` panicked.
    pub fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> Result<T, LabError> {
        let path = self.path();
        thread::scope(|scope| {
            let inside = scope.spawn(|| {
                enter_this_thread(&path)?;
                Ok(work())
            });
            inside.join().unwrap_or_else(|_| {
                let source = std::io::Error::other("the work inside panicked");
                Err(LabError::Io {
                    action: format!("working in {}", self.name),
                    source,
                })
            })
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Nothing can be done about an error here; `unique` and `create` look for what is left over.
        if let Ok(running) = run_ip(&["netns", "pids", &self.name]) {
            for id in String::from_utf8_lossy(&running.stdout)
                .split_whitespace()
                .filter_map(|id| id.parse().ok())
            {
                let _ = kill(Pid::from_raw(id), Signal::SIGKILL);
            }
        }
        let _ = run_ip(&["netns", "delete", &self.name]);
    }
}

/// Moves the calling thread into the namespace at `path`, for good.
pub(crate) fn enter_this_thread(path: &Path) -> Result<(), LabError> {
    let action = || format!("entering {}", path.display());
    let file = File::open(path).map_err(LabError::io(action()))?;
    setns(file, CloneFlags::CLONE_NEWNET).map_err(|error| LabError::io(action())(error.into()))
}

/// Deletes the namespaces of labs whose process has died.
fn sweep() {
    let Ok(entries) = fs::read_dir(FOLDER) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let mut parts = name.strip_prefix("muster-").unwrap_or_default().rsplit('-');
        let (number, owner) = (parts.next(), parts.next());
        let is_ours = number.is_some_and(|number| number.parse::<u32>().is_ok());
        if let Some(owner) = owner.and_then(|owner| owner.parse::<u32>().ok()).filter(|_| is_ours)
            && !Path::new("/proc").join(owner.to_string()).exists()
        {
            drop(Namespace { name });
        }
    }
}

fn run_ip(arguments: &[&str]) -> Result<Output, LabError> {
    let command = format!("ip {}", arguments.join(" "));
    let output = Command::new("ip")
        .args(arguments)
        .output()
        .map_err(LabError::io(format!("running `{command}`")))?;
    if output.status.success() {
        return Ok(output);
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(LabError::Command {
        command,
        status: output.status.to_string(),
        said,
    })
}
