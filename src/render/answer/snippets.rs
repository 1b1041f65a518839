//! The snippets of a library, and a trial of one before it is kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Map, Value};

use super::{
    Answer, AnswerFault, Finding, Grade, Library, SearchNames,
    check::by_own_rules,
    fault,
    library::{BUILT_IN, SITE},
    render_answer,
    sample::{Sample, samples},
    search::{FOLDER, is_name},
};
use crate::desired::{Fault, nearest};

/// One snippet, where one of its name is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snippet {
    /// Its place below `snippets/`: `network`, `redhat/network`, `per_host/network/web1`.
    pub place: String,
    /// Its text.
    pub text: Arc<str>,
    /// The site's own, not one that comes with Muster.
    pub site: bool,
    /// The site has its own in this place, which is used instead.
    pub hidden: bool,
}

/// Snippets that come with Muster and that installers read, not shells.
const PARTS_OF_FILES: [&str; 5] = ["append", "kernel_options", "network", "partitions", "recipe"];

/// A made-up machine whose answer file would not be made any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// For example `rocky-9.6 lvm uefi vlan`.
    pub machine: String,
    /// What its rendering says.
    pub fault: Box<AnswerFault>,
}

impl Broken {
    fn of(machine: &Sample, fault: AnswerFault) -> Self {
        Self {
            machine: machine.name.clone(),
            fault: Box::new(fault),
        }
    }
}

/// Whether a snippet can have this place.
#[must_use]
pub fn is_snippet_place(place: &str) -> bool {
    is_name(place)
}

impl Library {
    /// Every snippet, by place; the site's before the one it hides.
    #[must_use]
    pub fn snippets(&self) -> Vec<Snippet> {
        let shelf = self.shelf();
        let of = |layer: &'static str| {
            shelf
                .sources()
                .filter_map(move |(name, text)| Some((name.strip_prefix(layer)?.strip_prefix(FOLDER)?, text)))
        };
        let mut all: BTreeMap<(String, bool), Snippet> = BTreeMap::new();
        for (layer, site) in [(SITE, true), (BUILT_IN, false)] {
            for (place, text) in of(layer) {
                let hidden = !site && all.contains_key(&(place.to_owned(), false));
                let snippet = Snippet {
                    place: place.to_owned(),
                    text: Arc::clone(text),
                    site,
                    hidden,
                };
                all.insert((place.to_owned(), !site), snippet);
            }
        }
        all.into_values().collect()
    }

    /// Whether there is an answer-file template of this name.
    ///
    /// # Errors
    /// [`Fault`] on `template` with the nearest name.
    pub fn check_template(&self, name: &str) -> Result<(), Fault> {
        let shelf = self.shelf();
        if shelf.resolve(name).is_some() {
            return Ok(());
        }
        let known: Vec<&str> = shelf
            .template_names()
            .filter_map(|name| Some(name.split_once('/')?.1))
            .collect();
        Err(missing("template", name, "there is no such template", &known))
    }

    /// Whether there is a snippet of this name that can be run as a script. `field` names who asks.
    ///
    /// # Errors
    /// [`Fault`] on `field`: none has the name, or it is one that installers read.
    pub fn check_script(&self, field: &str, name: &str) -> Result<(), Fault> {
        if PARTS_OF_FILES.contains(&snippet_name(name)) {
            return Err(Fault::new(
                field,
                name,
                "it is a part of answer files and no script: a shell would stop at it",
                "name a snippet of shell commands; change this one by `muster snippet add` in its own place",
            ));
        }
        self.check_snippet(field, name)
    }

    /// Whether there is a snippet of this name, wherever it is looked for. `field` names who asks.
    ///
    /// # Errors
    /// [`Fault`] on `field` with the nearest name.
    pub fn check_snippet(&self, field: &str, name: &str) -> Result<(), Fault> {
        let shelf = self.shelf();
        if shelf.place_names().any(|place| is_found_at(name, place)) {
            return Ok(());
        }
        let known: Vec<&str> = shelf.snippet_names().collect();
        Err(missing(field, name, "there is no such snippet", &known))
    }

    /// Whether `snippet(name)` finds one for somebody of these names.
    #[must_use]
    pub fn finds(&self, search: &SearchNames, name: &str) -> bool {
        let shelf = self.shelf();
        search.places(name).iter().any(|place| shelf.resolve(place).is_some())
    }

    /// Templates and snippets that include a snippet which is nowhere: the template's full name, its line, and the name.
    #[must_use]
    pub fn broken_includes(&self) -> Vec<(String, usize, String)> {
        let shelf = self.shelf();
        let mut broken = Vec::new();
        for (template, text) in shelf.sources() {
            for (line, name) in includes(text) {
                if !shelf.place_names().any(|place| is_found_at(name, place)) {
                    broken.push((template.to_owned(), line, name.to_owned()));
                }
            }
        }
        broken
    }

    /// Templates and snippets that include snippet `name`, by full name.
    #[must_use]
    pub fn including(&self, name: &str) -> Vec<String> {
        let shelf = self.shelf();
        let includes_it = |text: &str| includes(text).iter().any(|(_, included)| *included == name);
        shelf
            .sources()
            .filter(|(_, text)| includes_it(text))
            .map(|(template, _)| template.to_owned())
            .collect()
    }

    /// This library as it would be with another text of one snippet of the site, or without it.
    #[must_use]
    pub fn with_snippet(&self, place: &str, text: Option<&str>) -> Self {
        let shelf = self.shelf();
        let mut site: BTreeMap<String, String> = shelf
            .sources()
            .filter_map(|(name, text)| Some((name.strip_prefix(SITE)?.to_owned(), text.to_string())))
            .collect();
        let name = format!("{FOLDER}{place}");
        match text {
            Some(text) => site.insert(name, text.to_owned()),
            None => site.remove(&name),
        };
        Self::of_texts(site)
    }
}

fn missing(field: &str, name: &str, why: &str, known: &[&str]) -> Fault {
    let advice = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean `{near}`?"),
        None if field == "template" => format!("there are {}", known.join(", ")),
        None => "write it first (`muster snippet add`); `muster snippet list` shows all".to_owned(),
    };
    Fault::new(field, name, why, advice)
}

/// The name by which `snippet()` finds what lies in this place below `snippets/`.
#[must_use]
pub fn snippet_name(place: &str) -> &str {
    match place.split_once('/') {
        Some(("per_host" | "per_profile" | "per_distro", rest)) => rest.rsplit_once('/').map_or(rest, |(name, _)| name),
        Some(("redhat" | "debian" | "ubuntu" | "suse", rest)) => rest,
        _ => place,
    }
}

/// Whether a snippet of this name may be found in this place: as it is written, or in one of the folders that are searched.
fn is_found_at(name: &str, place: &str) -> bool {
    place == name || snippet_name(place) == name
}

/// The snippets that a text includes by a written name, with their lines; not those that it asks for first whether they are
/// there.
fn includes(text: &str) -> Vec<(usize, &str)> {
    fn called<'a>(line: &'a str, function: &'static str) -> impl Iterator<Item = &'a str> {
        line.split(function).skip(1).filter_map(|rest| {
            let rest = rest.trim_start().strip_prefix('(')?.trim_start();
            let quote = rest.chars().next().filter(|letter| matches!(letter, '"' | '\''))?;
            rest.get(1..)?.split_once(quote).map(|(name, _)| name)
        })
    }
    let asked: BTreeSet<&str> = text.lines().flat_map(|line| called(line, "has_snippet")).collect();
    text.lines()
        .enumerate()
        .flat_map(|(at, line)| called(line, "include snippet").map(move |name| (at + 1, name)))
        .filter(|(_, name)| !asked.contains(name))
        .collect()
}

/// What would go wrong with made-up machines if `after` were the library instead of `before`: the first fault of a
/// template that renders now, or of the snippet itself when it renders for none of the machines it is for. `vars` are
/// variables that the site's own templates may ask for.
///
/// # Errors
/// The fault, with the machine.
pub fn try_snippet(before: &Library, after: &Library, place: &str, vars: &Map<String, Value>) -> Result<(), Broken> {
    let machines = machines(vars);
    for machine in &machines {
        let made = |library: &Library| render_answer(library, machine.template, &machine.input);
        match made(after) {
            Err(fault) if made(before).is_ok() => return Err(Broken::of(machine, fault)),
            Err(_) => {}
            // One that renders may still be written for another place: shell where an installer reads commands.
            Ok(answer) => {
                let found = errors(&answer);
                if found.is_empty() {
                    continue;
                }
                // Lines move when something else is written before them.
                let known = made(before).map_or_else(|_| Vec::new(), |before| errors(&before));
                let is_new = |found: &&Finding| known.iter().all(|known| known.message != found.message);
                if let Some(new) = found.iter().find(is_new) {
                    return Err(Broken::of(machine, fault::of_finding(machine.template, new, &answer)));
                }
            }
        }
    }
    let name = format!("{SITE}{FOLDER}{place}");
    if after.source(&name).is_none() {
        return Ok(());
    }
    let of_family = |machine: &&Sample| {
        let family = machine.input.search.family.as_str();
        match place.split_once('/') {
            Some((first @ ("redhat" | "debian" | "ubuntu" | "suse"), _)) => first == family,
            _ => true,
        }
    };
    let mut first = None;
    // One of each family and way to divide disks is enough: one that never ends is not tried a hundred times.
    let mut tried = BTreeSet::new();
    let new = |machine: &&Sample| tried.insert((machine.input.search.family, scheme(machine)));
    for machine in machines.iter().filter(of_family).filter(new) {
        match render_answer(after, &name, &machine.input) {
            Ok(_) => return Ok(()),
            Err(fault) => {
                first.get_or_insert_with(|| Broken::of(machine, fault));
            }
        }
    }
    first.map_or(Ok(()), Err)
}

/// What an installer would stop at.
fn errors(answer: &Answer) -> Vec<Finding> {
    by_own_rules(answer)
        .into_iter()
        .filter(|finding| finding.grade == Grade::Error)
        .collect()
}

/// The way in which a machine's disks are divided.
fn scheme(machine: &Sample) -> Option<String> {
    machine.input.values.get("partitioning").map(Value::to_string)
}

/// One machine for each system, template and way to divide disks, with the site's variables beside its own.
fn machines(vars: &Map<String, Value>) -> Vec<Sample> {
    let mut one_each = BTreeMap::new();
    for sample in samples() {
        let key = (sample.input.search.distro.clone(), sample.template, scheme(&sample));
        one_each.insert(key, sample);
    }
    let mut machines: Vec<Sample> = one_each.into_values().collect();
    for machine in &mut machines {
        let own = machine
            .input
            .values
            .entry("vars")
            .or_insert_with(|| Value::Object(Map::new()));
        if let Value::Object(own) = own {
            for (name, value) in vars {
                own.entry(name.clone()).or_insert_with(|| value.clone());
            }
        }
    }
    machines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_hides_what_comes_with_muster() {
        let library = Library::built_in().with_snippet("redhat/partitions", Some("# ours\n"));
        let found: Vec<(bool, bool)> = library
            .snippets()
            .iter()
            .filter(|snippet| snippet.place == "redhat/partitions")
            .map(|snippet| (snippet.site, snippet.hidden))
            .collect();
        assert_eq!(found, [(true, false), (false, true)]);
        assert!(
            library
                .with_snippet("redhat/partitions", None)
                .snippets()
                .iter()
                .all(|snippet| !snippet.site)
        );
    }

    #[test]
    fn includes_are_found_unless_they_are_asked_for_first() {
        let text = "a\n{% include snippet('one') %}\n{% if has_snippet(\"two\") %}{% include snippet(\"two\") %}{% endif %}\n\
                    {% include snippet(name) %}{% include snippet( \"redhat/three\") %}\n";
        assert_eq!(includes(text), [(2, "one"), (4, "redhat/three")]);
        assert_eq!(Library::built_in().broken_includes(), []);
        let broken = Library::built_in().with_snippet("x", Some("{% include snippet('gone') %}"));
        assert_eq!(
            broken.broken_includes(),
            [("site/snippets/x".to_owned(), 1, "gone".to_owned())]
        );
        for (place, name) in [
            ("motd", "motd"),
            ("redhat/motd", "motd"),
            ("per_host/motd/web1", "motd"),
            ("per_profile/redhat/motd/web", "redhat/motd"),
        ] {
            assert_eq!(snippet_name(place), name);
        }
    }

    #[test]
    fn a_snippet_is_tried_before_it_is_kept() {
        let before = Library::built_in();
        let try_text = |place: &str, text: &str, vars: &Map<String, Value>| {
            let after = before.with_snippet(place, Some(text));
            try_snippet(&before, &after, place, vars).map_err(|broken| format!("{}: {}", broken.machine, broken.fault))
        };
        let none = Map::new();
        assert_eq!(try_text("motd", "echo {{ hostname | sh }}\n", &none), Ok(()));
        let broken = try_text("motd", "echo {{ hostnam }}\n", &none).expect_err("no such name");
        assert!(
            broken.contains("site/snippets/motd") && broken.contains("hostname"),
            "{broken}"
        );
        assert!(try_text("motd", "{% if %}\n", &none).is_err());
        assert!(
            try_text(
                "motd",
                "{% for a in range(100000) %}{% for b in range(100000) %}x{% endfor %}{% endfor %}",
                &none
            )
            .is_err()
        );
        let mut vars = Map::new();
        vars.insert("role".to_owned(), "db".into());
        assert!(try_text("motd", "# {{ role }}\n", &none).is_err());
        assert_eq!(try_text("motd", "# {{ role }}\n", &vars), Ok(()));
        // Shell where Anaconda reads commands, and what it reads where a shell runs.
        let broken = try_text("redhat/network", "echo hello\n", &none).expect_err("no kickstart");
        assert!(
            broken.contains("site/snippets/redhat/network:1: `echo` is no command of a kickstart"),
            "{broken}"
        );
        let own = "network --device=eth0 --bootproto=dhcp\n";
        assert_eq!(try_text("redhat/network", own, &none), Ok(()));
        let fault = before
            .check_script("scripts.post", "redhat/network")
            .expect_err("no script");
        assert!(
            fault
                .to_string()
                .contains("scripts.post = `redhat/network`: it is a part of answer files"),
            "{fault}"
        );
        assert_eq!(before.check_script("scripts.post", "report"), Ok(()));
        // One that a shipped template uses must not break it.
        let broken = try_text("redhat/partitions", "{{ refuse('no') }}\n", &none).expect_err("breaks the kickstart");
        assert!(broken.contains("redhat/partitions"), "{broken}");
    }
}
