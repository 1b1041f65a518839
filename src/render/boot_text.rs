//! Text and addresses as boot loaders read them.

use minijinja::{Error, ErrorKind};

/// Text that iPXE shows and does not interpret: printable ASCII without `$`, `&`, `|` and `#`.
pub(super) fn ipxe_text(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            ' '..='~' if !matches!(c, '$' | '&' | '|' | '#') => c,
            _ => '?',
        })
        .collect()
}

/// Text as one word of GRUB's language, in single quotes, between which nothing is interpreted: printable ASCII without
/// the quote itself.
pub(super) fn grub_text(text: &str) -> String {
    let inner: String = text
        .chars()
        .map(|c| match c {
            ' '..='~' if c != '\'' => c,
            _ => '?',
        })
        .collect();
    format!("'{inner}'")
}

/// An address as GRUB names a file of a server: `(http,HOST:PORT)/PATH`, as one word.
///
/// # Errors
/// When it is no plain `http://` address: GRUB speaks no other.
pub(super) fn grub_file(url: &str) -> Result<String, Error> {
    let refused = || {
        let why = format!("GRUB fetches by http:// only, not {url}");
        Error::new(ErrorKind::InvalidOperation, why)
    };
    let rest = url.strip_prefix("http://").ok_or_else(refused)?;
    let (host, path) = rest.split_once('/').ok_or_else(refused)?;
    Ok(grub_text(&format!("(http,{host})/{path}")))
}

/// A kernel command line as words of GRUB's language. Double quotes hold words together, as the kernel reads them; GRUB
/// puts them back around what has blanks.
pub(super) fn grub_words(line: &str) -> String {
    let mut words: Vec<String> = Vec::new();
    let (mut word, mut within) = (String::new(), false);
    for c in line.chars() {
        match c {
            '"' => within = !within,
            ' ' if !within => words.extend(some(&mut word)),
            c => word.push(c),
        }
    }
    words.extend(some(&mut word));
    words.iter().map(|word| grub_text(word)).collect::<Vec<_>>().join(" ")
}

fn some(word: &mut String) -> Option<String> {
    (!word.is_empty()).then(|| std::mem::take(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_leaves_its_word() {
        assert_eq!(grub_text("it's; halt\n${x}"), "'it?s; halt?${x}'");
        assert_eq!(
            grub_words("a=1 ds=nocloud;s=http://x/ note=\"two words\"  quiet"),
            "'a=1' 'ds=nocloud;s=http://x/' 'note=two words' 'quiet'"
        );
        assert_eq!(ipxe_text("a $ & | # é"), "a ? ? ? ? ?");
    }

    #[test]
    fn addresses_become_files_of_a_server() {
        let file = grub_file("http://10.77.0.1:8081/boot/image/vmlinuz").unwrap();
        assert_eq!(file, "'(http,10.77.0.1:8081)/boot/image/vmlinuz'");
        for url in ["https://10.77.0.1/x", "http://10.77.0.1", "/boot/x"] {
            assert!(grub_file(url).is_err(), "{url}");
        }
    }
}
