//! AutoYaST's profile: XML whose elements are closed in order, with the sections an installation needs.

use super::Finding;

pub(super) fn check(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !text.starts_with("<?xml") {
        findings.push(Finding::error(1, "the file does not begin with `<?xml`"));
    }
    match names(text) {
        Ok(names) => {
            if names.first().map(String::as_str) != Some("profile") {
                findings.push(Finding::error(0, "the outermost element is not `profile`"));
            }
            for section in ["partitioning", "software", "users", "bootloader"] {
                if !names.iter().any(|name| name == section) {
                    findings.push(Finding::warning(0, format!("there is no section `{section}`")));
                }
            }
        }
        Err(finding) => findings.push(finding),
    }
    findings
}

/// The elements in order, when every one is closed.
fn names(text: &str) -> Result<Vec<String>, Finding> {
    let mut names = Vec::new();
    let mut open: Vec<(&str, usize)> = Vec::new();
    let mut rest = text;
    let at = |rest: &str| text[..text.len() - rest.len()].matches('\n').count() + 1;
    while let Some(start) = rest.find('<') {
        let line = at(&rest[start..]);
        rest = &rest[start..];
        let until = |mark: &str| rest.find(mark).map(|end| end + mark.len());
        if rest.starts_with("<![CDATA[") {
            rest = &rest[until("]]>").ok_or_else(|| Finding::error(line, "a CDATA section without end"))?..];
            continue;
        }
        if rest.starts_with("<!--") {
            rest = &rest[until("-->").ok_or_else(|| Finding::error(line, "a comment without end"))?..];
            continue;
        }
        let end = until(">").ok_or_else(|| Finding::error(line, "`<` without `>`"))?;
        let tag = &rest[1..end - 1];
        rest = &rest[end..];
        if tag.starts_with(['?', '!']) {
            continue;
        }
        if let Some(name) = tag.strip_prefix('/') {
            match open.pop() {
                Some((opened, _)) if opened == name.trim() => {}
                Some((opened, from)) => {
                    let message = format!("`</{name}>` closes `<{opened}>` of line {from}");
                    return Err(Finding::error(line, message));
                }
                None => return Err(Finding::error(line, format!("`</{name}>` closes nothing"))),
            }
            continue;
        }
        let name = tag.trim_end_matches('/').split_whitespace().next().unwrap_or_default();
        if name.is_empty() || !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Err(Finding::error(line, format!("`<{tag}>` is no element")));
        }
        names.push(name.to_owned());
        if !tag.ends_with('/') {
            open.push((name, line));
        }
    }
    match open.pop() {
        Some((name, line)) => Err(Finding::error(line, format!("`<{name}>` is never closed"))),
        None => Ok(names),
    }
}
