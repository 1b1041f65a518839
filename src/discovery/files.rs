//! Loaders, the collection image and the agent's program: read once, shared by every client, read again when the file changes.

use std::{
    collections::{HashMap, HashSet},
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// Larger files do not belong among loaders and kernels: they would fill the memory that all clients share.
const MAX_FILE_BYTES: u64 = 256 * 1024 * 1024;

/// Why a boot file cannot be given.
#[derive(Debug, thiserror::Error)]
pub enum FileFault {
    /// The name is not a plain file name.
    #[error("`{0}` is not a plain file name: letters, digits, dot, dash and underscore only")]
    BadName(String),
    /// There is no such file.
    #[error("{path} does not exist")]
    Missing {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A link leads out of the folder.
    #[error("{path} leads out of its folder")]
    Outside {
        /// The link.
        path: PathBuf,
    },
    /// Larger than what is kept in memory.
    #[error("{path} has {bytes} bytes, more than the {MAX_FILE_BYTES} that are kept in memory")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        bytes: u64,
    },
    /// It exists but cannot be read.
    #[error("{path} cannot be read")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// One file in memory.
#[derive(Debug, Clone)]
pub struct BootFile {
    /// The content; clones share it.
    pub bytes: Bytes,
    /// Strong validator for HTTP (RFC 9110 §8.8.3), with its quotes.
    pub etag: Arc<str>,
    /// SHA-256 in hex.
    pub sha256: Arc<str>,
}

/// The agent's program for one architecture, as installed systems are to get it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AgentProgram {
    /// Where machines fetch it, below our address: `/boot/agent/x86_64`.
    pub path: String,
    /// SHA-256 in hex: whoever fetched it runs it only when it has this one.
    pub sha256: Arc<str>,
    /// Its size, bytes.
    pub bytes: u64,
}

#[derive(Debug)]
struct Cached {
    modified: Option<SystemTime>,
    file: BootFile,
}

/// Which folder a file is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A boot loader.
    Loader,
    /// A part of the collection image.
    Image,
    /// The agent's program, by architecture.
    Agent,
}

/// What the folders held when they were last looked at. Decisions ask this, thousands of times a second and under the
/// view's lock, where a slow disk must not be waited for.
#[derive(Debug, Default)]
struct Seen {
    loaders: HashSet<String>,
    image: bool,
    agents: Vec<(&'static str, AgentProgram)>,
}

/// Architectures that the agent is built for, as `uname -m` says.
const AGENTS: [&str; 2] = ["x86_64", "aarch64"];

/// Parts of the collection image, all needed.
const IMAGE: [&str; 2] = ["vmlinuz", "initrd"];

/// More names in the loader folder than this are not remembered; real ones hold a dozen.
const MAX_LOADERS: usize = 4096;

/// The loader folder and the image folder.
#[derive(Debug)]
pub struct BootFiles {
    loaders: PathBuf,
    image: PathBuf,
    seen: Mutex<Seen>,
    cache: Mutex<HashMap<PathBuf, Cached>>,
}

impl BootFiles {
    /// Looks which files are there; none is read before it is asked for.
    #[must_use]
    pub fn new(loaders: PathBuf, image: PathBuf) -> Self {
        let files = Self {
            loaders,
            image,
            seen: Mutex::default(),
            cache: Mutex::default(),
        };
        files.look();
        files
    }

    /// Looks again which files are there. Blocks on the disk.
    pub fn look(&self) {
        let names = fs::read_dir(&self.loaders).into_iter().flatten().flatten();
        let loaders = names
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter(|name| is_plain_name(name) && self.loaders.join(name).is_file())
            .take(MAX_LOADERS)
            .collect();
        let image = IMAGE.iter().all(|name| self.image.join(name).is_file());
        let agents = AGENTS
            .into_iter()
            .filter_map(|architecture| Some((architecture, self.program(architecture)?)))
            .collect();
        *self.seen() = Seen { loaders, image, agents };
    }

    /// Reads the agent's program when it is new or has changed.
    fn program(&self, architecture: &str) -> Option<AgentProgram> {
        let file = match self.agent(architecture) {
            Ok(file) => file,
            Err(FileFault::Missing { .. }) => return None,
            Err(fault) => {
                // Looked at each second: said in full by `muster check`.
                tracing::debug!(%fault, "the agent's program cannot be given");
                return None;
            }
        };
        Some(AgentProgram {
            path: format!("/boot/agent/{architecture}"),
            sha256: file.sha256,
            bytes: file.bytes.len() as u64,
        })
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A boot loader such as `snponly.efi`.
    ///
    /// # Errors
    /// When the name is no plain file name, or the file is missing, outside, too large or unreadable.
    pub fn loader(&self, name: &str) -> Result<BootFile, FileFault> {
        self.get(&self.loaders, name)
    }

    /// A part of the collection image: `vmlinuz` or `initrd`.
    ///
    /// # Errors
    /// As for [`Self::loader`].
    pub fn image(&self, name: &str) -> Result<BootFile, FileFault> {
        self.get(&self.image, name)
    }

    /// The agent's program for an architecture such as `x86_64`; it is kept beside the image.
    ///
    /// # Errors
    /// As for [`Self::loader`].
    pub fn agent(&self, architecture: &str) -> Result<BootFile, FileFault> {
        self.get(&self.image, &format!("muster-agent-{architecture}"))
    }

    /// The agent's program for an architecture, as it was at the last [`Self::look`].
    #[must_use]
    pub fn agent_program(&self, architecture: &str) -> Option<AgentProgram> {
        let seen = self.seen();
        let found = seen.agents.iter().find(|(known, _)| *known == architecture);
        found.map(|(_, program)| program.clone())
    }

    /// A file of either folder.
    ///
    /// # Errors
    /// As for [`Self::loader`].
    pub fn open(&self, kind: FileKind, name: &str) -> Result<BootFile, FileFault> {
        match kind {
            FileKind::Loader => self.loader(name),
            FileKind::Image => self.image(name),
            FileKind::Agent => self.agent(name),
        }
    }

    /// True when the loader was there at the last [`Self::look`].
    #[must_use]
    pub fn has_loader(&self, name: &str) -> bool {
        self.seen().loaders.contains(name)
    }

    /// True when kernel and initramfs were there at the last [`Self::look`].
    #[must_use]
    pub fn has_image(&self) -> bool {
        self.seen().image
    }

    /// Blocks on the disk the first time and after a change, so call it where blocking is allowed.
    fn get(&self, root: &Path, name: &str) -> Result<BootFile, FileFault> {
        if !is_plain_name(name) {
            return Err(FileFault::BadName(name.chars().take(128).collect()));
        }
        let path = root.join(name);
        let meta = fs::metadata(&path).map_err(|source| unreadable(&path, source))?;
        if !meta.is_file() {
            return Err(FileFault::Missing { path });
        }
        let modified = meta.modified().ok();
        if let Some(file) = self.cached(&path, modified, meta.len()) {
            return Ok(file);
        }
        if meta.len() > MAX_FILE_BYTES {
            return Err(FileFault::TooLarge {
                path,
                bytes: meta.len(),
            });
        }
        if !stays_inside(root, &path) {
            return Err(FileFault::Outside { path });
        }
        let content = fs::read(&path).map_err(|source| unreadable(&path, source))?;
        let digest = hex::encode(Sha256::digest(&content));
        let file = BootFile {
            etag: format!("\"{}\"", digest.get(..32).unwrap_or(&digest)).into(),
            sha256: digest.into(),
            bytes: Bytes::from(content),
        };
        let kept = Cached {
            modified,
            file: file.clone(),
        };
        self.cache
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(path, kept);
        Ok(file)
    }

    fn cached(&self, path: &Path, modified: Option<SystemTime>, len: u64) -> Option<BootFile> {
        let cache = self.cache.lock().unwrap_or_else(PoisonError::into_inner);
        let kept = cache.get(path)?;
        (kept.modified == modified && kept.file.bytes.len() as u64 == len).then(|| kept.file.clone())
    }
}

fn unreadable(path: &Path, source: io::Error) -> FileFault {
    let path = path.to_owned();
    if source.kind() == io::ErrorKind::NotFound {
        FileFault::Missing { path }
    } else {
        FileFault::Unreadable { path, source }
    }
}

fn is_plain_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 128
        && !name.starts_with('.')
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

fn stays_inside(root: &Path, path: &Path) -> bool {
    match (root.canonicalize(), path.canonicalize()) {
        (Ok(root), Ok(path)) => path.starts_with(root),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, BootFiles) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("loaders")).unwrap();
        fs::write(dir.path().join("loaders/snponly.efi"), b"loader").unwrap();
        fs::write(dir.path().join("secret"), b"secret").unwrap();
        let files = BootFiles::new(dir.path().join("loaders"), dir.path().join("image"));
        (dir, files)
    }

    #[test]
    fn content_is_shared_and_renewed_when_it_changes() {
        let (dir, files) = folder();
        let first = files.loader("snponly.efi").unwrap();
        let second = files.loader("snponly.efi").unwrap();
        assert_eq!(first.bytes.as_ptr(), second.bytes.as_ptr());
        fs::write(dir.path().join("loaders/snponly.efi"), b"a newer loader").unwrap();
        let third = files.loader("snponly.efi").unwrap();
        assert_eq!(third.bytes, "a newer loader");
        assert_ne!(first.etag, third.etag);
    }

    #[test]
    fn nothing_outside_the_folder_is_given() {
        let (dir, files) = folder();
        std::os::unix::fs::symlink(dir.path().join("secret"), dir.path().join("loaders/link")).unwrap();
        for name in [
            "../secret",
            "/etc/hostname",
            "",
            ".",
            "..",
            "a/b",
            "link",
            ".hidden",
            "a\0b",
        ] {
            assert!(files.loader(name).is_err(), "{name}");
        }
        assert!(matches!(files.loader("nosuch.efi"), Err(FileFault::Missing { .. })));
        assert!(!files.has_image());
    }

    #[test]
    fn what_is_there_is_known_without_the_disk_and_renewed_by_a_look() {
        let (dir, files) = folder();
        assert!(files.has_loader("snponly.efi") && !files.has_loader("undionly.kpxe"));
        fs::create_dir(dir.path().join("image")).unwrap();
        for name in IMAGE {
            fs::write(dir.path().join("image").join(name), name).unwrap();
        }
        fs::remove_file(dir.path().join("loaders/snponly.efi")).unwrap();
        assert!(files.has_loader("snponly.efi") && !files.has_image());
        files.look();
        assert!(!files.has_loader("snponly.efi") && files.has_image());
    }

    #[test]
    fn the_agent_s_program_is_known_with_its_checksum() {
        let (dir, files) = folder();
        assert_eq!(files.agent_program("x86_64"), None);
        fs::create_dir(dir.path().join("image")).unwrap();
        fs::write(dir.path().join("image/muster-agent-x86_64"), "abc").unwrap();
        files.look();
        let program = files.agent_program("x86_64").unwrap();
        assert_eq!((program.path.as_str(), program.bytes), ("/boot/agent/x86_64", 3));
        // FIPS 180-2, appendix B.1.
        assert_eq!(
            &*program.sha256,
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(files.agent_program("aarch64"), None);
        assert!(files.agent("../secret").is_err());
    }
}
