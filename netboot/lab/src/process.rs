//! Processes that end with the lab, whatever way it ends.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{Console, LabError, Namespace, stop};

/// A running process; it is killed when this is dropped.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    console: Console,
}

impl Process {
    /// Starts `program` in a namespace; what it says goes to a [`Console`] and to `log`.
    ///
    /// # Errors
    /// When the log cannot be created or the process not started.
    pub fn start(
        name: &str,
        namespace: &Namespace,
        program: &Path,
        arguments: &[String],
        environment: &[(&str, &str)],
        log: &Path,
    ) -> Result<Self, LabError> {
        let console = Console::create(name, log)?;
        let mut child = command_in(namespace, program)
            .args(arguments)
            .envs(environment.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(LabError::io(format!("starting {name}")))?;
        if let Some(stream) = child.stdout.take() {
            console.follow(stream);
        }
        if let Some(stream) = child.stderr.take() {
            console.follow(stream);
        }
        Ok(Self {
            name: name.to_owned(),
            child,
            console,
        })
    }

    /// What the process says.
    pub fn console(&self) -> &Console {
        &self.console
    }

    /// The process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether the process has ended.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().is_ok_and(|status| status.is_some())
    }

    /// Asks the process to end (SIGTERM) and waits for it.
    ///
    /// # Errors
    /// [`LabError::Late`] when it has not ended within `limit`; it is killed then.
    pub fn finish(mut self, limit: Duration) -> Result<(), LabError> {
        self.signal(Signal::SIGTERM);
        let name = format!("{} to end", self.name);
        let console = self.console.clone();
        stop::wait_for(&name, limit, || Ok(self.has_ended().then_some(())), || console.last(10))
    }

    /// Kills the process at once (SIGKILL), as a power cut would, and collects it.
    pub fn kill(&mut self) {
        self.signal(Signal::SIGKILL);
        // An error means it is collected already.
        let _ = self.child.wait();
    }

    fn signal(&self, signal: Signal) {
        if let Ok(id) = i32::try_from(self.child.id()) {
            // An error means it has ended already.
            let _ = kill(Pid::from_raw(id), signal);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if !self.has_ended() {
            self.kill();
        }
    }
}

/// A command that runs in a namespace and dies with the thread that starts it, even when that is killed.
///
/// `nsenter` leaves `/sys` as it is, unlike `ip netns exec`; both wrappers replace themselves, so the process id is the
/// program's own. Its process group is its own too: Ctrl-C reaches the lab, which ends its processes in order.
fn command_in(namespace: &Namespace, program: &Path) -> Command {
    let mut command = Command::new("setpriv");
    command
        .args(["--pdeathsig", "KILL", "nsenter"])
        .arg(format!("--net={}", namespace.path().display()))
        .arg("--")
        .arg(program);
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    command
}
