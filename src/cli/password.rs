//! Reading a password: unseen from a terminal, or a line of standard input.

use std::io::{self, BufRead, IsTerminal, Write};

use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};

/// One line without its end. A terminal is asked twice.
pub(super) fn read() -> io::Result<String> {
    if !io::stdin().is_terminal() {
        return line();
    }
    let first = unseen("Password: ")?;
    let second = unseen("Again: ")?;
    if first == second {
        Ok(first)
    } else {
        Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "the two passwords differ; nothing was changed",
        ))
    }
}

fn line() -> io::Result<String> {
    let mut text = String::new();
    io::stdin().lock().read_line(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

fn unseen(prompt: &str) -> io::Result<String> {
    let stdin = io::stdin();
    let before = tcgetattr(&stdin)?;
    let mut silent = before.clone();
    silent.local_flags.remove(LocalFlags::ECHO);
    write!(io::stderr(), "{prompt}")?;
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &silent)?;
    let text = line();
    tcsetattr(&stdin, SetArg::TCSAFLUSH, &before)?;
    writeln!(io::stderr())?;
    text
}
