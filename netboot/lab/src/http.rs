//! Requests to the server's page and API from inside a namespace.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

use crate::{LabError, Namespace};

/// How long one request may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How much of an unexpected body an error shows.
const SHOWN: usize = 400;

/// A server's answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// The error that says this answer was not expected.
    pub fn unexpected(&self, request: &str) -> LabError {
        LabError::Answer {
            request: request.to_owned(),
            status: self.status,
            body: shown(&self.body),
        }
    }

    fn parse(whole: &[u8]) -> Option<Self> {
        let end = whole.windows(4).position(|window| window == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&whole[..end]).into_owned();
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Some(Self {
            status,
            headers,
            body: whole[end + 4..].to_vec(),
        })
    }
}

/// A client of one server, with the headers that admit it.
#[derive(Debug)]
pub struct Client<'a> {
    namespace: &'a Namespace,
    server: SocketAddr,
    headers: Vec<(String, String)>,
}

impl<'a> Client<'a> {
    /// A client inside `namespace` of the server at `server`.
    pub fn new(namespace: &'a Namespace, server: SocketAddr) -> Self {
        Self {
            namespace,
            server,
            headers: Vec::new(),
        }
    }

    /// Sends this header with each request, for example `Authorization`.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends one request and reads the whole answer. HTTP/1.0, so that the answer ends with the connection.
    ///
    /// # Errors
    /// When the server cannot be reached or does not answer in HTTP; any status is an answer.
    pub fn send(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Result<Answer, LabError> {
        let mut head = format!(
            "{method} {path} HTTP/1.0\r\nHost: {}\r\nContent-Length: {}\r\n",
            self.server,
            body.len()
        );
        if !body.is_empty() {
            head.push_str(&format!("Content-Type: {kind}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let request = format!("{method} {path}");
        let whole = self
            .namespace
            .enter(|| {
                let mut stream = TcpStream::connect_timeout(&self.server, LIMIT)?;
                stream.set_read_timeout(Some(LIMIT))?;
                stream.write_all(&[head.as_bytes(), body].concat())?;
                let mut whole = Vec::new();
                stream.read_to_end(&mut whole).map(|_| whole)
            })?
            .map_err(LabError::io(format!("{request} at {}", self.server)))?;
        Answer::parse(&whole).ok_or_else(|| LabError::Answer {
            request,
            status: 0,
            body: shown(&whole),
        })
    }

    /// Gets a JSON document.
    ///
    /// # Errors
    /// When the answer is not a success or not JSON.
    pub fn get_json(&self, path: &str) -> Result<Value, LabError> {
        self.json("GET", path, &[])
    }

    /// Posts a JSON document and reads the one that is answered; an empty answer is `null`.
    ///
    /// # Errors
    /// When the answer is not a success or not JSON.
    pub fn post_json(&self, path: &str, document: &Value) -> Result<Value, LabError> {
        self.json("POST", path, document.to_string().as_bytes())
    }

    fn json(&self, method: &str, path: &str, body: &[u8]) -> Result<Value, LabError> {
        let answer = self.send(method, path, "application/json", body)?;
        let unexpected = || answer.unexpected(&format!("{method} {path}"));
        if !(200..300).contains(&answer.status) {
            return Err(unexpected());
        }
        if answer.body.is_empty() {
            return Ok(Value::Null);
        }
        serde_json::from_slice(&answer.body).map_err(|_| unexpected())
    }
}

fn shown(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(SHOWN)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_cut_into_status_headers_and_body() {
        let answer =
            Answer::parse(b"HTTP/1.0 404 Not Found\r\nContent-Type: text/plain\r\n\r\nno\r\n\r\nhost").unwrap();
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (404, Some("text/plain"))
        );
        assert_eq!(answer.body, b"no\r\n\r\nhost");
        assert!(Answer::parse(b"SSH-2.0").is_none());
    }
}
