use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
    process::Stdio,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
};

use super::{Site, TrialError};
use muster_lab::Usage;

/// How long a server may take from its start to `ready`; a debug build migrates a new database in that time.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// How long it may take to end when asked to.
const END_LIMIT: Duration = Duration::from_secs(15);
/// How much of the log an error shows.
const SHOWN: u64 = 3000;

/// A running server; it is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    id: u32,
    started: Instant,
    ready_after: Duration,
    log: std::path::PathBuf,
}

impl Server {
    /// Starts `binary serve` on a site and waits until every listener is bound.
    ///
    /// # Errors
    /// When the server ends or is not ready within a minute; the error holds its last lines.
    pub async fn start(binary: &Path, site: &Site) -> Result<Self, TrialError> {
        let mut server = Self::spawn(binary, site)?;
        let Some(out) = server.child.stdout.take() else {
            return Err(server.failed("has no standard output"));
        };
        let mut lines = BufReader::new(out).lines();
        let deadline = tokio::time::Instant::from_std(server.started + READY_LIMIT);
        loop {
            match tokio::time::timeout_at(deadline, lines.next_line()).await {
                Ok(Ok(Some(line))) if line.trim() == "ready" => break,
                Ok(Ok(Some(_))) => {}
                Ok(Ok(None) | Err(_)) => return Err(server.failed("ended before it was ready")),
                Err(_) => return Err(server.failed("was not ready within a minute")),
            }
        }
        server.ready_after = server.started.elapsed();
        // Read on, or the server would stop at a full pipe.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Ok(server)
    }

    /// Starts `binary serve` without waiting for anything.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn spawn(binary: &Path, site: &Site) -> Result<Self, TrialError> {
        let log = File::options()
            .create(true)
            .append(true)
            .open(site.log())
            .map_err(TrialError::io("opening the server's log"))?;
        let mut command = Command::new(binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MUSTER_") {
                command.env_remove(name);
            }
        }
        let child = command
            .arg("serve")
            .arg("--config")
            .arg(site.settings())
            .env("MUSTER_SETUP_TOKEN", site.setup_token())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            // Ctrl-C is for this program, which ends the server in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(TrialError::io(format!("starting {}", binary.display())))?;
        Ok(Self {
            id: child.id().unwrap_or_default(),
            child,
            started: Instant::now(),
            ready_after: Duration::ZERO,
            log: site.log(),
        })
    }

    /// The process id.
    #[must_use]
    pub const fn id(&self) -> u32 {
        self.id
    }

    /// From the start to `ready`.
    #[must_use]
    pub const fn ready_after(&self) -> Duration {
        self.ready_after
    }

    /// What the server has used so far; nothing when it has ended.
    #[must_use]
    pub fn usage(&self) -> Usage {
        Usage::of(self.id).unwrap_or_default()
    }

    /// Whether the process has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Kills the server as a power cut would (SIGKILL), and collects it.
    ///
    /// # Errors
    /// When the system refuses.
    pub async fn kill(mut self) -> Result<(), TrialError> {
        self.child.kill().await.map_err(TrialError::io("killing the server"))
    }

    /// Asks the server to end (SIGTERM) and waits for it.
    ///
    /// # Errors
    /// When it ends badly, or not within fifteen seconds.
    pub async fn finish(mut self) -> Result<(), TrialError> {
        if let Ok(id) = i32::try_from(self.id) {
            // An error means it has ended already, which the wait tells.
            let _ = kill(Pid::from_raw(id), Signal::SIGTERM);
        }
        match tokio::time::timeout(END_LIMIT, self.child.wait()).await {
            Ok(Ok(status)) if status.success() => Ok(()),
            Ok(Ok(status)) => Err(self.failed(&format!("ended with {status}"))),
            Ok(Err(source)) => Err(TrialError::io("waiting for the server")(source)),
            Err(_) => Err(self.failed("did not end when asked to")),
        }
    }

    /// An error with the end of the log.
    pub(super) fn failed(&self, what: &str) -> TrialError {
        TrialError::Server {
            what: what.to_owned(),
            said: last_of(&self.log).unwrap_or_default(),
        }
    }
}

fn last_of(log: &Path) -> std::io::Result<String> {
    let mut file = File::open(log)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(SHOWN)))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
