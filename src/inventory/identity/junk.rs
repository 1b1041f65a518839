//! What firmware writes where a name should be.

use muster_facts::MacAddr;
use uuid::Uuid;

/// Words of board makers for "nobody filled this in", lower case.
const SERIALS: &[&str] = &[
    "to be filled by o.e.m.",
    "to be filled by o.e.m",
    "to be filled by oem",
    "default string",
    "system serial number",
    "serial number",
    "base board serial number",
    "board serial number",
    "chassis serial number",
    "mb-1234567890",
    "not specified",
    "not applicable",
    "not available",
    "not present",
    "unspecified",
    "unknown",
    "undefined",
    "invalid",
    "default",
    "oem",
    "o.e.m.",
    "none",
    "null",
    "n/a",
    "na",
    "empty",
    "empty string",
    "no asset tag",
    "no serial",
    "string",
    "serial",
    "chassis serial",
    "system serial",
    "type2 - board serial number",
    "sernum",
    "sernum0",
    "0123456789abcdef",
    "1234567890abcdef",
    "abcdefghij",
    "permanent",
    "...............",
];

/// UUIDs that whole product lines carry.
const UUIDS: &[Uuid] = &[
    Uuid::from_u128(0x03000200_0400_0500_0006_000700080009),
    Uuid::from_u128(0x00020003_0004_0005_0006_000700080009),
    Uuid::from_u128(0x12345678_1234_5678_90ab_cddeefaabbcc),
    Uuid::from_u128(0x12345678_1234_5678_90ab_cdefaabbccdd),
    Uuid::from_u128(0x01234567_89ab_cdef_0123_456789abcdef),
    Uuid::from_u128(0x00010203_0405_0607_0809_0a0b0c0d0e0f),
    Uuid::from_u128(0xfefefefe_fefe_fefe_fefe_fefefefefefe),
    Uuid::from_u128(0xdeadbeef_dead_beef_dead_beefdeadbeef),
    Uuid::from_u128(0x4c4c4544_0000_2010_8020_80c04f202020),
    Uuid::from_u128(0x49434d53_0200_9000_2500_900025009000),
];

/// Shorter serials collide by chance.
const SHORTEST_SERIAL: usize = 4;

/// True when a serial (trimmed, lower case) names nothing.
pub(super) fn serial(serial: &str) -> bool {
    let letters: String = serial.chars().filter(|c| c.is_alphanumeric()).collect();
    letters.chars().count() < SHORTEST_SERIAL
        || SERIALS.contains(&serial)
        || serial.contains("to be filled")
        || serial.contains("o.e.m")
        || one_letter(&letters)
        || counts_up(&letters)
}

/// True for UUIDs that are empty, full or printed on whole product lines.
pub(super) fn uuid(uuid: Uuid) -> bool {
    let bytes = uuid.as_bytes();
    // The vendor's part may be real while the unit's part (the last eleven bytes) was never written.
    let blank_tail = |byte: u8| bytes.iter().skip(5).all(|b| *b == byte);
    UUIDS.contains(&uuid) || blank_tail(0) || blank_tail(0xff) || bytes.iter().all(|b| Some(b) == bytes.first())
}

/// True for addresses that name no interface.
pub(super) fn mac(mac: MacAddr) -> bool {
    let [a, b, c, d, e, f] = mac.0;
    let counted = matches!(
        [a, b, c, d, e, f],
        [0x00, 0x11, 0x22, 0x33, 0x44, 0x55] | [0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc] | [0x02, 0, 0, 0, 0, 0]
    );
    mac.is_unusable() || counted || mac.0.iter().all(|byte| *byte == a)
}

/// True for a world-wide name (trimmed, lower case) that names no disk.
pub(super) fn wwn(wwn: &str) -> bool {
    let value = wwn.split_once('.').map_or(wwn, |(_, value)| value);
    let digits: String = value.chars().filter(|c| c.is_alphanumeric()).collect();
    // `t10.` names are built from model and serial: those of USB readers and virtual disks repeat.
    digits.len() < 8 || wwn.starts_with("t10.") || one_letter(&digits) || counts_up(&digits)
}

fn one_letter(text: &str) -> bool {
    let mut letters = text.chars();
    letters.next().is_none_or(|first| letters.all(|letter| letter == first))
}

/// `1234567890`, `0123456789`, `123456789012`: each digit one more than the last, modulo ten.
fn counts_up(text: &str) -> bool {
    let digits: Option<Vec<u32>> = text.chars().map(|c| c.to_digit(10)).collect();
    digits.is_some_and(|digits| digits.windows(2).all(|pair| pair[1] == (pair[0] + 1) % 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_firmware_are_junk() {
        for text in [
            "",
            "0",
            "none",
            "to be filled by o.e.m.",
            "default string",
            "1234567890",
            "0123456789",
            "123456789",
            "00000000",
            "xxxxxxxxxxx",
            "................",
            "system serial number",
            "n/a",
            "abc",
        ] {
            assert!(serial(text), "{text}");
        }
        for text in [
            "7cxyz12",
            ".7cxyz12.cn7475153a02c9.",
            "vmware-56 4d 8a",
            "1234",
            "s3x9nx0k123",
        ] {
            assert_eq!(serial(text), text == "1234", "{text}");
        }
    }

    #[test]
    fn uuids_of_product_lines_are_junk() {
        for text in [
            "00000000-0000-0000-0000-000000000000",
            "ffffffff-ffff-ffff-ffff-ffffffffffff",
            "03000200-0400-0500-0006-000700080009",
            "20202020-2020-2020-2020-202020202020",
            "12345678-0000-0000-0000-000000000000",
        ] {
            assert!(uuid(text.parse().expect("a UUID")), "{text}");
        }
        assert!(!uuid("4c4c4544-0043-5810-8059-b7c04f4e5a32".parse().expect("a UUID")));
    }

    #[test]
    fn names_of_disks() {
        assert!(wwn("naa.0000000000000000"));
        assert!(wwn("t10.ata qemu harddisk qm00001"));
        assert!(!wwn("naa.5000c500a1b2c3d4"));
        assert!(!wwn("eui.0025385b71b0a1c2"));
        assert!(!wwn("0x5000c500a1b2c3d4"));
    }
}
