//! A disk with a system on it that only says that it was started: what a machine boots locally.

use std::{
    fs::{self, File},
    io::{Seek as _, SeekFrom, Write as _},
    path::Path,
    process::Command,
};

use crate::LabError;

/// What such a system prints on the console, on BIOS and on UEFI.
pub const STARTED: &str = "THE SYSTEM ON THE DISK HAS STARTED";

/// What iPXE runs when it was started from a disk: this file at the root of it.
const SCRIPT_NAME: &str = "autoexec.ipxe";
/// Where the partition begins and how long it is, in sectors of 512 bytes.
const FIRST: u32 = 2048;
const COUNT: u32 = 128 * 1024;

/// Where the system's loader lies on the EFI system partition, and the iPXE that stands for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiskSystem {
    /// As `EFI/debian/grubx64.efi`.
    pub loader: String,
    /// iPXE's `ipxe.efi` of 2023 or newer.
    pub ipxe: std::path::PathBuf,
}

impl DiskSystem {
    /// Writes the system to a disk: a boot sector that prints [`STARTED`], and an EFI system partition with a loader
    /// that does.
    ///
    /// # Errors
    /// When the disk cannot be written, or mtools are not there.
    pub fn write(&self, disk: &Path) -> Result<(), LabError> {
        let action = || format!("writing {}", disk.display());
        let mut file = File::options().write(true).open(disk).map_err(LabError::io(action()))?;
        file.write_all(&boot_sector()).map_err(LabError::io(action()))?;
        // mformat wants the partition's last sector to be there.
        let end = u64::from(FIRST + COUNT) * 512;
        let length = file.seek(SeekFrom::End(0)).map_err(LabError::io(action()))?;
        file.set_len(length.max(end)).map_err(LabError::io(action()))?;
        drop(file);
        let script = disk.with_extension("ipxe");
        let text = format!("#!ipxe\necho {STARTED}\nsleep 2\npoweroff\n");
        fs::write(&script, text).map_err(LabError::io(format!("writing {}", script.display())))?;
        let image = format!("{}@@{}", disk.display(), FIRST * 512);
        let sectors = COUNT.to_string();
        mtools("mformat", &["-i", &image, "-T", &sectors, "-h", "64", "-s", "32", "::"])?;
        let (folders, _) = self.loader.rsplit_once('/').unwrap_or_default();
        let mut folder = String::from("::");
        for part in folders.split('/').filter(|part| !part.is_empty()) {
            folder = format!("{folder}/{part}");
            mtools("mmd", &["-i", &image, &folder])?;
        }
        let from = [self.ipxe.display().to_string(), script.display().to_string()];
        mtools("mcopy", &["-i", &image, &from[0], &format!("::/{}", self.loader)])?;
        mtools("mcopy", &["-i", &image, &from[1], &format!("::/{SCRIPT_NAME}")])
    }
}

/// A master boot record with one EFI system partition, whose program prints [`STARTED`] by the BIOS and stops there.
fn boot_sector() -> [u8; 512] {
    const PROGRAM: [u8; 21] = [
        0x31, 0xc0, // xor ax, ax
        0x8e, 0xd8, // mov ds, ax
        0xbe, 0x15, 0x7c, // mov si, text
        0xac, // next: lodsb
        0x84, 0xc0, // test al, al
        0x74, 0x06, // jz end
        0xb4, 0x0e, // mov ah, 0eh
        0xcd, 0x10, // int 10h: print al
        0xeb, 0xf5, // jmp next
        0xf4, // end: hlt
        0xeb, 0xfd, // jmp end
    ];
    let text = format!("{STARTED}\r\n\0");
    let mut sector = [0; 512];
    let mut put = |at: usize, bytes: &[u8]| {
        sector.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
    };
    put(0, &PROGRAM);
    put(PROGRAM.len(), text.as_bytes());
    // One partition, reached by its sector number alone, of type EFI system.
    put(446, &[0x80, 0xfe, 0xff, 0xff, 0xef, 0xfe, 0xff, 0xff]);
    put(454, &FIRST.to_le_bytes());
    put(458, &COUNT.to_le_bytes());
    put(510, &[0x55, 0xaa]);
    sector
}

fn mtools(program: &str, arguments: &[&str]) -> Result<(), LabError> {
    let command = format!("{program} {}", arguments.join(" "));
    let output = Command::new(program)
        .args(arguments)
        // The disk's geometry is made up.
        .env("MTOOLS_SKIP_CHECK", "1")
        .output()
        .map_err(LabError::io(format!("running `{command}`")))?;
    if output.status.success() {
        return Ok(());
    }
    Err(LabError::Command {
        command,
        status: output.status.to_string(),
        said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_ends_before_the_partition_table() {
        let sector = boot_sector();
        let end = sector.iter().rposition(|byte| *byte == 0xaa).unwrap();
        assert_eq!((end, sector[510]), (511, 0x55));
        assert!(21 + STARTED.len() + 3 < 446);
        assert_eq!(&sector[21..21 + STARTED.len()], STARTED.as_bytes());
    }
}
