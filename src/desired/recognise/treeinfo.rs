//! `.treeinfo`, which Anaconda's trees have, and openSUSE's and SLES's since 15.

use std::collections::BTreeMap;

use super::{Found, Look, redhat, suse};

/// Lines that are looked at; real files have some hundred.
const MOST_LINES: usize = 4096;

/// Sections of `name = value`, names in lower case.
#[derive(Debug, Default)]
pub(super) struct TreeInfo(BTreeMap<String, BTreeMap<String, String>>);

impl TreeInfo {
    pub(super) fn read(text: &str) -> Self {
        let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
        let mut section = String::new();
        for line in text.lines().take(MOST_LINES) {
            let line = line.trim();
            if line.is_empty() || line.starts_with([';', '#']) {
                continue;
            }
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                name.clone_into(&mut section);
            } else if let Some((name, value)) = line.split_once(['=', ':']) {
                sections
                    .entry(section.clone())
                    .or_default()
                    .insert(name.trim().to_lowercase(), value.trim().to_owned());
            }
        }
        Self(sections)
    }

    /// A value that says something.
    pub(super) fn get(&self, section: &str, name: &str) -> Option<&str> {
        let value = self.0.get(section)?.get(name)?;
        (!value.is_empty()).then_some(value.as_str())
    }

    /// What the system calls itself.
    pub(super) fn family(&self) -> Option<&str> {
        self.get("general", "family")
            .or_else(|| self.get("release", "name"))
            .or_else(|| self.get("general", "name"))
    }

    pub(super) fn version(&self) -> Option<&str> {
        self.get("general", "version")
            .or_else(|| self.get("release", "version"))
    }

    pub(super) fn arch(&self) -> Option<&str> {
        self.get("general", "arch").or_else(|| self.get("tree", "arch"))
    }

    /// Kernel and initrd as the file names them.
    pub(super) fn images(&self, arch: &str) -> Option<(String, String)> {
        let section = format!("images-{arch}");
        let path = |name| {
            self.get(&section, name)
                .map(|path| path.trim_start_matches("./").to_owned())
        };
        Some((path("kernel")?, path("initrd")?))
    }

    /// Folders that hold packages.
    pub(super) fn repositories(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self
            .0
            .iter()
            .filter(|(section, _)| section.starts_with("variant-") || *section == "general")
            .filter_map(|(_, values)| values.get("repository").map(String::as_str))
            .filter(|folder| !folder.is_empty())
            .collect();
        all.push(".");
        all
    }
}

pub(super) fn look(look: &mut Look<'_>) -> Found {
    let Some((file, text)) = look.text(&[".treeinfo", "treeinfo"]) else {
        return Ok(None);
    };
    let info = TreeInfo::read(&text);
    let (Some(family), Some(version)) = (info.family(), info.version()) else {
        look.saw(&file, "it names no family or no version");
        return Ok(None);
    };
    look.saw(
        &file,
        format!("{family} {version} for {}", info.arch().unwrap_or("nobody knows what")),
    );
    let Some(arch) = info.arch() else {
        return Err(look.refuse(
            &format!("{file} names no processor"),
            "write `arch = x86_64` into its section [general], or enter the system with `muster distro add`",
        ));
    };
    let arch = look.arch(&file, arch)?;
    if family.to_lowercase().contains("suse") || family.starts_with("SLE") {
        return suse::of_treeinfo(look, &info, family, version, arch).map(Some);
    }
    redhat::of_treeinfo(look, &file, &info, family, version, arch).map(Some)
}
