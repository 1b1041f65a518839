//! What a client says it is, in options 60 and 77.

use super::{Architecture, tlv};

/// The vendor class identifier (option 60) of a boot client, parsed.
///
/// PXE 2.1 and UEFI write `PXEClient:Arch:00007:UNDI:003010`; UEFI HTTP boot writes the same with
/// `HTTPClient`. A server's answer carries the bare word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VendorClass {
    /// A PXE ROM or firmware.
    PxeClient {
        /// Architecture of the text, when it has one; option 93 is the better source.
        arch: Option<Architecture>,
        /// UNDI version, major and minor.
        undi: Option<(u16, u16)>,
    },
    /// UEFI HTTP boot.
    HttpClient {
        /// Architecture of the text, when it has one; option 93 is the better source.
        arch: Option<Architecture>,
        /// UNDI version, major and minor.
        undi: Option<(u16, u16)>,
    },
    /// An ordinary client, such as `udhcp 1.36` or `MSFT 5.0`.
    Other,
}

impl VendorClass {
    /// Reads the bytes of option 60. Never fails: what is not a boot client is [`Self::Other`].
    #[must_use]
    pub fn parse(raw: &[u8]) -> Self {
        let text = String::from_utf8_lossy(raw);
        let mut parts = text.trim_end_matches('\0').split(':');
        let word = parts.next().unwrap_or_default();
        let (mut arch, mut undi) = (None, None);
        while let Some(key) = parts.next() {
            let value = parts.next().unwrap_or_default();
            match key {
                "Arch" => arch = value.parse().ok().map(Architecture),
                "UNDI" => {
                    undi = value
                        .split_at_checked(3)
                        .and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
                }
                _ => {}
            }
        }
        match word {
            "PXEClient" => Self::PxeClient { arch, undi },
            "HTTPClient" => Self::HttpClient { arch, undi },
            _ => Self::Other,
        }
    }
}

/// The user classes of option 77.
///
/// RFC 3004 wants each class with a length byte before it; iPXE (and gPXE) send bare text. The
/// bytes are taken as RFC 3004 when the lengths add up exactly, else as one class.
pub(crate) fn user_classes(raw: &[u8]) -> Vec<&[u8]> {
    let mut classes = Vec::new();
    let mut rest = raw;
    while let Some((&len, after)) = rest.split_first() {
        match after.split_at_checked(usize::from(len)) {
            Some((class, tail)) if len > 0 => {
                classes.push(class);
                rest = tail;
            }
            _ => return vec![raw],
        }
    }
    classes
}

/// True when one of the user classes is iPXE's.
pub(crate) fn is_ipxe(user_class: Option<&[u8]>) -> bool {
    user_class.is_some_and(|raw| {
        user_classes(raw)
            .iter()
            .any(|class| class.eq_ignore_ascii_case(b"iPXE"))
    })
}

/// A sub-option that is one byte long and not zero.
pub(crate) fn flag(field: &[u8], code: u8) -> bool {
    tlv::find(field, code).is_some_and(|value| value.iter().any(|byte| *byte != 0))
}
