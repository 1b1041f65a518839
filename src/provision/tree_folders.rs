//! Which folders of this server may be a distro's tree.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Component, Path, PathBuf},
};

use super::import::FolderView;
use crate::desired::{
    Distro, Fault, Tree,
    recognise::{Choice, TreeView, recognise},
};

/// Where trees may lie (docs/decisions/0009).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TreeFolders {
    /// `boot.tree_dir`: what lies here, or is linked here, was put here to be served.
    pub tree_dir: PathBuf,
    /// `boot.tree_roots`: a tree may lie here as well, and is served as far as every user of this server may read it.
    pub roots: Vec<PathBuf>,
}

impl TreeFolders {
    /// Whether a distro can be installed from its tree: it is here, may be served, and has kernel and initrd. A tree that
    /// somebody else serves is not looked at. Blocks on the disk.
    ///
    /// # Errors
    /// [`Fault`] on `tree`, `kernel` or `initrd`.
    pub fn check(&self, distro: &Distro) -> Result<(), Fault> {
        let Tree::Path(path) = &distro.tree else { return Ok(()) };
        let folder = Path::new(path);
        // First where it lies: of other folders nobody is told what is in them, or whether they are there.
        self.check_public(folder, &[&distro.kernel, &distro.initrd])?;
        if !folder.is_dir() {
            return Err(Fault::new(
                "tree",
                path,
                "there is no such folder on this server",
                "unpack or mount the tree there, or write where it is, or its URL",
            ));
        }
        let view = FolderView::new(folder);
        for (field, file) in [("kernel", &distro.kernel), ("initrd", &distro.initrd)] {
            if view.has(file) {
                continue;
            }
            let choice = Choice {
                arch: distro.arch.parse().ok(),
                codename: distro.codename.clone(),
            };
            let advice = match recognise(&view, &choice) {
                Ok(found) if field == "kernel" => format!("this tree has {}", found.kernel),
                Ok(found) => format!("this tree has {}", found.initrd),
                Err(_) => {
                    "write the installer's own, as a path below the tree; `muster distro import` finds them in a \
                           whole tree"
                        .to_owned()
                }
            };
            return Err(Fault::new(
                field,
                file,
                format!("there is no such file in the tree {path}"),
                advice,
            ));
        }
        Ok(())
    }

    /// Whether a folder that was entered as a tree may be served, with these files: a name in the catalog must not open
    /// files to the network that nobody meant to give away, or that are closed to the users of this server.
    ///
    /// # Errors
    /// [`Fault`] on `tree` with what stands against it.
    pub fn check_public(&self, folder: &Path, files: &[&str]) -> Result<(), Fault> {
        let fault = |why: String, advice: String| Err(Fault::new("tree", &folder.to_string_lossy(), why, advice));
        let plain = folder.components().all(|part| part != Component::ParentDir);
        let tree = match folder.canonicalize() {
            Ok(tree) => tree,
            // What is not there lies where its name says, and nothing of it is served.
            Err(_) if plain => folder.to_path_buf(),
            Err(_) => PathBuf::new(),
        };
        let trees = canonical(&self.tree_dir);
        if !tree.as_os_str().is_empty() && trees.starts_with(&tree) {
            return fault(
                "boot.tree_dir lies in it, so it is no tree".to_owned(),
                "give the folder of one distro".to_owned(),
            );
        }
        // Who may write into boot.tree_dir decides where what is linked there leads. Links further in are of whoever made
        // the tree, and decide nothing.
        let first = folder.strip_prefix(&self.tree_dir).ok();
        let first = first.filter(|_| plain).and_then(|below| below.components().next());
        let linked = first.map(|first| canonical(&self.tree_dir.join(first)));
        if tree.starts_with(&trees) || linked.is_some_and(|linked| tree.starts_with(linked)) {
            return Ok(());
        }
        if !self.roots.iter().any(|root| tree.starts_with(canonical(root))) {
            let roots = std::iter::once(&self.tree_dir).chain(&self.roots);
            let roots: Vec<String> = roots.map(|root| root.display().to_string()).collect();
            return fault(
                format!(
                    "it lies outside of the folders that trees are served from ({})",
                    roots.join(", ")
                ),
                "move or link it into one of them, or add its folder to boot.tree_roots".to_owned(),
            );
        }
        for file in files {
            let Ok(path) = tree.join(file).canonicalize() else {
                continue;
            };
            for part in path.ancestors() {
                let needed = if part == path { 0o004 } else { 0o001 };
                let open = fs::metadata(part).is_ok_and(|meta| meta.permissions().mode() & needed != 0);
                if !open {
                    let closed = part.display();
                    return fault(
                        format!(
                            "{closed} is not open to everybody on this server, and what is served as a tree is public"
                        ),
                        format!("run `chmod o+rX {closed}`, or put the tree below boot.tree_dir"),
                    );
                }
            }
        }
        Ok(())
    }
}

fn canonical(path: &Path) -> PathBuf {
    path.canonicalize().unwrap_or_else(|_| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::desired::{Family, Values};

    struct Rig(tempfile::TempDir);

    impl Rig {
        fn new() -> Self {
            let rig = Self(tempfile::tempdir().unwrap());
            fs::create_dir_all(rig.at("data/trees/own")).unwrap();
            for folder in ["mnt/debian", "etc"] {
                fs::create_dir_all(rig.at(folder)).unwrap();
                fs::write(rig.at(folder).join("linux"), "").unwrap();
                fs::write(rig.at(folder).join("initrd.gz"), "").unwrap();
            }
            for open in ["", "mnt", "mnt/debian"] {
                rig.mode(open, 0o755);
            }
            rig
        }

        fn at(&self, name: &str) -> PathBuf {
            self.0.path().join(name)
        }

        fn mode(&self, name: &str, mode: u32) {
            fs::set_permissions(self.at(name), fs::Permissions::from_mode(mode)).unwrap();
        }

        fn folders(&self) -> TreeFolders {
            TreeFolders {
                tree_dir: self.at("data/trees"),
                roots: vec![self.at("mnt")],
            }
        }

        fn public(&self, tree: &str) -> Result<(), String> {
            let checked = self.folders().check_public(&self.at(tree), &["linux"]);
            checked.map_err(|fault| fault.to_string())
        }

        fn whole(&self, tree: &str, kernel: &str) -> Result<(), String> {
            let distro = Distro {
                name: "debian13".to_owned(),
                family: Family::Debian,
                id: "debian".to_owned(),
                version: "13".to_owned(),
                codename: None,
                arch: "x86_64".to_owned(),
                tree: Tree::Path(self.at(tree).to_string_lossy().into_owned()),
                kernel: kernel.to_owned(),
                initrd: "initrd.gz".to_owned(),
                values: Values::default(),
            };
            self.folders().check(&distro).map_err(|fault| fault.to_string())
        }
    }

    fn refused(done: Result<(), String>, part: &str) {
        let fault = done.unwrap_err();
        assert!(fault.contains(part), "{part}: {fault}");
    }

    #[test]
    fn what_is_closed_on_the_server_is_not_opened_by_a_name() {
        let rig = Rig::new();
        assert_eq!(rig.public("mnt/debian"), Ok(()));
        assert_eq!(rig.public("data/trees/own"), Ok(()));
        refused(rig.public("data"), "boot.tree_dir lies in it");
        refused(rig.public(""), "boot.tree_dir lies in it");
        rig.mode("mnt/debian/linux", 0o640);
        refused(rig.public("mnt/debian"), "not open to everybody");
        rig.mode("mnt/debian/linux", 0o644);
        rig.mode("mnt/debian", 0o750);
        refused(rig.public("mnt/debian"), "not open to everybody");
    }

    #[test]
    fn a_tree_lies_where_trees_are_served_from() {
        let rig = Rig::new();
        refused(rig.public("etc"), "boot.tree_roots");
        refused(rig.public("data/trees/../../etc"), "outside of the folders");
        symlink(rig.at("etc"), rig.at("mnt/link")).unwrap();
        refused(rig.public("mnt/link"), "outside of the folders");
        // Who may write into boot.tree_dir decides what is served.
        symlink(rig.at("etc"), rig.at("data/trees/link")).unwrap();
        assert_eq!(rig.public("data/trees/link"), Ok(()));
        // Who made a tree that is linked or unpacked there does not.
        fs::create_dir_all(rig.at("share/iso")).unwrap();
        symlink(rig.at("share/iso"), rig.at("data/trees/iso")).unwrap();
        symlink(rig.at("etc"), rig.at("share/iso/x")).unwrap();
        symlink(rig.at("etc"), rig.at("data/trees/own/x")).unwrap();
        assert_eq!(rig.public("data/trees/iso"), Ok(()));
        refused(rig.public("data/trees/iso/x"), "outside of the folders");
        refused(rig.public("data/trees/own/x"), "outside of the folders");
    }

    #[test]
    fn nobody_is_told_which_folders_there_are() {
        let rig = Rig::new();
        for tree in ["etc", "none", "mnt/../etc", "mnt/../none"] {
            refused(rig.whole(tree, "linux"), "outside of the folders");
        }
    }

    #[test]
    fn a_tree_without_kernel_is_told() {
        let rig = Rig::new();
        assert_eq!(rig.whole("mnt/debian", "linux"), Ok(()));
        refused(rig.whole("mnt/gone", "linux"), "there is no such folder on this server");
        refused(rig.whole("mnt/debian/linux", "linux"), "there is no such folder");
        refused(
            rig.whole("mnt/debian", "vmlinuz"),
            "kernel = `vmlinuz`: there is no such file in the tree",
        );
        refused(rig.whole("mnt/debian", "../../etc/linux"), "kernel = ");
        refused(rig.whole("etc", "linux"), "outside of the folders");
    }
}
