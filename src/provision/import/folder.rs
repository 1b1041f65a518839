use std::{
    fs::{self, File},
    io::Read,
    path::{Component, Path, PathBuf},
};

use crate::desired::recognise::{LONGEST_TEXT, TreeView};

/// Names of one folder that are looked at.
const MOST_NAMES: usize = 4096;

/// A folder of this server as a tree. Links are followed as long as they stay in it. Blocks on the disk.
#[derive(Debug)]
pub struct FolderView {
    root: PathBuf,
}

impl FolderView {
    /// The tree of this folder.
    #[must_use]
    pub fn new(root: &Path) -> Self {
        Self {
            root: root.canonicalize().unwrap_or_else(|_| root.to_path_buf()),
        }
    }

    fn inside(&self, path: &str) -> Option<PathBuf> {
        let plain = Path::new(path)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        let found = plain.then(|| self.root.join(path).canonicalize().ok())??;
        found.starts_with(&self.root).then_some(found)
    }
}

impl TreeView for FolderView {
    fn text(&self, path: &str) -> Option<String> {
        let found = self.inside(path)?;
        let meta = fs::metadata(&found).ok()?;
        if !meta.is_file() || meta.len() > LONGEST_TEXT {
            return None;
        }
        let mut text = String::new();
        File::open(found)
            .ok()?
            .take(LONGEST_TEXT)
            .read_to_string(&mut text)
            .ok()?;
        Some(text)
    }

    fn has(&self, path: &str) -> bool {
        self.inside(path)
            .and_then(|found| fs::metadata(found).ok())
            .is_some_and(|meta| meta.is_file())
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let Some(entries) = self.inside(folder).and_then(|found| fs::read_dir(found).ok()) else {
            return Vec::new();
        };
        entries
            .flatten()
            .take(MOST_NAMES)
            .filter_map(|entry| entry.file_name().into_string().ok())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_tree_is_looked_at_within_its_root() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("tree/.disk")).unwrap();
        fs::write(at("tree/.disk/info"), "Debian").unwrap();
        fs::write(at("tree/large"), vec![b'x'; usize::try_from(LONGEST_TEXT).unwrap() + 1]).unwrap();
        fs::write(at("tree/bytes"), [0xff, 0xfe]).unwrap();
        fs::write(at("outside"), "secret").unwrap();
        symlink(at("outside"), at("tree/link")).unwrap();
        symlink(".", at("tree/debian")).unwrap();
        let view = FolderView::new(&at("tree"));
        assert_eq!(view.text("debian/.disk/info").as_deref(), Some("Debian"));
        assert!(view.has(".disk/info") && view.has("large") && !view.has(".disk"));
        assert_eq!(view.names(".disk"), ["info"]);
        for path in ["large", "bytes", "link", "../outside", "/etc/hostname", ""] {
            assert_eq!(view.text(path), None, "{path}");
        }
        assert!(!view.has("link") && view.names("..").is_empty());
    }
}
