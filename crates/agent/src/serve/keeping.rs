//! What the agent is given and what it keeps: the settings file with its one-time token, and the credential.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// No file of these is larger.
const FILE_LIMIT: u64 = 64 * 1024;
/// Room made for a credential, bytes: more than one has.
const ROOM: usize = 512;

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

    /// Makes the file that a credential will be written to, as large as it will be, and has it on disk.
    pub(super) fn make_room(&self) -> Result<Room<'_>, String> {
        let fresh = beside(&self.credential);
        let made = (|| {
            if let Some(folder) = fresh.parent() {
                fs::create_dir_all(folder)?;
            }
            let mut file = private(&fresh)?;
            file.write_all(&[b'\n'; ROOM])?;
            file.sync_all()
        })();
        made.map_err(|error| {
            format!(
                "there is no room for the credential in {}: {error}; no token is spent on it",
                fresh.display()
            )
        })?;
        Ok(Room {
            fresh,
            target: &self.credential,
        })
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

/// Room on the disk for one credential.
pub(super) struct Room<'a> {
    fresh: PathBuf,
    target: &'a Path,
}

impl Room<'_> {
    /// Keeps the credential: it is on disk when this comes back.
    pub(super) fn keep(self, credential: &str) -> Result<(), String> {
        let kept = (|| {
            // Over the room that was made, which is cut afterwards: nothing new has to be found on a full disk.
            let mut file = OpenOptions::new().write(true).open(&self.fresh)?;
            let line = format!("{credential}\n");
            file.write_all(line.as_bytes())?;
            file.set_len(line.len() as u64)?;
            file.sync_all()?;
            fs::rename(&self.fresh, self.target)?;
            sync_folder(self.target)
        })();
        kept.map_err(|error: io::Error| {
            format!("the credential could not be kept in {}: {error}", self.target.display())
        })
    }
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
    fn a_credential_is_for_root_alone_and_whole() {
        let (folder, files) = files("");
        assert_eq!(files.credential().unwrap(), None);
        files.make_room().unwrap().keep("muster_agent_x").unwrap();
        assert_eq!(files.credential().unwrap().as_deref(), Some("muster_agent_x"));
        let path = folder.path().join("etc/muster/agent.credential");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&path).unwrap(), "muster_agent_x\n");
        // Another one takes its place.
        files.make_room().unwrap().keep("muster_agent_y").unwrap();
        assert_eq!(files.credential().unwrap().as_deref(), Some("muster_agent_y"));
        assert!(!beside(&path).exists());
    }

    #[test]
    fn room_that_was_made_and_never_used_is_no_credential() {
        let (_folder, files) = files("");
        drop(files.make_room().unwrap());
        assert_eq!(files.credential().unwrap(), None);
        files.make_room().unwrap().keep("a").unwrap();
        assert_eq!(files.credential().unwrap().as_deref(), Some("a"));
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
