//! Questions to a running QEMU over its monitor socket (QMP).

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::Path,
    time::Duration,
};

use serde_json::{Value, json};

use crate::{LabError, stop};

/// How long QEMU may take to offer its socket and to answer.
const LIMIT: Duration = Duration::from_secs(10);

/// Runs one command, with its arguments as a JSON object, and gives what it returns.
///
/// # Errors
/// When the socket does not come, or QEMU answers with an error.
pub fn ask(socket: &Path, command: &str, arguments: &Value) -> Result<Value, LabError> {
    let action = || format!("asking QEMU to {command}");
    let stream = stop::wait_for(
        &format!("QEMU's monitor at {}", socket.display()),
        LIMIT,
        || Ok(UnixStream::connect(socket).ok()),
        || "no socket".to_owned(),
    )?;
    stream.set_read_timeout(Some(LIMIT)).map_err(LabError::io(action()))?;
    let mut writer = stream.try_clone().map_err(LabError::io(action()))?;
    let mut reader = BufReader::new(stream);
    // The greeting comes first; commands are taken after the capabilities are agreed on.
    read(&mut reader).map_err(LabError::io(action()))?;
    let mut last = Value::Null;
    for step in [
        json!({ "execute": "qmp_capabilities" }),
        json!({ "execute": command, "arguments": arguments }),
    ] {
        writeln!(writer, "{step}").map_err(LabError::io(action()))?;
        last = loop {
            let answer = read(&mut reader).map_err(LabError::io(action()))?;
            // Events may come in between.
            if answer.get("return").is_some() || answer.get("error").is_some() {
                break answer;
            }
        };
    }
    match last.get("return") {
        Some(value) => Ok(value.clone()),
        None => Err(LabError::Answer {
            request: action(),
            status: 0,
            body: last.to_string(),
        }),
    }
}

fn read(reader: &mut impl BufRead) -> std::io::Result<Value> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    }
    serde_json::from_str(&line).map_err(std::io::Error::other)
}
