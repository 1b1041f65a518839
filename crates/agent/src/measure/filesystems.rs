//! Space of the mounted file systems of disks and of the network.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Instant;

use muster_facts::metrics::FilesystemUse;
use nix::sys::statvfs::statvfs;

use super::questions::Questions;
use crate::gather::tree::Tree;

/// Kinds that hold data which stays. What the kernel makes up, images that are always full (squashfs, iso9660) and
/// automounters, which would mount what nobody uses, are none of them.
const KINDS: [&str; 31] = [
    "9p", "apfs", "bcachefs", "beegfs", "btrfs", "ceph", "cifs", "exfat", "ext2", "ext3", "ext4", "f2fs", "fuseblk",
    "gfs2", "gpfs", "jfs", "lustre", "nfs", "nfs4", "nilfs2", "ntfs", "ntfs3", "ocfs2", "reiserfs", "smb3", "ufs",
    "vfat", "virtiofs", "vxfs", "xfs", "zfs",
];
/// The same of file systems in programs of their own, by what follows `fuse.`.
const FUSE_KINDS: [&str; 5] = ["ceph", "glusterfs", "mfs", "s3fs", "sshfs"];
/// File systems that are measured at most, and the longest path of one, bytes.
const MOST: usize = 64;
const LONGEST: usize = 512;

/// What a file system says of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Space {
    size_bytes: u64,
    free_bytes: u64,
    inodes: u64,
    inodes_free: u64,
}

/// Measures one file system by where it is mounted.
type Measure = fn(&Path) -> io::Result<Space>;

/// Asks the kernel. It may never come back: the server of a network file system is away.
pub(super) fn space(mount: &Path) -> io::Result<Space> {
    let told = statvfs(mount)?;
    let bytes = |blocks: u64| blocks.saturating_mul(told.fragment_size());
    Ok(Space {
        size_bytes: bytes(told.blocks()),
        free_bytes: bytes(told.blocks_available()),
        inodes: told.files(),
        inodes_free: told.files_available(),
    })
}

/// The file systems of one machine.
#[derive(Debug)]
pub(super) struct Filesystems {
    /// How they are measured; `None` for a machine that does not run here.
    measure: Option<Measure>,
    questions: Questions<io::Result<Space>>,
    /// Kinds of what was asked for, by where it is mounted.
    asked: BTreeMap<String, String>,
}

impl Filesystems {
    pub(super) fn new(measure: Option<Measure>) -> Self {
        Self {
            measure,
            questions: Questions::default(),
            asked: BTreeMap::new(),
        }
    }

    /// Begins to measure what is mounted now, each on a thread of its own.
    pub(super) fn ask(&mut self, tree: &Tree) {
        let Some(measure) = self.measure else { return };
        self.asked = mounted(tree.lines("proc/self/mountinfo"));
        for mount in self.asked.keys() {
            let path = mount.clone();
            self.questions.ask(mount, move || measure(Path::new(&path)));
        }
    }

    /// Those that answered until `end` and have any size.
    pub(super) fn take(&mut self, end: Instant) -> Vec<FilesystemUse> {
        let mut asked = std::mem::take(&mut self.asked);
        let answers = self.questions.take(end).into_iter().filter_map(|(mount, space)| {
            let space = space.ok().filter(|space| space.size_bytes > 0)?;
            Some(FilesystemUse {
                kind: asked.remove(&mount)?,
                size_bytes: space.size_bytes,
                free_bytes: space.free_bytes,
                inodes: space.inodes,
                inodes_free: space.inodes_free,
                mount,
            })
        });
        answers.collect()
    }
}

/// Kinds by mount point, from the lines of `/proc/self/mountinfo` (proc(5)). A file system that is seen in several places,
/// as by bind mounts and in the sandbox this runs in, is measured once, at the shortest path.
fn mounted(lines: impl Iterator<Item = String>) -> BTreeMap<String, String> {
    // By where: what is mounted later covers what was there.
    let mut by_mount = BTreeMap::new();
    for line in lines {
        let Some((device, mount, kind)) = entry(&line) else {
            continue;
        };
        by_mount.insert(mount, (device, kind));
    }
    let mut by_device: BTreeMap<String, (String, String)> = BTreeMap::new();
    for (mount, (device, kind)) in by_mount {
        if !is_measured(&mount, &kind) {
            continue;
        }
        let shorter = by_device
            .get(&device)
            .is_none_or(|(known, _)| mount.len() < known.len());
        if shorter {
            by_device.insert(device, (mount, kind));
        }
    }
    by_device.into_values().take(MOST).collect()
}

fn is_measured(mount: &str, kind: &str) -> bool {
    mount.len() <= LONGEST
        && match kind.strip_prefix("fuse.") {
            Some(program) => FUSE_KINDS.contains(&program),
            // The root of a system that runs from an image or as a container.
            None => KINDS.contains(&kind) || (kind == "overlay" && mount == "/"),
        }
}

/// Device, mount point and kind of one line: `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`.
fn entry(line: &str) -> Option<(String, String, String)> {
    let (place, kind) = line.split_once(" - ")?;
    let mut words = place.split(' ');
    let device = words.nth(2)?;
    let mount = words.nth(1)?;
    let kind = kind.split(' ').next()?;
    Some((device.to_owned(), unescaped(mount)?, kind.to_owned()))
}

/// A path in which blanks are written as `\040`; `None` when it is no text.
fn unescaped(path: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(path.len());
    let mut rest = path.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let escaped = (*first == b'\\')
            .then(|| std::str::from_utf8(after.get(..3)?).ok())
            .flatten()
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        match escaped {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(3..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::time::Duration;

    use super::*;

    const MOUNTS: &str = "\
22 27 0:21 / /proc rw - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
30 27 254:0 /etc/muster /etc/muster rw - ext4 /dev/vda rw
31 27 8:1 / /srv/with\\040blank rw shared:7 master:2 - xfs /dev/sda1 rw
32 27 0:44 / /data rw - nfs4 nas:/data rw
33 27 0:45 / /snap/core ro - squashfs /dev/loop0 ro
34 27 0:46 / /home rw - autofs systemd-1 rw
35 27 0:47 / /mnt/gluster rw - fuse.glusterfs nas:/g rw
36 27 0:48 / /run/user/0/gvfs rw - fuse.gvfsd-fuse gvfsd-fuse rw
37 27 0:49 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw
nonsense
38 27 8:2 / /covered rw - ext4 /dev/sda2 rw
39 27 0:50 / /covered rw - tmpfs tmpfs rw
";

    fn told(text: &str) -> Vec<(String, String)> {
        mounted(text.lines().map(str::to_owned)).into_iter().collect()
    }

    #[test]
    fn each_file_system_that_holds_data_is_there_once() {
        let told = told(MOUNTS);
        let found: Vec<(&str, &str)> = told
            .iter()
            .map(|(mount, kind)| (mount.as_str(), kind.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                ("/", "ext4"),
                ("/data", "nfs4"),
                ("/mnt/gluster", "fuse.glusterfs"),
                ("/srv/with blank", "xfs")
            ]
        );
        assert_eq!(unescaped("a\\13"), Some("a\\13".to_owned()));
        assert_eq!(unescaped("\\377"), None);
    }

    /// The server of `/data` is away; the disk of `/srv` has an error.
    fn one_hangs(mount: &Path) -> io::Result<Space> {
        match mount.to_str() {
            Some("/data") => loop {
                std::thread::park();
            },
            Some("/srv/with blank") => Err(io::ErrorKind::Other.into()),
            _ => Ok(Space {
                size_bytes: 100,
                free_bytes: 40,
                inodes: 7,
                inodes_free: 3,
            }),
        }
    }

    #[test]
    fn one_that_hangs_and_one_that_fails_cost_only_themselves() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir_all(root.path().join("proc/self")).unwrap();
        fs::write(root.path().join("proc/self/mountinfo"), MOUNTS).unwrap();
        let tree = Tree::new(root.path());
        let mut filesystems = Filesystems::new(Some(one_hangs));
        for _ in 0..2 {
            filesystems.ask(&tree);
            // What is there already is taken whenever the time ends; what hangs never is.
            let mut found = Vec::new();
            while found.len() < 2 {
                found = filesystems.take(Instant::now() + Duration::from_millis(20));
                filesystems.ask(&tree);
            }
            let mounts: Vec<&str> = found.iter().map(|found| found.mount.as_str()).collect();
            assert_eq!(mounts, ["/", "/mnt/gluster"]);
        }
    }

    #[test]
    fn the_space_of_the_root_is_told_by_the_kernel() {
        let space = space(Path::new("/")).unwrap();
        assert!(space.size_bytes > 0 && space.free_bytes <= space.size_bytes);
    }
}
