//! SMBIOS structures that QEMU cannot write by itself: one memory device per slot.
//!
//! QEMU makes one memory device for each 16 GiB it gives, so a small machine has one. A structure loaded from a file
//! takes the place of QEMU's own of that type (DMTF DSP0134, 7.17 and 7.18).

use crate::hardware::Dimm;

/// Handle of the memory array, the one QEMU's own structures refer to.
const ARRAY_HANDLE: u16 = 0x1000;
/// Handle of the first memory device.
const FIRST_DEVICE_HANDLE: u16 = 0x1100;
/// "No error information", for the error handle.
const NO_HANDLE: u16 = 0xfffe;

/// The structures for these slots: a physical memory array (type 16) and a memory device (type 17) for each slot.
pub fn memory(dimms: &[Dimm]) -> Vec<Vec<u8>> {
    let mut structures = vec![array(dimms)];
    structures.extend(
        dimms
            .iter()
            .zip(FIRST_DEVICE_HANDLE..)
            .map(|(dimm, handle)| device(dimm, handle)),
    );
    structures
}

fn array(dimms: &[Dimm]) -> Vec<u8> {
    let kibibytes: u64 = dimms
        .iter()
        .filter_map(|dimm| dimm.module.as_ref())
        .map(|module| u64::from(module.mebibytes) << 10)
        .sum();
    let mut structure = Structure::new(16, ARRAY_HANDLE);
    structure.byte(0x03); // on the system board
    structure.byte(0x03); // system memory
    structure.byte(0x06); // multi-bit error correction
    structure.double(0x8000_0000); // see the extended capacity
    structure.word(NO_HANDLE);
    structure.word(u16::try_from(dimms.len()).unwrap_or(u16::MAX));
    structure.quad(kibibytes << 10);
    structure.finish()
}

fn device(dimm: &Dimm, handle: u16) -> Vec<u8> {
    let module = dimm.module.as_ref();
    let (size, extended) = match module.map_or(0, |module| module.mebibytes) {
        small @ 0..0x7fff => (u16::try_from(small).unwrap_or(0), 0),
        large => (0x7fff, large),
    };
    let width = if module.is_some() { (72, 64) } else { (0, 0) };
    let speed = module.map_or(0, |module| module.speed);
    let text = |of: fn(&crate::hardware::Module) -> &String| module.map_or("NO DIMM", |module| of(module).as_str());
    let mut structure = Structure::new(17, handle);
    structure.word(ARRAY_HANDLE);
    structure.word(NO_HANDLE);
    structure.word(width.0);
    structure.word(width.1);
    structure.word(size);
    structure.byte(0x09); // DIMM
    structure.byte(0); // not part of a set
    structure.text(&dimm.slot);
    structure.text(&dimm.bank);
    structure.byte(module.map_or(0x02, |module| module.kind));
    structure.word(0x2080); // registered, synchronous
    structure.word(speed);
    structure.text(text(|module| &module.maker));
    structure.text(text(|module| &module.serial));
    structure.byte(0); // no asset tag
    structure.text(text(|module| &module.part));
    structure.byte(if module.is_some() { 2 } else { 0 }); // ranks
    structure.double(extended);
    structure.word(speed);
    for _ in 0..3 {
        structure.word(if module.is_some() { 1200 } else { 0 }); // millivolts: least, most, set
    }
    structure.finish()
}

/// A structure being written: the formatted part, then its texts.
struct Structure {
    formatted: Vec<u8>,
    texts: Vec<u8>,
    count: u8,
}

impl Structure {
    fn new(kind: u8, handle: u16) -> Self {
        let [low, high] = handle.to_le_bytes();
        Self {
            formatted: vec![kind, 0, low, high],
            texts: Vec::new(),
            count: 0,
        }
    }

    fn byte(&mut self, value: u8) {
        self.formatted.push(value);
    }

    fn word(&mut self, value: u16) {
        self.formatted.extend(value.to_le_bytes());
    }

    fn double(&mut self, value: u32) {
        self.formatted.extend(value.to_le_bytes());
    }

    fn quad(&mut self, value: u64) {
        self.formatted.extend(value.to_le_bytes());
    }

    fn text(&mut self, text: &str) {
        self.count += 1;
        self.byte(self.count);
        self.texts.extend(text.bytes().filter(|byte| *byte != 0));
        self.texts.push(0);
    }

    fn finish(mut self) -> Vec<u8> {
        self.formatted[1] = u8::try_from(self.formatted.len()).unwrap_or(u8::MAX);
        if self.texts.is_empty() {
            self.texts.push(0);
        }
        self.formatted.extend(self.texts);
        self.formatted.push(0);
        self.formatted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hardware::{Hardware, NicModel};

    #[test]
    fn lengths_and_fields_follow_the_standard() {
        let dimms = Hardware::numbered(1, NicModel::Virtio).dimms;
        let structures = memory(&dimms);
        assert_eq!(structures.len(), 6);
        let array = &structures[0];
        assert_eq!((array[0], array[1], array.len()), (16, 0x17, 0x17 + 2));
        assert_eq!(u16::from_le_bytes([array[13], array[14]]), 5);
        let device = &structures[1];
        assert_eq!((device[0], device[1]), (17, 0x28));
        // 32 GiB does not fit the size field: it refers to the extended size.
        assert_eq!(u16::from_le_bytes([device[12], device[13]]), 0x7fff);
        assert_eq!(
            u32::from_le_bytes([device[0x1c], device[0x1d], device[0x1e], device[0x1f]]),
            32 * 1024
        );
        assert!(device[0x28..].starts_with(b"DIMM_A1\0BANK 1\0SK Hynix\0"));
        assert!(device.ends_with(&[0, 0]));
        let empty = &structures[5];
        assert_eq!(&empty[12..14], &[0, 0]);
    }
}
