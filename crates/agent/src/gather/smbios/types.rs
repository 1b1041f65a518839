//! The structure types that Muster reads. Offsets are those of DSP0134 chapter 7.

use muster_facts::{Bios, Board, Chassis, CpuPackage, Dimm, System};

use super::structures::{EntryPoint, Structure};
use super::{Smbios, names};

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;

/// Type 0, without the boot mode.
pub(super) fn bios(s: &Structure<'_>) -> Bios {
    Bios {
        vendor: s.text(0x04),
        version: s.text(0x05),
        date: s.text(0x08),
        revision: revision(s, 0x14),
        ec_revision: revision(s, 0x16),
        rom_bytes: rom_bytes(s),
        mode: None,
        secure_boot: None,
    }
}

/// `major.minor` of two bytes; `FFh` in either means that there is none.
fn revision(s: &Structure<'_>, offset: usize) -> Option<String> {
    let (major, minor) = (s.byte(offset)?, s.byte(offset + 1)?);
    (major != 0xff && minor != 0xff).then(|| format!("{major}.{minor}"))
}

/// 64 KiB units, less one; `FFh` moves the size to the extended field, which has its unit in bits 15:14.
fn rom_bytes(s: &Structure<'_>) -> Option<u64> {
    let units = s.byte(0x09)?;
    if units != 0xff {
        return Some((u64::from(units) + 1) * 64 * KIB);
    }
    let Some(extended) = s.word(0x18) else {
        return Some(256 * 64 * KIB);
    };
    let size = u64::from(extended & 0x3fff);
    match extended >> 14 {
        0 => Some(size * MIB),
        1 => Some(size * 1024 * MIB),
        _ => None,
    }
    .filter(|bytes| *bytes > 0)
}

/// Type 1.
pub(super) fn system(s: &Structure<'_>, point: &EntryPoint) -> System {
    System {
        vendor: s.text(0x04),
        product: s.text(0x05),
        version: s.text(0x06),
        serial: s.text(0x07),
        uuid: s.bytes::<16>(0x08).and_then(|bytes| uuid(bytes, point)),
        sku: s.text(0x19),
        family: s.text(0x1a),
    }
}

/// All ones: not present; all zeros: present but not set. Since 2.6 the first three fields are
/// little-endian; before, makers wrote network order.
fn uuid(mut bytes: [u8; 16], point: &EntryPoint) -> Option<String> {
    if bytes.iter().all(|byte| *byte == 0xff) || bytes.iter().all(|byte| *byte == 0) {
        return None;
    }
    if point.is_at_least(2, 6) {
        bytes[0..4].reverse();
        bytes[4..6].reverse();
        bytes[6..8].reverse();
    }
    let mut text = String::with_capacity(36);
    for (index, byte) in bytes.iter().enumerate() {
        if matches!(index, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    Some(text)
}

/// Type 2.
pub(super) fn board(s: &Structure<'_>) -> Board {
    Board {
        vendor: s.text(0x04),
        product: s.text(0x05),
        version: s.text(0x06),
        serial: s.text(0x07),
        asset_tag: s.text(0x08),
    }
}

/// Type 3.
pub(super) fn chassis(s: &Structure<'_>) -> Chassis {
    Chassis {
        vendor: s.text(0x04),
        kind: s
            .byte(0x05)
            .and_then(|kind| names::chassis(kind & 0x7f))
            .map(str::to_owned),
        version: s.text(0x06),
        serial: s.text(0x07),
        asset_tag: s.text(0x08),
        height_u: s.byte(0x11).filter(|units| *units != 0),
    }
}

/// Type 4; `None` for a socket that is known to be empty (bit 6 of the status).
pub(super) fn package(s: &Structure<'_>) -> Option<CpuPackage> {
    if s.byte(0x18).is_some_and(|status| status & 0x40 == 0) {
        return None;
    }
    Some(CpuPackage {
        socket: s.text(0x04).unwrap_or_default(),
        vendor: s.text(0x07),
        version: s.text(0x10),
        serial: s.text(0x20),
        part: s.text(0x22),
        cores: count(s, 0x23, 0x2a),
        threads: count(s, 0x25, 0x2e),
        max_mhz: s.word(0x14).map(u32::from).filter(|mhz| *mhz != 0),
    })
}

/// A count of cores or threads: one byte, or the word of version 3.0 when the byte is `FFh`. Zero and
/// `FFFFh` are unknown.
fn count(s: &Structure<'_>, short: usize, long: usize) -> Option<u32> {
    match s.byte(short)? {
        0 => None,
        0xff => match s.word(long) {
            None => Some(0xff),
            Some(0 | 0xffff) => None,
            Some(count) => Some(count.into()),
        },
        count => Some(count.into()),
    }
}

/// Types 16 and 17: the slots of system memory and what is in them.
pub(super) fn memory(all: &[Structure<'_>], found: &mut Smbios) {
    let mut slots = 0;
    for device in all.iter().filter(|s| s.kind == 17) {
        if !is_system_memory(all, device.word(0x04)) {
            continue;
        }
        slots += 1;
        match size(device) {
            Size::Empty => {}
            Size::Unknown => {
                found.unknown_size = true;
                found.dimms.push(dimm(device, 0));
            }
            Size::Bytes(bytes) => found.dimms.push(dimm(device, bytes)),
        }
    }
    found.slots = (slots > 0).then_some(slots);
}

/// Whether a device belongs to no array that we know, or to one that is not used for video memory,
/// flash, non-volatile settings or cache (values 4 to 7 of the array's use).
fn is_system_memory(all: &[Structure<'_>], array: Option<u16>) -> bool {
    let owner = all.iter().find(|s| s.kind == 16 && Some(s.handle) == array);
    !owner
        .and_then(|s| s.byte(0x05))
        .is_some_and(|usage| (4..=7).contains(&usage))
}

enum Size {
    Empty,
    Unknown,
    Bytes(u64),
}

/// Bit 15 chooses KiB; 7FFFh moves the size to the extended field, in MiB; `FFFFh` is unknown.
fn size(s: &Structure<'_>) -> Size {
    match s.word(0x0c) {
        None | Some(0) => Size::Empty,
        Some(0xffff) => Size::Unknown,
        Some(0x7fff) => match s.dword(0x1c).map(|mib| mib & 0x7fff_ffff) {
            None => Size::Bytes(0x7fff * MIB),
            Some(0) => Size::Unknown,
            Some(mib) => Size::Bytes(u64::from(mib) * MIB),
        },
        Some(kib) if kib & 0x8000 != 0 => Size::Bytes(u64::from(kib & 0x7fff) * KIB),
        Some(mib) => Size::Bytes(u64::from(mib) * MIB),
    }
}

fn dimm(s: &Structure<'_>, size_bytes: u64) -> Dimm {
    Dimm {
        slot: s.text(0x10).unwrap_or_default(),
        bank: s.text(0x11),
        size_bytes,
        kind: s.byte(0x12).and_then(names::memory).map(str::to_owned),
        speed_mts: speed(s, 0x15, 0x54),
        configured_mts: speed(s, 0x20, 0x58),
        vendor: s.text(0x17),
        part: s.text(0x1a),
        serial: s.text(0x18),
    }
}

/// MT/s; zero is unknown, `FFFFh` moves the speed to the double word of version 3.3 (bit 31 reserved).
fn speed(s: &Structure<'_>, short: usize, long: usize) -> Option<u32> {
    match s.word(short)? {
        0 => None,
        0xffff => s
            .dword(long)
            .map(|speed| speed & 0x7fff_ffff)
            .filter(|speed| *speed != 0),
        speed => Some(speed.into()),
    }
}

/// Type 38: the IPMI version in binary-coded decimal, major first.
pub(super) fn ipmi_version(s: &Structure<'_>) -> Option<String> {
    s.byte(0x05)
        .filter(|bcd| *bcd != 0)
        .map(|bcd| format!("{}.{}", bcd >> 4, bcd & 0x0f))
}

/// Type 42: whether the host interface leads to a management controller over the network (40h) or
/// one of the MCTP bindings (02h to 08h).
pub(super) fn is_controller_interface(s: &Structure<'_>) -> bool {
    s.byte(0x04)
        .is_some_and(|kind| kind == 0x40 || (0x02..=0x08).contains(&kind))
}

/// Type 42: whether one of its protocol records (after the interface's own data) is Redfish over IP.
pub(super) fn has_redfish(s: &Structure<'_>) -> bool {
    let Some(length) = s.byte(0x05) else { return false };
    let mut offset = 6 + usize::from(length);
    let Some(records) = s.byte(offset) else { return false };
    offset += 1;
    for _ in 0..records {
        let (Some(kind), Some(length)) = (s.byte(offset), s.byte(offset + 1)) else {
            return false;
        };
        if kind == 0x04 {
            return true;
        }
        offset += 2 + usize::from(length);
    }
    false
}
