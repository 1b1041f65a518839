//! Captures of what was said on an interface.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{LabError, Namespace, Process};

/// How long tcpdump may take to start or to end.
const LIMIT: Duration = Duration::from_secs(10);

/// A running capture; it ends when this is dropped.
#[derive(Debug)]
pub struct Capture {
    process: Process,
    file: PathBuf,
}

impl Capture {
    /// Captures whole packets on `interface` that match tcpdump's `filter`, into `file`.
    ///
    /// # Errors
    /// When tcpdump does not start.
    pub fn start(namespace: &Namespace, interface: &str, filter: &str, file: &Path) -> Result<Self, LabError> {
        let arguments: Vec<String> = ["-Z", "root", "-U", "-n", "-s", "0", "-i", interface, "-w"]
            .into_iter()
            .map(str::to_owned)
            .chain([file.display().to_string(), filter.to_owned()])
            .collect();
        let log = file.with_extension("log");
        let process = Process::start("tcpdump", namespace, Path::new("tcpdump"), &arguments, &[], &log)?;
        process.console().wait_for("listening on", LIMIT)?;
        Ok(Self {
            process,
            file: file.to_path_buf(),
        })
    }

    /// Ends the capture and gives its file, whole.
    ///
    /// # Errors
    /// When tcpdump does not end.
    pub fn finish(self) -> Result<PathBuf, LabError> {
        self.process.finish(LIMIT)?;
        Ok(self.file)
    }
}
