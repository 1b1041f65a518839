//! What the agent is given and what it keeps: the settings file with its one-time token, and the credential.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// No file of these is larger.
const FILE_LIMIT: u64 = 64 * 1024;
/// By which people and secret scanners know a credential.
const PREFIX: &str = "muster_agent_";
/// Random bytes of a credential.
const SECRET: usize = 32;

/// What was given at the start.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Given {
    /// The server's URL without a final slash.
    pub(super) server: String,
    /// The one-time token, while there is one.
    pub(super) token: Option<String>,
}

/// The agent's own files.
#[derive(Debug)]
pub(super) struct Files {
    env: PathBuf,
    credential: PathBuf,
}

impl Files {
    /// The settings file, and the credential beside it.
    pub(super) fn beside(env: &Path) -> Self {
        Self {
            env: env.to_owned(),
            credential: env.with_file_name("agent.credential"),
        }
    }

    /// Server and token: of the environment, else of the settings file.
    pub(super) fn given(&self) -> Result<Given, String> {
        let named = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        self.given_by(named("MUSTER_SERVER"), named("MUSTER_TOKEN"))
    }

    fn given_by(&self, server: Option<String>, token: Option<String>) -> Result<Given, String> {
        let env = self.env.display();
        let text = match read(&self.env) {
            Ok(text) => text.unwrap_or_default(),
            Err(error) if server.is_none() => return Err(format!("{env} cannot be read: {error}")),
            Err(_) => String::new(),
        };
        let server = server.or_else(|| value(&text, "MUSTER_SERVER")).ok_or_else(|| {
            format!("MUSTER_SERVER is not set, neither in the environment nor in {env}: name the server there, such as http://10.0.0.1:8080")
        })?;
        let server = server.trim_end_matches('/').to_owned();
        if !server.starts_with("http://") {
            return Err(format!(
                "MUSTER_SERVER is `{server}`: it has to begin with http://, which is what this agent speaks"
            ));
        }
        Ok(Given {
            server,
            token: token.or_else(|| value(&text, "MUSTER_TOKEN")),
        })
    }

    /// The token in the settings file.
    pub(super) fn token(&self) -> Option<String> {
        value(&read(&self.env).ok()??, "MUSTER_TOKEN")
    }

    /// The kept credential; `None` when there is none yet.
    pub(super) fn credential(&self) -> Result<Option<String>, String> {
        let text = read(&self.credential)
            .map_err(|error| format!("the credential {} cannot be read: {error}", self.credential.display()))?;
        Ok(text.map(|text| text.trim().to_owned()).filter(|text| !text.is_empty()))
    }

    /// The credential that this machine offers to the server, on disk before the server hears of it: the same until it is
    /// taken or discarded.
    pub(super) fn proposed(&self) -> Result<String, String> {
        let fresh = beside(&self.credential);
        let failed = |error: io::Error| {
            format!(
                "a new credential cannot be kept in {}: {error}; no token is spent on it",
                fresh.display()
            )
        };
        let kept = match read(&fresh) {
            // No text at all: no credential either.
            Err(error) if error.kind() == io::ErrorKind::InvalidData => None,
            kept => kept.map_err(failed)?,
        };
        // What is another text was being written when the power was cut: nobody has heard of it.
        if let Some(kept) = kept.as_deref().map(str::trim).filter(|kept| is_credential(kept)) {
            return Ok(kept.to_owned());
        }
        let credential = new_credential().map_err(failed)?;
        let made = (|| {
            if let Some(folder) = fresh.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut file = private(&fresh)?;
            file.write_all(format!("{credential}\n").as_bytes())?;
            file.sync_all()?;
            sync_folder(&fresh)
        })();
        made.map_err(failed)?;
        Ok(credential)
    }

    /// The credential that was offered is this machine's from now on.
    pub(super) fn take(&self) -> Result<(), String> {
        let taken = fs::rename(beside(&self.credential), &self.credential).and_then(|()| sync_folder(&self.credential));
        taken.map_err(|error| {
            format!(
                "the credential could not be kept in {}: {error}",
                self.credential.display()
            )
        })
    }

    /// The credential that was offered is never offered again.
    pub(super) fn discard(&self) {
        // When it cannot be removed it is refused once more, and that is said.
        let _ = fs::remove_file(beside(&self.credential));
    }

    /// Takes the spent token out of the settings file.
    pub(super) fn forget_token(&self) -> Result<(), String> {
        let failed = |error: io::Error| format!("{} cannot be written anew: {error}", self.env.display());
        let Some(text) = read(&self.env).map_err(failed)? else {
            return Ok(());
        };
        if value(&text, "MUSTER_TOKEN").is_none() {
            return Ok(());
        }
        let kept: String = text
            .lines()
            .filter(|line| assigned(line, "MUSTER_TOKEN").is_none())
            .map(|line| format!("{line}\n"))
            .collect();
        replace(&self.env, kept.as_bytes()).map_err(failed)
    }
}

/// A credential that nobody can guess.
fn new_credential() -> io::Result<String> {
    let mut random = [0; SECRET];
    getrandom::fill(&mut random).map_err(io::Error::other)?;
    let hex: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("{PREFIX}{hex}"))
}

/// Whether a text is what [`new_credential`] makes.
fn is_credential(text: &str) -> bool {
    text.strip_prefix(PREFIX)
        .is_some_and(|secret| secret.len() == 2 * SECRET && secret.bytes().all(|digit| digit.is_ascii_hexdigit()))
}

/// A file for root alone, empty.
fn private(path: &Path) -> io::Result<File> {
    // One that was left behind may have other rights.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Puts `bytes` in the place of a file, whole or not at all.
fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let fresh = beside(path);
    let mut file = private(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    sync_folder(path)
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    PathBuf::from(name)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
}

/// The text of a file; `None` when it is not there.
fn read(path: &Path) -> io::Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut text = String::new();
    file.take(FILE_LIMIT).read_to_string(&mut text)?;
    Ok(Some(text))
}

/// The last value of a name in a file of assignments, as systemd reads one (systemd.exec(5), `EnvironmentFile=`).
fn value(text: &str, name: &str) -> Option<String> {
    let raw = text.lines().rev().find_map(|line| assigned(line, name))?;
    let quoted = ['"', '\'']
        .into_iter()
        .find_map(|quote| raw.strip_prefix(quote)?.strip_suffix(quote));
    let value = quoted.unwrap_or(raw);
    (!value.is_empty()).then(|| value.to_owned())
}

fn assigned<'a>(line: &'a str, name: &str) -> Option<&'a str> {
    Some(line.trim().strip_prefix(name)?.trim_start().strip_prefix('=')?.trim())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn files(text: &str) -> (tempfile::TempDir, Files) {
        let folder = tempfile::tempdir().unwrap();
        let env = folder.path().join("etc/muster/agent.env");
        fs::create_dir_all(env.parent().unwrap()).unwrap();
        fs::write(&env, text).unwrap();
        let files = Files::beside(&env);
        (folder, files)
    }

    #[test]
    fn server_and_token_are_of_the_environment_or_of_the_file() {
        let (_folder, files) =
            files("# made by the installer\nMUSTER_SERVER=\"http://10.0.0.1:8080/\"\nMUSTER_TOKEN=abc\n");
        let given = files.given_by(None, None).unwrap();
        assert_eq!(
            (given.server.as_str(), given.token.as_deref()),
            ("http://10.0.0.1:8080", Some("abc"))
        );
        let given = files.given_by(Some("http://b".into()), Some("def".into())).unwrap();
        assert_eq!(
            (given.server.as_str(), given.token.as_deref()),
            ("http://b", Some("def"))
        );
        assert_eq!(files.token().as_deref(), Some("abc"));
    }

    #[test]
    fn what_is_not_given_is_named() {
        let (_folder, files) = files("MUSTER_TOKEN=abc\n");
        let why = |server: Option<&str>| files.given_by(server.map(str::to_owned), None).err().unwrap();
        assert!(why(None).contains("MUSTER_SERVER is not set"));
        assert!(why(Some("ftp://a")).contains("http://"));
    }

    #[test]
    fn a_credential_is_for_root_alone_and_the_same_until_it_is_taken() {
        let (folder, files) = files("");
        assert_eq!(files.credential().unwrap(), None);
        let first = files.proposed().unwrap();
        assert_eq!(first.len(), PREFIX.len() + 64);
        assert_eq!(
            files.proposed().unwrap(),
            first,
            "what the server may have heard is offered again"
        );
        assert_eq!(files.credential().unwrap(), None, "nobody has taken it yet");
        files.take().unwrap();
        assert_eq!(files.credential().unwrap().as_deref(), Some(first.as_str()));
        let path = folder.path().join("etc/muster/agent.credential");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("{first}\n"));
        // Another one takes its place.
        let second = files.proposed().unwrap();
        assert_ne!(second, first);
        files.take().unwrap();
        assert_eq!(files.credential().unwrap().as_deref(), Some(second.as_str()));
        assert!(!beside(&path).exists());
    }

    #[test]
    fn what_was_half_written_or_discarded_is_offered_to_nobody() {
        let (folder, files) = files("");
        let fresh = beside(&folder.path().join("etc/muster/agent.credential"));
        let zeros = [PREFIX.as_bytes(), &[0; 64]].concat();
        for half in [b"".as_slice(), b"muster_agent_00", b"\n\n\n", &[0xff; 77], &zeros] {
            fs::write(&fresh, half).unwrap();
            let proposed = files.proposed().unwrap();
            assert!(is_credential(&proposed), "{proposed}");
            assert_eq!(fs::metadata(&fresh).unwrap().permissions().mode() & 0o777, 0o600);
        }
        let before = files.proposed().unwrap();
        files.discard();
        assert_ne!(files.proposed().unwrap(), before);
    }

    #[test]
    fn the_spent_token_goes_and_the_rest_stays() {
        let (folder, files) = files("MUSTER_SERVER=http://a\nMUSTER_TOKEN=abc\n# kept\n");
        files.forget_token().unwrap();
        let path = folder.path().join("etc/muster/agent.env");
        assert_eq!(fs::read_to_string(&path).unwrap(), "MUSTER_SERVER=http://a\n# kept\n");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
