//! Reads files below a root directory and keeps account of what could not be read.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::{Component, Path, PathBuf};

use muster_facts::{Unread, trim_text};

/// No file that is read here is larger; a captured tree may hold anything.
const FILE_LIMIT: u64 = 4 << 20;

/// A root directory and what could not be read below it.
#[derive(Debug)]
pub(crate) struct Tree {
    root: PathBuf,
    unread: RefCell<Vec<Unread>>,
}

impl Tree {
    pub(crate) fn new(root: &Path) -> Self {
        Self {
            root: root.to_owned(),
            unread: RefCell::default(),
        }
    }

    /// Whether this is the machine that runs, which can be asked by other means than files.
    pub(crate) fn is_live(&self) -> bool {
        self.root == Path::new("/")
    }

    /// What could not be read, in the order it was found.
    pub(crate) fn into_unread(self) -> Vec<Unread> {
        self.unread.into_inner()
    }

    /// Notes that `what` is missing from the facts, and why.
    pub(crate) fn note(&self, what: &str, why: String) {
        self.unread.borrow_mut().push(Unread {
            what: what.to_owned(),
            why,
        });
    }

    /// Notes a file or folder without which `what` cannot be told.
    pub(crate) fn note_missing(&self, what: &str, path: &str) {
        self.note(what, format!("/{path}: not there"));
    }

    /// Whether a file or folder is there.
    pub(crate) fn exists(&self, path: &str) -> bool {
        self.path(path).exists()
    }

    /// The bytes of a file. A file that is not there, or to which its driver has no answer, is
    /// `None`; one that cannot be read for another reason is noted as well.
    pub(crate) fn bytes(&self, what: &str, path: &str) -> Option<Vec<u8>> {
        match read(&self.path(path)) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                if !is_no_answer(&error) {
                    self.note(what, format!("/{path}: {}", reason(&error)));
                }
                None
            }
        }
    }

    /// The text of a file, as [`Tree::bytes`]; bytes that are no UTF-8 are replaced.
    pub(crate) fn text(&self, what: &str, path: &str) -> Option<String> {
        self.bytes(what, path)
            .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The lines of a file one after the other, for those that may be long and need not be read to their end. What cannot be
    /// read has no lines; a line that is no UTF-8 is the last.
    pub(crate) fn lines(&self, path: &str) -> impl Iterator<Item = String> {
        let file = File::open(self.path(path)).ok();
        file.into_iter()
            .flat_map(|file| BufReader::new(file.take(FILE_LIMIT)).lines().map_while(Result::ok))
    }

    /// The one value of an attribute, trimmed; `None` when it is blank.
    pub(crate) fn value(&self, what: &str, path: &str) -> Option<String> {
        trim_text(&self.text(what, path)?)
    }

    /// The number of an attribute, in decimal.
    pub(crate) fn number<T: std::str::FromStr>(&self, what: &str, path: &str) -> Option<T> {
        self.value(what, path)?.parse().ok()
    }

    /// The names in a folder, sorted with numbers in numeric order; `None` when it is not there.
    /// One that cannot be read is noted.
    pub(crate) fn names(&self, what: &str, path: &str) -> Option<Vec<String>> {
        let entries = match fs::read_dir(self.path(path)) {
            Ok(entries) => entries,
            Err(error) => {
                if error.kind() != ErrorKind::NotFound {
                    self.note(what, format!("/{path}: {}", reason(&error)));
                }
                return None;
            }
        };
        let mut names: Vec<String> = entries
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect();
        names.sort_by_cached_key(|name| natural_key(name));
        Some(names)
    }

    /// The last part of what a symbolic link points to, such as the name of a driver.
    pub(crate) fn link_name(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.root.join(path)).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }

    /// Where a symbolic link leads, as a path below the root, by its text alone: what it leads to
    /// need not be there. `None` when `path` is no link or leads out of the root.
    pub(crate) fn link_path(&self, path: &str) -> Option<String> {
        let target = fs::read_link(self.root.join(path)).ok()?;
        let mut parts: Vec<&str> = match target.is_absolute() {
            true => Vec::new(),
            false => path.split('/').collect(),
        };
        if !target.is_absolute() {
            parts.pop();
        }
        for component in target.components() {
            match component {
                Component::Normal(part) => parts.push(part.to_str()?),
                Component::ParentDir => {
                    parts.pop()?;
                }
                _ => {}
            }
        }
        Some(parts.join("/"))
    }

    /// Where a file is. A last part that is an absolute link is followed below the root, not out of it.
    fn path(&self, path: &str) -> PathBuf {
        let direct = self.root.join(path);
        if self.is_live() {
            return direct;
        }
        match fs::read_link(&direct) {
            Ok(target) if target.is_absolute() => self.root.join(target.strip_prefix("/").unwrap_or(&target)),
            _ => direct,
        }
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(FILE_LIMIT).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Errors by which the kernel says that an attribute does not apply: the file is not there, or the
/// driver has no such value now (a link that is down has no speed).
fn is_no_answer(error: &io::Error) -> bool {
    use nix::libc::{EINVAL, ENODATA, ENODEV, ENOTSUP, ENXIO};
    matches!(
        error.kind(),
        ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory
    ) || matches!(error.raw_os_error(), Some(EINVAL | ENODATA | ENODEV | ENOTSUP | ENXIO))
}

/// An error in plain words, without the number of the operating system.
pub(crate) fn reason(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::PermissionDenied => "permission denied; run as root".to_owned(),
        ErrorKind::NotFound => "not there".to_owned(),
        _ => {
            let text = error.to_string().to_lowercase();
            text.split(" (os error").next().unwrap_or_default().to_owned()
        }
    }
}

/// `sda2` before `sda10`: runs of digits compare by value.
fn natural_key(name: &str) -> Vec<(String, u64)> {
    let mut key = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let letters = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        let (text, after) = rest.split_at(letters);
        let digits = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (number, after) = after.split_at(digits);
        key.push((text.to_owned(), number.parse().unwrap_or(u64::MAX)));
        rest = after;
    }
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_sort_by_value() {
        let mut names = ["cpu10", "cpu9", "cpu1"];
        names.sort_by_cached_key(|name| natural_key(name));
        assert_eq!(names, ["cpu1", "cpu9", "cpu10"]);
    }

    #[test]
    fn an_absolute_link_stays_below_the_root() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("usr/lib")).unwrap();
        fs::create_dir_all(root.path().join("etc")).unwrap();
        fs::write(root.path().join("usr/lib/os-release"), "ID=captured\n").unwrap();
        std::os::unix::fs::symlink("/usr/lib/os-release", root.path().join("etc/os-release")).unwrap();
        let tree = Tree::new(root.path());
        assert_eq!(tree.value("os", "etc/os-release").as_deref(), Some("ID=captured"));
        assert_eq!(tree.link_path("etc/os-release").as_deref(), Some("usr/lib/os-release"));
    }

    #[test]
    fn what_is_not_there_is_no_error() {
        let root = tempfile::tempdir().unwrap();
        let tree = Tree::new(root.path());
        assert_eq!(tree.bytes("x", "sys/nothing"), None);
        assert_eq!(tree.into_unread(), []);
    }
}
