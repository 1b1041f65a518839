//! A page as a person reads it.

pub(super) fn between<'a>(html: &'a str, from: &str, to: &str) -> &'a str {
    let (_, tail) = html.split_once(from).unwrap_or_else(|| panic!("no {from} in {html}"));
    tail.split_once(to).unwrap().0
}

/// The text between the tags, as a browser shows it.
pub(super) fn visible(html: &str) -> String {
    let mut text = String::new();
    for (place, part) in html.split('<').enumerate() {
        text.push(' ');
        text.push_str(if place == 0 {
            part
        } else {
            part.split_once('>').map_or("", |(_, text)| text)
        });
    }
    for (escape, character) in [
        ("&#x27;", "'"),
        ("&#x2f;", "/"),
        ("&quot;", "\""),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ] {
        text = text.replace(escape, character);
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Words and rule of every line.
pub(super) fn story(html: &str) -> Vec<(String, String)> {
    between(html, "<ol class=\"story\">", "</ol>")
        .split("<li>")
        .skip(1)
        .map(|line| {
            let words = between(line, "aria-hidden=\"true\"></span>", "<span class=\"who\">");
            let rule = line
                .contains("class=\"why\"")
                .then(|| between(line, "<div class=\"why\">", "</div>"));
            (visible(words), rule.map(visible).unwrap_or_default())
        })
        .collect()
}

/// No placeholder stays, no key or code shows itself; names of settings may.
pub(super) fn assert_fit_for_people(text: &str) {
    let settings = [
        "boot.loader_dir",
        "boot.image_dir",
        "boot.token_lifetime",
        "lease_time",
        "boot.after_facts",
    ];
    assert!(!text.contains(['{', '}']), "{text}");
    for word in text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '.') {
        let word = word.trim_matches('.');
        assert!(!word.contains('_') || settings.contains(&word), "{word} in {text}");
        let is_key = ["event.", "rule.", "verdict.", "word.", "host.", "state."]
            .iter()
            .any(|prefix| word.starts_with(prefix));
        assert!(!is_key, "{word} in {text}");
    }
}

pub(super) fn is_chinese(text: &str) -> bool {
    text.contains(|c| ('\u{4e00}'..'\u{9fff}').contains(&c))
}
