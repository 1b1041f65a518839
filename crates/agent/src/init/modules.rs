//! Which kernel modules a device asks for, and in which order they go in.
//!
//! Reads depmod's text files `modules.dep`, `modules.alias` and `modules.softdep`; does what
//! modprobe does with them, without modprobe.

use std::collections::{BTreeMap, BTreeSet};

/// The module index of one kernel.
#[derive(Debug, Default)]
pub struct ModuleIndex {
    /// Pattern and the module it asks for, in the order of the file.
    aliases: Vec<(String, String)>,
    modules: BTreeMap<String, Module>,
    softdeps: BTreeMap<String, Softdep>,
}

#[derive(Debug)]
struct Module {
    path: String,
    /// Names, in the order of `modules.dep`: each needs those after it.
    needs: Vec<String>,
}

#[derive(Debug, Default)]
struct Softdep {
    before: Vec<String>,
    after: Vec<String>,
}

/// One module to put in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Insertion {
    /// Name with underscores, as in `/proc/modules`.
    pub name: String,
    /// Path below `/lib/modules/RELEASE`.
    pub path: String,
}

impl ModuleIndex {
    /// Takes the three files' text; lines that are not understood are passed over.
    #[must_use]
    pub fn parse(dep: &str, alias: &str, softdep: &str) -> Self {
        let mut index = Self::default();
        for (path, needs) in dep.lines().filter_map(|line| line.split_once(':')) {
            let module = Module {
                path: path.trim().to_owned(),
                needs: needs.split_whitespace().map(module_name).collect(),
            };
            index.modules.insert(module_name(path.trim()), module);
        }
        for line in alias.lines() {
            let mut words = line.split_whitespace();
            if let (Some("alias"), Some(pattern), Some(module)) = (words.next(), words.next(), words.next()) {
                index.aliases.push((normal_pattern(pattern), normal(module)));
            }
        }
        for line in softdep.lines() {
            let mut words = line.split_whitespace();
            let (Some("softdep"), Some(module)) = (words.next(), words.next()) else {
                continue;
            };
            let entry = index.softdeps.entry(normal(module)).or_default();
            let mut after = false;
            for word in words {
                match word {
                    "pre:" => after = false,
                    "post:" => after = true,
                    name if after => entry.after.push(name.to_owned()),
                    name => entry.before.push(name.to_owned()),
                }
            }
        }
        index
    }

    /// How many modules there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.modules.len()
    }

    /// True when the image holds no module.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.modules.is_empty()
    }

    /// The modules that a device with this modalias asks for.
    #[must_use]
    pub fn for_device(&self, modalias: &str) -> Vec<&str> {
        let modalias = normal(modalias);
        let mut found: Vec<&str> = Vec::new();
        for (pattern, module) in &self.aliases {
            if !found.contains(&module.as_str()) && glob(pattern.as_bytes(), modalias.as_bytes()) {
                found.push(module);
            }
        }
        found
    }

    /// Everything that has to go in for `name` (a module or an alias), in order, each once. Empty
    /// for what is built in or not in the image.
    #[must_use]
    pub fn insertions(&self, name: &str) -> Vec<Insertion> {
        let mut order = Vec::new();
        self.visit(name, &mut BTreeSet::new(), &mut order);
        order
    }

    fn visit(&self, name: &str, seen: &mut BTreeSet<String>, order: &mut Vec<Insertion>) {
        let name = normal(name);
        let Some(module) = self.modules.get(&name) else {
            for target in self.for_device(&name) {
                if self.modules.contains_key(target) {
                    self.visit(target, seen, order);
                }
            }
            return;
        };
        if !seen.insert(name.clone()) {
            return;
        }
        let soft = self.softdeps.get(&name);
        for before in soft.iter().flat_map(|soft| &soft.before) {
            self.visit(before, seen, order);
        }
        for need in module.needs.iter().rev() {
            self.visit(need, seen, order);
        }
        order.push(Insertion {
            name,
            path: module.path.clone(),
        });
        for after in soft.iter().flat_map(|soft| &soft.after) {
            self.visit(after, seen, order);
        }
    }
}

/// `kernel/net/foo-bar.ko` is `foo_bar`.
fn module_name(path: &str) -> String {
    let file = path.rsplit('/').next().unwrap_or(path);
    normal(file.split(".ko").next().unwrap_or(file))
}

/// Names are the same with `-` and `_`.
fn normal(name: &str) -> String {
    name.replace('-', "_")
}

/// The same outside brackets, where `-` is a range.
fn normal_pattern(pattern: &str) -> String {
    let mut inside = false;
    let same = |c| {
        inside = c == '[' || (inside && c != ']');
        if c == '-' && !inside { '_' } else { c }
    };
    pattern.chars().map(same).collect()
}

/// Shell pattern matching as depmod's aliases use it: `*`, `?` and `[a-f]`.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    // Where to go on when a guess about the last `*` was wrong.
    let mut retry: Option<(usize, usize)> = None;
    while t < text.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p + 1, t));
                p += 1;
                continue;
            }
            Some(b'?') => Some(1),
            Some(b'[') => class(&pattern[p..], text[t]),
            Some(&c) if c == text[t] => Some(1),
            _ => None,
        };
        match (step, retry) {
            (Some(width), _) => {
                p += width;
                t += 1;
            }
            (None, Some((after_star, from))) => {
                retry = Some((after_star, from + 1));
                p = after_star;
                t = from + 1;
            }
            (None, None) => return false,
        }
    }
    pattern[p..].iter().all(|&c| c == b'*')
}

/// The width of the bracket expression at the start of `pattern` when it takes in `c`.
fn class(pattern: &[u8], c: u8) -> Option<usize> {
    let end = pattern.iter().position(|&b| b == b']')?;
    let inside = pattern.get(1..end)?;
    let mut at = 0;
    let mut hit = false;
    while let Some(&low) = inside.get(at) {
        if let (Some(b'-'), Some(&high)) = (inside.get(at + 1), inside.get(at + 2)) {
            hit |= (low..=high).contains(&c);
            at += 3;
        } else {
            hit |= low == c;
            at += 1;
        }
    }
    hit.then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEP: &str = "\
kernel/drivers/net/virtio_net.ko: kernel/drivers/net/net_failover.ko kernel/net/core/failover.ko kernel/drivers/virtio/virtio.ko
kernel/drivers/net/net_failover.ko: kernel/net/core/failover.ko
kernel/net/core/failover.ko:
kernel/drivers/virtio/virtio.ko:
kernel/arch/x86/crypto/crc32c-intel.ko:
kernel/lib/libcrc32c.ko:
kernel/drivers/net/a.ko:
kernel/drivers/net/b.ko:
";
    const ALIAS: &str = "\
# Aliases extracted from modules themselves.
alias virtio:d00000001v* virtio_net
alias pci:v00008086d0000[12]533sv*sd*bc02sc00i* a
alias pci:v*d*sv*sd*bc02sc00i0? b
alias crypto-crc32c crc32c-intel
";
    const SOFTDEP: &str = "softdep libcrc32c pre: crypto-crc32c\nsoftdep a pre: b post: libcrc32c\nsoftdep b pre: a\n";

    fn index() -> ModuleIndex {
        ModuleIndex::parse(DEP, ALIAS, SOFTDEP)
    }

    fn names(order: &[Insertion]) -> Vec<&str> {
        order.iter().map(|step| step.name.as_str()).collect()
    }

    #[test]
    fn devices_find_their_modules() {
        let index = index();
        assert_eq!(index.for_device("virtio:d00000001v00001AF4"), ["virtio_net"]);
        assert_eq!(
            index.for_device("pci:v00008086d00001533sv00001043sd000085F0bc02sc00i00"),
            ["a", "b"]
        );
        assert_eq!(
            index.for_device("pci:v00008086d00003533sv00001043sd000085F0bc02sc00i00"),
            ["b"]
        );
        assert!(index.for_device("usb:v1D6Bp0002").is_empty());
        assert!(index.for_device("").is_empty());
    }

    #[test]
    fn names_and_aliases_are_the_same_with_either_dash() {
        let index = ModuleIndex::parse("k/a_b.ko:\n", "alias platform:i2c-[0-9]-mux* a-b\n", "");
        assert_eq!(index.for_device("platform:i2c-4-mux"), ["a_b"]);
        assert_eq!(names(&index.insertions("a-b")), ["a_b"]);
    }

    #[test]
    fn what_a_module_needs_goes_in_first() {
        let order = index().insertions("virtio-net");
        assert_eq!(names(&order), ["virtio", "failover", "net_failover", "virtio_net"]);
        assert_eq!(order[3].path, "kernel/drivers/net/virtio_net.ko");
    }

    #[test]
    fn soft_dependencies_are_followed_through_aliases_and_circles_end() {
        let index = index();
        assert_eq!(names(&index.insertions("libcrc32c")), ["crc32c_intel", "libcrc32c"]);
        assert_eq!(names(&index.insertions("a")), ["b", "a", "crc32c_intel", "libcrc32c"]);
        assert!(index.insertions("not-in-the-image").is_empty());
    }

    #[test]
    fn patterns() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*", "abc", true),
            ("a*c", "abcbc", true),
            ("a*d", "abc", false),
            ("a?c", "abc", true),
            ("a?", "a", false),
            ("x[0-3a]y", "x2y", true),
            ("x[0-3a]y", "xay", true),
            ("x[0-3a]y", "x4y", false),
            ("*v*p*", "usb:v1p2", true),
            ("[", "[", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(glob(pattern.as_bytes(), text.as_bytes()), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn broken_lines_are_passed_over() {
        let index = ModuleIndex::parse("nonsense\n:\n", "alias\nalias x\n", "softdep\nblah\n");
        assert!(index.for_device("anything").is_empty());
    }
}
