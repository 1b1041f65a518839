//! Code, length, value: the form of DHCP options and of every option inside an option.

use dhcproto::v4::OptionCode;

/// Codes without a length byte in the main option field.
const PAD: u8 = 0;
const END: u8 = 255;

/// One step of a walk over options.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Step<'a> {
    /// A whole option.
    Option(u8, &'a [u8]),
    /// The field ends inside this option; nothing after it can be found.
    Cut(u8),
}

/// Walks a field of options up to its end marker or its last byte.
pub(crate) struct Walk<'a> {
    rest: &'a [u8],
}

impl<'a> Walk<'a> {
    pub(crate) const fn new(field: &'a [u8]) -> Self {
        Self { rest: field }
    }
}

impl<'a> Iterator for Walk<'a> {
    type Item = Step<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let (&code, after) = self.rest.split_first()?;
            self.rest = after;
            if code == PAD {
                continue;
            }
            if code == END {
                self.rest = &[];
                return None;
            }
            let whole = after
                .split_first()
                .and_then(|(&len, value)| value.split_at_checked(usize::from(len)));
            return Some(if let Some((value, rest)) = whole {
                self.rest = rest;
                Step::Option(code, value)
            } else {
                self.rest = &[];
                Step::Cut(code)
            });
        }
    }
}

/// The value of the first sub-option with this code.
///
/// RFC 3046 gives 0 and 255 no special meaning inside option 82, but no relay agent uses them as
/// codes, and some pad with zeros: so pad and end are skipped here as well.
pub(crate) fn find(field: &[u8], wanted: u8) -> Option<&[u8]> {
    Walk::new(field).find_map(|step| match step {
        Step::Option(code, value) if code == wanted => Some(value),
        _ => None,
    })
}

/// Appends one sub-option; a value over 255 bytes is cut there, for sub-options cannot be split.
pub(crate) fn push(out: &mut Vec<u8>, code: u8, value: &[u8]) {
    let len = u8::try_from(value.len()).unwrap_or(u8::MAX);
    out.push(code);
    out.push(len);
    out.extend(value.iter().take(usize::from(len)));
}

/// One main option as bytes, split into several instances when longer than 255 (RFC 3396).
pub(crate) fn option(code: u8, value: &[u8]) -> Vec<u8> {
    if value.is_empty() {
        return vec![code, 0];
    }
    let mut out = Vec::with_capacity(value.len() + 2);
    let mut encoder = dhcproto::Encoder::new(&mut out);
    match dhcproto::v4::encode_long_opt_bytes(OptionCode::from(code), value, &mut encoder) {
        Ok(()) => out,
        // Only a buffer of fixed size can be full; a Vec grows.
        Err(_) => Vec::new(),
    }
}
