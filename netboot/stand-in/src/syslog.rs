//! The log as Anaconda's rsyslog forwards it: by TCP, one line a message, in the traditional form.

use std::{
    io::Write as _,
    net::{Shutdown, TcpStream},
    time::Duration,
};

use crate::say;

/// Facility `local1`, severity `info`: Anaconda's own messages.
const LOCAL1_INFO: u8 = 17 * 8 + 6;
/// Facility `daemon`, severity `warning`: what the modules write to their error output, by the journal.
const DAEMON_WARNING: u8 = 3 * 8 + 4;
/// How long the receiver may take for a line.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who says something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Speaker {
    /// The program itself.
    Anaconda,
    /// A module of it, by its bus name's last word.
    Module(&'static str),
}

/// The connection, or why there is none.
#[derive(Debug)]
pub(crate) struct Syslog {
    stream: Option<TcpStream>,
    trouble: Option<String>,
    hostname: String,
}

impl Syslog {
    /// Connects to `host:port`; without one, lines go to the console alone.
    pub(crate) fn open(place: Option<&str>, hostname: &str) -> Self {
        let connected = place.map(TcpStream::connect);
        let (stream, trouble) = match connected {
            Some(Ok(stream)) => {
                // An unset limit would only make a dead receiver wait longer.
                let _ = stream.set_write_timeout(Some(PATIENCE));
                (Some(stream), None)
            }
            Some(Err(error)) => (None, Some(format!("the log cannot be sent: {error}"))),
            None => (None, Some("inst.syslog is not given: the log stays here".to_owned())),
        };
        Self {
            stream,
            trouble,
            hostname: hostname.to_owned(),
        }
    }

    /// Why nothing is sent.
    pub(crate) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// One message.
    pub(crate) fn log(&mut self, speaker: Speaker, message: &str) {
        say(message);
        let time = chrono::Utc::now().format("%b %e %H:%M:%S").to_string();
        let line = line(speaker, &time, &self.hostname, message);
        if let Some(stream) = &mut self.stream
            && let Err(error) = stream.write_all(line.as_bytes())
        {
            say(&format!("the log cannot be sent any more: {error}"));
            self.stream = None;
        }
    }

    /// Ends the connection after everything was sent.
    pub(crate) fn close(self) {
        if let Some(stream) = self.stream {
            // The receiver may have gone already.
            let _ = stream.shutdown(Shutdown::Write);
        }
    }
}

fn line(speaker: Speaker, time: &str, hostname: &str, message: &str) -> String {
    let (priority, tag) = match speaker {
        Speaker::Anaconda => (LOCAL1_INFO, "anaconda[1]".to_owned()),
        Speaker::Module(name) => (DAEMON_WARNING, format!("org.fedoraproject.Anaconda.Modules.{name}[1]")),
    };
    format!("<{priority}>{time} {hostname} {tag}: {message}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_have_the_form_of_rsyslog() {
        assert_eq!(
            line(Speaker::Anaconda, "Nov  4 10:00:00", "10.77.0.100", "anaconda: main: x"),
            "<142>Nov  4 10:00:00 10.77.0.100 anaconda[1]: anaconda: main: x\n"
        );
        assert_eq!(
            line(Speaker::Module("Storage"), "Nov  4 10:00:00", "h", "INFO:blivet:x"),
            "<28>Nov  4 10:00:00 h org.fedoraproject.Anaconda.Modules.Storage[1]: INFO:blivet:x\n"
        );
    }
}
