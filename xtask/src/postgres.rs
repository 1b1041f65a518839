//! A PostgreSQL server for one test run, in a folder and on a port of its own.

use std::{
    fs,
    net::TcpListener,
    os::unix::{fs::chown, process::CommandExt},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use muster_lab::stop;
use nix::{
    sys::signal::{Signal, kill},
    unistd::{Pid, User, geteuid},
};

/// How long the server may take to start or to end.
const LIMIT: Duration = Duration::from_secs(30);

/// A running PostgreSQL; it ends, and its folder is deleted, when this is dropped.
#[derive(Debug)]
pub(crate) struct Postgres {
    child: Child,
    port: u16,
    // Deleted after the server has ended: fields are dropped after `drop`.
    _folder: tempfile::TempDir,
}

impl Postgres {
    /// Makes a database cluster and starts a server on 127.0.0.1. Durability is switched off: it lives for one run.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let programs = programs().context("no PostgreSQL server under /usr/lib/postgresql: install `postgresql`")?;
        let folder = tempfile::Builder::new().prefix("muster-postgres-").tempdir()?;
        let data = folder.path().join("data");
        let account = account()?;
        if let Some((user, group)) = account {
            chown(folder.path(), Some(user), Some(group))?;
        }
        let run_as = |program: &str| {
            let mut command = Command::new(programs.join(program));
            if let Some((user, group)) = account {
                command.uid(user).gid(group);
            }
            command.current_dir("/").stdin(Stdio::null());
            command
        };
        let made = run_as("initdb")
            .args([
                "--username=postgres",
                "--auth=trust",
                "--no-sync",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
            ])
            .arg("--pgdata")
            .arg(&data)
            .output()
            .context("initdb could not be started")?;
        ensure!(
            made.status.success(),
            "initdb failed: {}",
            String::from_utf8_lossy(&made.stderr).trim()
        );
        let port = free_port()?;
        let log = folder.path().join("log");
        let child = run_as("postgres")
            .arg("-D")
            .arg(&data)
            .args([
                "-c",
                "listen_addresses=127.0.0.1",
                "-c",
                "fsync=off",
                "-c",
                "max_connections=300",
            ])
            .args(["-c", &format!("port={port}")])
            .args(["-c", &format!("unix_socket_directories={}", folder.path().display())])
            .stdout(Stdio::null())
            .stderr(fs::File::create(&log)?)
            // Ctrl-C is for this program, which ends its tests first.
            .process_group(0)
            .spawn()
            .context("postgres could not be started")?;
        let mut postgres = Self {
            child,
            port,
            _folder: folder,
        };
        let said = || fs::read_to_string(&log).unwrap_or_default();
        let ready = stop::wait_for(
            "PostgreSQL",
            LIMIT,
            || {
                let ended = postgres.child.try_wait().is_ok_and(|status| status.is_some());
                Ok(if ended {
                    Some(false)
                } else {
                    said().contains("ready to accept connections").then_some(true)
                })
            },
            said,
        )?;
        if !ready {
            bail!("PostgreSQL ended by itself: {}", said());
        }
        Ok(postgres)
    }

    /// The address tests connect to.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGINT is PostgreSQL's fast shutdown: it does not wait for clients.
        if let Ok(id) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(id), Signal::SIGINT);
        }
        let ended = || Ok(self.child.try_wait().is_ok_and(|status| status.is_some()).then_some(()));
        if stop::wait_for("PostgreSQL to end", LIMIT, ended, String::new).is_err() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// PostgreSQL refuses to run as root: then it runs as the account that its package has made.
fn account() -> anyhow::Result<Option<(u32, u32)>> {
    if !geteuid().is_root() {
        return Ok(None);
    }
    let user = User::from_name("postgres")?.context("there is no account `postgres`: install `postgresql`")?;
    Ok(Some((user.uid.as_raw(), user.gid.as_raw())))
}

/// The folder of the newest server's programs.
fn programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    let number = |path: &Path| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest = versions
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.join("bin/postgres").is_file());
    newest.max_by_key(|path| number(path)).map(|path| path.join("bin"))
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
