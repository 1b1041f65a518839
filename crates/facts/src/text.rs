/// Text from firmware made fit to keep: trimmed, control characters out, inner runs of space folded;
/// `None` when nothing is left.
#[must_use]
pub fn clean_text(raw: &str) -> Option<String> {
    let visible: String = raw.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let folded = visible.split_whitespace().collect::<Vec<_>>().join(" ");
    (!folded.is_empty()).then_some(folded)
}

#[cfg(test)]
mod tests {
    use super::clean_text;

    #[test]
    fn folds_space_and_drops_nothing_else() {
        assert_eq!(clean_text("  Intel(R)   Xeon\0 \n"), Some("Intel(R) Xeon".to_owned()));
        assert_eq!(clean_text(" \t\0"), None);
    }
}
