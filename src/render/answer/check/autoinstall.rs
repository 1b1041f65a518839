//! cloud-init's user-data with subiquity's `autoinstall` section.

use super::Finding;

/// The keys of `autoinstall` that subiquity knows; it refuses others in later versions.
const KEYS: &[&str] = &[
    "version",
    "interactive-sections",
    "early-commands",
    "locale",
    "refresh-installer",
    "keyboard",
    "source",
    "network",
    "proxy",
    "apt",
    "storage",
    "identity",
    "active-directory",
    "ubuntu-pro",
    "ssh",
    "codecs",
    "drivers",
    "oem",
    "snaps",
    "debconf-selections",
    "packages",
    "kernel",
    "kernel-crash-dumps",
    "timezone",
    "updates",
    "shutdown",
    "late-commands",
    "error-commands",
    "reporting",
    "user-data",
    "zdevs",
];

pub(super) fn user_data(text: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    if text.lines().next().map(str::trim_end) != Some("#cloud-config") {
        findings.push(Finding::error(
            1,
            "user-data begins with `#cloud-config`, or cloud-init leaves it alone",
        ));
    }
    let mut inside = false;
    let mut found = Vec::new();
    for (at, line) in text.lines().enumerate() {
        if line.contains('\t') && line.trim_start_matches(' ').starts_with('\t') {
            findings.push(Finding::error(at + 1, "YAML is indented by spaces, never by tabs"));
        }
        if !line.starts_with([' ', '#']) && !line.trim().is_empty() {
            inside = line.trim_end() == "autoinstall:";
        } else if inside
            && line.starts_with("  ")
            && !line.starts_with("   ")
            && let Some((key, _)) = line.trim().split_once(':')
            && !key.starts_with(['#', '-'])
        {
            if !KEYS.contains(&key) {
                findings.push(Finding::error(at + 1, format!("`{key}` is no key of `autoinstall`")));
            }
            if found.contains(&key) {
                findings.push(Finding::error(at + 1, format!("`{key}` stands twice")));
            }
            found.push(key);
        }
    }
    for key in ["version", "storage"] {
        if !found.contains(&key) {
            findings.push(Finding::error(0, format!("`autoinstall` has no `{key}`")));
        }
    }
    findings
}

pub(super) fn meta_data(text: &str) -> Vec<Finding> {
    if text.lines().any(|line| line.starts_with("instance-id:")) {
        Vec::new()
    } else {
        vec![Finding::error(
            0,
            "meta-data has no `instance-id`: cloud-init would not read user-data",
        )]
    }
}
