/// Text from firmware made fit to keep: trimmed, control characters out, inner runs of space folded;
/// `None` when nothing is left.
#[must_use]
pub fn clean_text(raw: &str) -> Option<String> {
    let visible: String = raw.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let folded = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    (!folded.is_empty()).then_some(folded)
}

/// Text from firmware as its writer spaced it: trimmed, control characters out, inner runs of space
/// kept, so that it equals what lscpu, lsblk and dmidecode print; `None` when nothing is left.
#[must_use]
pub fn trim_text(raw: &str) -> Option<String> {
    let visible: String = raw.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let trimmed = visible.trim();
    (!trimmed.is_empty()).then(|| trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::{clean_text, trim_text};

    #[test]
    fn trims_and_keeps_inner_space() {
        assert_eq!(trim_text(" CPU   X7550 \0"), Some("CPU   X7550".to_owned()));
        assert_eq!(trim_text(" \t\0"), None);
    }

    #[test]
    fn folds_space_and_drops_nothing_else() {
        assert_eq!(clean_text("  Intel(R)   Xeon\0 \n"), Some("Intel(R) Xeon".to_owned()));
        assert_eq!(clean_text(" \t\0"), None);
    }
}
