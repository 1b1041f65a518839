//! What iPXE makes of a text with variables.

/// Puts values in the place of `${name}` and `${name:format}`; what `value` does not know is empty, as in iPXE.
/// With the format `uristring` a value is escaped; a text that is fetched gets its spaces escaped in any case.
#[must_use]
pub fn expand(text: &str, value: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        out.push_str(before);
        let Some((variable, behind)) = after.split_once('}') else {
            out.push_str("${");
            rest = after;
            break;
        };
        let (name, format) = variable.split_once(':').unwrap_or((variable, ""));
        let found = value(name).unwrap_or_default();
        if format == "uristring" {
            out.push_str(&escaped(&found));
        } else {
            out.push_str(&found);
        }
        rest = behind;
    }
    out.push_str(rest);
    out.replace(' ', "%20")
}

/// Everything but RFC 3986's unreserved characters as `%XX`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::expand;

    fn known(name: &str) -> Option<String> {
        match name {
            "netX/mac" => Some("52:54:00:00:00:01".to_owned()),
            "product" => Some("AS -1114S & more".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn variables_are_filled_in_and_unknown_ones_are_empty() {
        let url = "http://a:1/boot/ipxe?mac=${netX/mac}&serial=${serial}&product=${product:uristring}";
        assert_eq!(
            expand(url, known),
            "http://a:1/boot/ipxe?mac=52:54:00:00:00:01&serial=&product=AS%20-1114S%20%26%20more"
        );
        assert_eq!(expand("${product}", known), "AS%20-1114S%20&%20more");
    }

    #[test]
    fn a_brace_that_is_never_closed_stays() {
        assert_eq!(expand("a${netX/mac", known), "a${netX/mac");
        assert_eq!(expand("}a${", known), "}a${");
    }
}
