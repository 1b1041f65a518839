//! Recognises an installation tree by the files that say what it is. Pure: it is given a view of the tree.
//!
//! The version is what the installed system will call itself (`VERSION_ID` of its os-release), so that planned and
//! found can be compared.

mod debian;
mod redhat;
mod suse;
mod treeinfo;
mod ubuntu;

#[cfg(test)]
mod tests;

use std::{fmt, str::FromStr};

use super::Family;
use crate::inventory::UnknownWord;

/// Longest file that is read to recognise a tree, bytes. The largest real one is Fedora's `.treeinfo` with some 20 KiB.
pub const LONGEST_TEXT: u64 = 256 * 1024;

/// A tree to look at. Paths are below its root, with `/` between their parts.
pub trait TreeView {
    /// The text of a file; none when there is no such file, it is no text, or it is longer than [`LONGEST_TEXT`].
    fn text(&self, path: &str) -> Option<String>;

    /// True when there is a file, not a folder, of this path.
    fn has(&self, path: &str) -> bool;

    /// The names in a folder; empty when there is none.
    fn names(&self, folder: &str) -> Vec<String>;
}

/// A processor that Muster installs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arch {
    /// `x86_64`, Debian's `amd64`.
    X86_64,
    /// `aarch64`, Debian's `arm64`.
    Aarch64,
}

impl Arch {
    /// Both.
    pub const ALL: [Self; 2] = [Self::X86_64, Self::Aarch64];

    /// The word in distros and facts.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::X86_64 => "x86_64",
            Self::Aarch64 => "aarch64",
        }
    }

    /// Debian's word.
    const fn debian(self) -> &'static str {
        match self {
            Self::X86_64 => "amd64",
            Self::Aarch64 => "arm64",
        }
    }
}

impl fmt::Display for Arch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Arch {
    type Err = UnknownWord;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|arch| [arch.as_str(), arch.debian()].contains(&text))
            .ok_or_else(|| UnknownWord {
                what: "processor that Muster installs (x86_64, aarch64)",
                word: text.to_owned(),
            })
    }
}

/// What a person chooses where a tree holds several systems.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choice {
    /// For which processor.
    pub arch: Option<Arch>,
    /// Which release, e.g. `bookworm`.
    pub codename: Option<String>,
}

/// A file and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// Below the tree.
    pub file: String,
    /// In plain words.
    pub says: String,
}

/// What a tree is, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recognised {
    /// Whose installer it has.
    pub family: Family,
    /// `rocky`, `debian`, …
    pub id: String,
    /// As the installed system will call it.
    pub version: String,
    /// `bookworm`, `LTS-SP4`, where it has one.
    pub codename: Option<String>,
    /// For which processor.
    pub arch: Arch,
    /// Below the tree.
    pub kernel: String,
    /// Below the tree.
    pub initrd: String,
    /// What was found, file by file.
    pub reasons: Vec<Reason>,
    /// What will be missed in an installation, and what to do.
    pub cautions: Vec<String>,
    /// Kernel and initrd on a full mirror of the same release, when this tree has the installer only.
    pub on_mirror: Option<(String, String)>,
}

/// Why a tree is not entered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}{}; {advice}", told(.reasons, .looked_for))]
pub struct NotRecognised {
    /// In plain words.
    pub why: String,
    /// What was found all the same.
    pub reasons: Vec<Reason>,
    /// Files that were looked for and are not there.
    pub looked_for: Vec<String>,
    /// What to do.
    pub advice: String,
}

fn told(reasons: &[Reason], looked_for: &[String]) -> String {
    let mut text = String::new();
    if !reasons.is_empty() {
        let found: Vec<String> = reasons
            .iter()
            .map(|reason| format!("{} ({})", reason.file, reason.says))
            .collect();
        text.push_str(&format!("; found {}", found.join(", ")));
    }
    if !looked_for.is_empty() {
        text.push_str(&format!("; looked for {}", looked_for.join(", ")));
    }
    text
}

/// Says what a tree is.
///
/// # Errors
/// [`NotRecognised`] with what was looked for, when it is nothing known, has no kernel or initrd, or holds several
/// systems of which none was chosen.
pub fn recognise(view: &dyn TreeView, choice: &Choice) -> Result<Recognised, NotRecognised> {
    let mut look = Look::new(view, choice);
    let ways: [fn(&mut Look<'_>) -> Found; 6] = [
        treeinfo::look,
        ubuntu::look,
        debian::look_at_image,
        debian::look_at_mirror,
        debian::look_at_netboot,
        suse::look_at_media,
    ];
    for way in ways {
        if let Some(found) = way(&mut look)? {
            return Ok(found);
        }
    }
    if let Some(found) = redhat::look_at_discinfo(&mut look)? {
        return Ok(found);
    }
    Err(look.refuse(
        "this is no installation tree that Muster knows",
        "give the folder that holds one of these files, or enter the system by hand with `muster distro add`",
    ))
}

/// What one way of looking comes to: nothing of its kind, a system, or a tree of its kind that cannot be entered.
type Found = Result<Option<Recognised>, NotRecognised>;

/// A look at one tree, which remembers what it saw.
struct Look<'a> {
    view: &'a dyn TreeView,
    choice: &'a Choice,
    reasons: Vec<Reason>,
    missing: Vec<String>,
    cautions: Vec<String>,
}

impl<'a> Look<'a> {
    const fn new(view: &'a dyn TreeView, choice: &'a Choice) -> Self {
        Self {
            view,
            choice,
            reasons: Vec::new(),
            missing: Vec::new(),
            cautions: Vec::new(),
        }
    }

    /// The first of these files that is there, with its text.
    fn text(&mut self, paths: &[&str]) -> Option<(String, String)> {
        for path in paths {
            if let Some(text) = self.view.text(path) {
                return Some(((*path).to_owned(), text));
            }
        }
        self.missing.extend(paths.iter().map(|path| (*path).to_owned()));
        None
    }

    fn saw(&mut self, file: &str, says: impl Into<String>) {
        self.reasons.push(Reason {
            file: file.to_owned(),
            says: says.into(),
        });
    }

    fn caution(&mut self, text: impl Into<String>) {
        self.cautions.push(text.into());
    }

    /// The first pair of kernel and initrd of which both are there.
    fn pair(&mut self, pairs: &[(String, String)]) -> Result<(String, String), NotRecognised> {
        let mut half = None;
        for (kernel, initrd) in pairs {
            match (self.view.has(kernel), self.view.has(initrd)) {
                (true, true) => {
                    self.saw(kernel, "the kernel");
                    self.saw(initrd, "the initrd");
                    return Ok((kernel.clone(), initrd.clone()));
                }
                (true, false) => {
                    self.saw(kernel, "the kernel");
                    half.get_or_insert("no initrd");
                    self.missing.push(initrd.clone());
                }
                (false, there) => {
                    if there {
                        self.saw(initrd, "the initrd");
                        half.get_or_insert("no kernel");
                    } else {
                        self.missing.push(initrd.clone());
                    }
                    self.missing.push(kernel.clone());
                }
            }
        }
        let what = half.unwrap_or("neither kernel nor initrd");
        // Only what belongs to this kind of tree is of use now.
        self.missing
            .retain(|file| pairs.iter().any(|(kernel, initrd)| file == kernel || file == initrd));
        Err(self.refuse(
            &format!("the tree has {what}"),
            "complete the tree, or say where they are with `muster distro add --kernel … --initrd …`",
        ))
    }

    /// The processor a file names; what a person chose must agree with it.
    fn arch(&mut self, file: &str, word: &str) -> Result<Arch, NotRecognised> {
        let arch: Arch = word.trim().parse().map_err(|unknown: UnknownWord| {
            self.refuse(
                &format!("{file}: {unknown}"),
                "enter it by hand with `muster distro add` if it starts all the same",
            )
        })?;
        match self.choice.arch {
            Some(chosen) if chosen != arch => Err(self.refuse(
                &format!("{file} says that the tree is for {arch}, not for {chosen}"),
                "leave --arch away, or give another tree",
            )),
            _ => Ok(arch),
        }
    }

    fn refuse(&mut self, why: &str, advice: &str) -> NotRecognised {
        let mut looked_for = std::mem::take(&mut self.missing);
        looked_for.sort();
        looked_for.dedup();
        NotRecognised {
            why: why.to_owned(),
            reasons: std::mem::take(&mut self.reasons),
            looked_for,
            advice: advice.to_owned(),
        }
    }

    /// Cautions when the shipped templates are not made for this version.
    fn check_claimed(&mut self, system: &str, major: &str, from: u32, to: u32) {
        if !major.parse::<u32>().is_ok_and(|major| (from..=to).contains(&major)) {
            self.caution(format!(
                "the shipped answer files are made for {system} {from} to {to}: check what is rendered before you install"
            ));
        }
    }
}

/// The digits and dots that a word begins with: `22.03` of `22.03-LTS-SP4`; and what comes after them.
fn number(word: &str) -> (&str, &str) {
    let end = word
        .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
        .unwrap_or(word.len());
    let (number, rest) = word.split_at(end);
    (
        number.trim_end_matches('.'),
        rest.trim_start_matches(['-', '_', ' ', '.']),
    )
}

/// The part before the first dot.
fn major(version: &str) -> &str {
    version.split('.').next().unwrap_or_default()
}
