//! What a process or a machine's serial line says, line by line, each with the time since the start.

use std::{
    fs::File,
    io::{BufWriter, Read, Write},
    path::Path,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use crate::{LabError, stop};

/// One line as it appeared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Time since the process was started.
    pub at: Duration,
    /// The text without control sequences and line end.
    pub text: String,
}

#[derive(Debug, Default)]
struct State {
    lines: Vec<Line>,
    open_streams: usize,
    unfinished: String,
}

/// The lines of one process; clones see the same lines.
#[derive(Debug, Clone)]
pub struct Console {
    name: Arc<str>,
    started: Instant,
    state: Arc<Mutex<State>>,
    log: Arc<Mutex<BufWriter<File>>>,
}

impl Console {
    /// An empty console that also writes its lines, with seconds, to `log`.
    ///
    /// # Errors
    /// When the log cannot be created.
    pub fn create(name: &str, log: &Path) -> Result<Self, LabError> {
        let file = File::create(log).map_err(LabError::io(format!("creating {}", log.display())))?;
        Ok(Self {
            name: name.into(),
            started: Instant::now(),
            state: Arc::default(),
            log: Arc::new(Mutex::new(BufWriter::new(file))),
        })
    }

    /// Reads a stream to its end on a thread of its own.
    pub(crate) fn follow(&self, mut stream: impl Read + Send + 'static) {
        lock(&self.state).open_streams += 1;
        let console = self.clone();
        thread::spawn(move || {
            let mut cleaner = Cleaner::default();
            let mut buffer = [0_u8; 4096];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                for byte in &buffer[..count] {
                    if let Some(text) = cleaner.take(*byte) {
                        console.push(text);
                    }
                }
                lock(&console.state).unfinished = cleaner.text();
            }
            let rest = cleaner.text();
            if !rest.is_empty() {
                console.push(rest);
            }
            lock(&console.state).open_streams -= 1;
        });
    }

    fn push(&self, text: String) {
        let at = self.started.elapsed();
        // A full disk must not stop the lab; the lines are kept in memory as well.
        let mut log = lock(&self.log);
        let _ = writeln!(log, "{:9.3} {text}", at.as_secs_f64()).and_then(|()| log.flush());
        lock(&self.state).lines.push(Line { at, text });
    }

    /// When the process was started.
    pub fn started(&self) -> Instant {
        self.started
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<Line> {
        lock(&self.state).lines.clone()
    }

    /// The last `count` lines, for an error text.
    pub fn last(&self, count: usize) -> String {
        let state = lock(&self.state);
        let from = state.lines.len().saturating_sub(count);
        let mut last: Vec<String> = state.lines[from..]
            .iter()
            .map(|line| format!("{:9.3} {}", line.at.as_secs_f64(), line.text))
            .collect();
        last.push(state.unfinished.clone());
        last.join("\n")
    }

    /// The first line that contains `text`, also when its end has not come yet.
    pub fn find(&self, text: &str) -> Option<Line> {
        let state = lock(&self.state);
        let found = state.lines.iter().find(|line| line.text.contains(text)).cloned();
        found.or_else(|| {
            let unfinished = state.unfinished.contains(text);
            unfinished.then(|| Line {
                at: self.started.elapsed(),
                text: state.unfinished.clone(),
            })
        })
    }

    /// Waits for a line that contains `text`.
    ///
    /// # Errors
    /// [`LabError::Ended`] when the process has ended without saying it, [`LabError::Late`] after `limit`.
    pub fn wait_for(&self, text: &str, limit: Duration) -> Result<Line, LabError> {
        stop::wait_for(
            &format!("`{text}` from {}", self.name),
            limit,
            || {
                let ended = lock(&self.state).open_streams == 0;
                match self.find(text) {
                    Some(line) => Ok(Some(line)),
                    None if ended => Err(LabError::Ended {
                        name: self.name.to_string(),
                        last: self.last(20),
                    }),
                    None => Ok(None),
                }
            },
            || self.last(20),
        )
    }
}

/// A panicking reader leaves whole lines behind: the state is usable.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes terminal control sequences out of a byte stream and cuts it into lines.
#[derive(Debug, Default)]
struct Cleaner {
    line: Vec<u8>,
    escape: Escape,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Escape {
    #[default]
    None,
    Started,
    Sequence,
    Charset,
}

impl Cleaner {
    fn take(&mut self, byte: u8) -> Option<String> {
        match (self.escape, byte) {
            (Escape::Started, b'[') => self.escape = Escape::Sequence,
            (Escape::Started, b'(' | b')') => self.escape = Escape::Charset,
            (Escape::Started | Escape::Charset, _) | (Escape::Sequence, b'@'..=b'~') => self.escape = Escape::None,
            (Escape::Sequence, _) => {}
            (Escape::None, 0x1b) => self.escape = Escape::Started,
            (Escape::None, b'\n') => {
                let text = self.text();
                self.line.clear();
                return Some(text);
            }
            (Escape::None, b'\r' | 0..=8) => {}
            (Escape::None, byte) => self.line.push(byte),
        }
        None
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.line).trim_end().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_sequences_are_taken_out() {
        let mut cleaner = Cleaner::default();
        let said = b"\x1b[2J\x1b[01;01HiPXE \x1b(Bboot\r\nnext";
        let lines: Vec<String> = said.iter().filter_map(|byte| cleaner.take(*byte)).collect();
        assert_eq!(lines, ["iPXE boot"]);
        assert_eq!(cleaner.text(), "next");
    }

    #[test]
    fn lines_are_found_and_the_end_is_told() {
        let log = tempfile::NamedTempFile::new().unwrap();
        let console = Console::create("speaker", log.path()).unwrap();
        console.follow(&b"one\ntwo and three"[..]);
        assert_eq!(
            console.wait_for("two", Duration::from_secs(5)).unwrap().text,
            "two and three"
        );
        let error = console.wait_for("four", Duration::from_secs(5)).unwrap_err();
        assert!(matches!(error, LabError::Ended { .. }), "{error}");
    }
}
