//! ISO 9660 images, unpacked by the programs that every distribution has for it.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    future::Future,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
    process::Stdio,
};

use nix::sys::statvfs::statvfs;
use tokio::{io::AsyncReadExt, process::Command};

use super::ImportFault;

/// Where ISO 9660 has its first descriptor, and what it says (ECMA-119, 8.1).
const MARK_AT: u64 = 16 * 2048 + 1;
const MARK: &[u8] = b"CD001";

/// What is kept of a program's complaints, bytes.
const LONGEST_COMPLAINT: u64 = 16 * 1024;

/// Why an image cannot be unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ImageFault {
    /// No program is there for it.
    #[error(
        "an image is unpacked by bsdtar (Debian: libarchive-tools) or xorriso, and neither is installed; install one, or mount \
         the image and give the folder"
    )]
    NoProgram,
    /// The folder for trees cannot be used.
    #[error("boot.tree_dir: {} cannot be made or written", path.display())]
    Folder {
        /// Which folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is a tree of this name.
    #[error("{} is there already; remove it, choose another --name, or give that folder", .0.display())]
    Taken(PathBuf),
    /// Another import runs.
    #[error("{} is being unpacked by another import; wait for its end", .0.display())]
    Busy(PathBuf),
    /// The disk is too small.
    #[error("boot.tree_dir: {} has {free} bytes free and the image needs {needed}; make room, or give a folder", path.display())]
    NoRoom {
        /// Which folder.
        path: PathBuf,
        /// Bytes free.
        free: u64,
        /// Bytes of the image.
        needed: u64,
    },
    /// The program cannot be run.
    #[error("{program} cannot be run")]
    NotRun {
        /// Which.
        program: &'static str,
        /// Why.
        source: io::Error,
    },
    /// The program failed.
    #[error(
        "{program} could not unpack the image ({status}): {said}; the file may be incomplete: compare its checksum"
    )]
    Failed {
        /// Which.
        program: &'static str,
        /// How it ended.
        status: std::process::ExitStatus,
        /// The last of what it said.
        said: String,
    },
}

/// True when a file begins like an image.
///
/// # Errors
/// When it cannot be read.
pub(super) fn is_image(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(false);
    }
    let mut mark = [0; MARK.len()];
    file.seek(SeekFrom::Start(MARK_AT))?;
    match file.read_exact(&mut mark) {
        Ok(()) => Ok(mark == MARK),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

/// Unpacks an image into an empty folder.
///
/// # Errors
/// When there is no room or no program for it, the program fails, or `stop` comes first.
pub(super) async fn unpack(image: &Path, into: &Path, stop: impl Future<Output = ()>) -> Result<(), ImportFault> {
    check_room(image, into)?;
    let (program, arguments) = program(image, into).ok_or(ImageFault::NoProgram)?;
    let not_run = |source| ImageFault::NotRun { program, source };
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(not_run)?;
    let mut errors = child.stderr.take();
    let work = async {
        let mut said = Vec::new();
        if let Some(errors) = &mut errors {
            let _ = (&mut *errors).take(LONGEST_COMPLAINT).read_to_end(&mut said).await;
            // What comes after it is read and dropped, so that the program is not held up.
            let _ = tokio::io::copy(errors, &mut tokio::io::sink()).await;
        }
        (child.wait().await, said)
    };
    let (status, said) = tokio::select! {
        done = work => done,
        () = stop => {
            return Err(ImportFault::Stopped);
        }
    };
    let status = status.map_err(not_run)?;
    if status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&said);
    let last: Vec<&str> = said.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    Err(ImageFault::Failed {
        program,
        status,
        said: last.iter().rev().take(3).rev().copied().collect::<Vec<_>>().join("; "),
    }
    .into())
}

/// The first program that is there, with what it is told. Both leave out what leads outside the folder.
fn program(image: &Path, into: &Path) -> Option<(&'static str, Vec<OsString>)> {
    let text = |words: &[&str]| words.iter().map(OsString::from).collect::<Vec<_>>();
    if on_path("bsdtar") {
        let mut arguments = text(&["-x", "--no-same-owner", "--no-same-permissions", "--no-xattrs", "-f"]);
        arguments.extend([image.into(), "-C".into(), into.into()]);
        return Some(("bsdtar", arguments));
    }
    if on_path("xorriso") {
        let mut arguments = text(&["-abort_on", "FAILURE", "-osirrox", "on", "-indev"]);
        arguments.extend([image.into(), "-extract".into(), "/".into(), into.into()]);
        return Some(("xorriso", arguments));
    }
    None
}

fn on_path(program: &str) -> bool {
    env::var_os("PATH").is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

fn check_room(image: &Path, into: &Path) -> Result<(), ImageFault> {
    let folder_fault = |source| ImageFault::Folder {
        path: into.to_path_buf(),
        source,
    };
    let needed = fs::metadata(image).map_err(folder_fault)?.len();
    let disk = statvfs(into).map_err(|error| folder_fault(error.into()))?;
    let free = u64::from(disk.blocks_available()).saturating_mul(disk.fragment_size());
    if free < needed {
        return Err(ImageFault::NoRoom {
            path: into.to_path_buf(),
            free,
            needed,
        });
    }
    Ok(())
}
