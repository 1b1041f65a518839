//! Shows the [`Status`] on every console of the machine.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use nix::fcntl::OFlag;
use nix::sys::termios::{ControlFlags, SetArg, tcgetattr, tcsetattr};

use super::screen::{Status, news, plain};

/// 115200 bit/s in the kernel's `c_cflag`.
const B115200: u32 = 0o010_002;

/// The screen as threads share it.
#[derive(Debug, Clone)]
pub(super) struct Console(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    status: Status,
    shown: Vec<String>,
    outputs: Vec<Output>,
}

#[derive(Debug)]
struct Output {
    file: File,
    /// A display is cleared and drawn again; everything else gets lines.
    display: bool,
}

impl Console {
    /// Opens every console there is.
    #[must_use]
    pub(super) fn open() -> Self {
        let outputs = outputs();
        // Only the gravest kernel messages: others would scroll the screen away.
        let _ = fs::write("/proc/sys/kernel/printk", "3");
        Self::over(outputs)
    }

    fn over(outputs: Vec<Output>) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            status: Status::default(),
            shown: Vec::new(),
            outputs,
        })))
    }

    /// A screen that is a file and gets lines, for tests.
    #[cfg(test)]
    pub(super) fn onto(file: File) -> Self {
        let display = false;
        Self::over(vec![Output { file, display }])
    }

    /// Does `work` while the screen is held, for tests.
    #[cfg(test)]
    pub(super) fn held(&self, work: impl FnOnce()) {
        let _guard = self.lock();
        work();
    }

    /// Changes the status and shows it, if anything changed.
    pub(super) fn update(&self, change: impl FnOnce(&mut Status)) {
        let mut inner = self.lock();
        change(&mut inner.status);
        inner.draw();
    }

    /// The same where waiting for another thread must not happen; false when one holds the screen.
    #[must_use]
    pub(super) fn try_update(&self, change: impl FnOnce(&mut Status)) -> bool {
        let mut inner = match self.0.try_lock() {
            Ok(inner) => inner,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        change(&mut inner.status);
        inner.draw();
        true
    }

    /// Says what is being done now.
    pub(super) fn doing(&self, what: impl Into<String>) {
        self.update(|status| status.doing = what.into());
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // The status is plain data and stays readable whatever happened to another thread.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn draw(&mut self) {
        let lines = self.status.lines();
        let fresh = news(&self.shown, &lines);
        if fresh.is_empty() && lines.len() == self.shown.len() {
            return;
        }
        for output in &mut self.outputs {
            let text = if output.display {
                format!("\x1b[H\x1b[J{}\r\n", lines.join("\r\n"))
            } else if fresh.is_empty() {
                continue;
            } else {
                let stamp = uptime();
                fresh.iter().map(|line| format!("[{stamp:>7}] {line}\r\n")).collect()
            };
            // A console that does not take the text must not stop the collection.
            let _ = output.file.write_all(text.as_bytes());
        }
        self.shown = lines;
    }
}

/// Says one line on every console, past the screen and whoever holds it.
pub(super) fn cry(line: &str) {
    for mut output in outputs() {
        let _ = output.file.write_all(format!("\r\n{}\r\n", plain(line)).as_bytes());
    }
}

/// Every console of `/proc/consoles` and the first serial port; `/dev/console` where there is none.
fn outputs() -> Vec<Output> {
    let listed = fs::read_to_string("/proc/consoles").unwrap_or_default();
    let names = names(&listed);
    let mut outputs: Vec<Output> = names.iter().filter_map(|name| output(name)).collect();
    // Many servers forward the first serial port to their management processor, whether or not
    // the kernel was told so.
    if !names.contains(&"ttyS0")
        && serial_port_exists()
        && let Some(serial) = output("ttyS0")
    {
        let _ = set_speed(&serial.file);
        outputs.push(serial);
    }
    if outputs.is_empty() {
        outputs.extend(output("console"));
    }
    outputs
}

/// Seconds since the kernel started, as `/proc/uptime` writes them.
#[must_use]
pub(super) fn uptime() -> String {
    let text = fs::read_to_string("/proc/uptime").unwrap_or_default();
    text.split(' ').next().unwrap_or_default().to_owned()
}

/// Device names from `/proc/consoles`: `ttyS0                -W- (EC  a)    4:64`.
fn names(listed: &str) -> Vec<&str> {
    listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| !name.starts_with("ttynull") && !name.starts_with("netcon"))
        .collect()
}

fn output(name: &str) -> Option<Output> {
    let file = OpenOptions::new()
        .write(true)
        .custom_flags((OFlag::O_NOCTTY | OFlag::O_NONBLOCK).bits())
        .open(format!("/dev/{name}"))
        .ok()?;
    let display = name
        .strip_prefix("tty")
        .is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_digit()));
    Some(Output { file, display })
}

/// The driver makes a device for ports that are not there; their type is 0.
fn serial_port_exists() -> bool {
    fs::read_to_string("/sys/class/tty/ttyS0/type").is_ok_and(|kind| kind.trim() != "0")
}

/// What management processors expect where nothing else was said.
fn set_speed(file: &File) -> nix::Result<()> {
    let mut settings = tcgetattr(file)?;
    // As bits: the C library's cfsetspeed cannot be linked into a static program here.
    settings.control_flags.remove(ControlFlags::CBAUD);
    settings.control_flags.insert(ControlFlags::from_bits_retain(B115200));
    tcsetattr(file, SetArg::TCSANOW, &settings)
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn the_kernels_consoles() {
        let listed = "tty0                 -WU (EC  p  )    4:7\nttyS0                -W- (E   p a)    4:64\nttynull0  --- (E) 1:1\n";
        assert_eq!(names(listed), ["tty0", "ttyS0"]);
        assert!(names("").is_empty());
    }
}
