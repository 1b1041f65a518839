//! The snippets of a library, and a trial of one before it is kept.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde_json::{Map, Value};

use super::{
    AnswerFault, Library,
    library::{BUILT_IN, SITE},
    render_answer,
    sample::{Sample, samples},
    search::{FOLDER, is_name},
};

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

/// What would go wrong with made-up machines if `after` were the library instead of `before`: the first fault of a
/// template that renders now, or of the snippet itself when it renders for none of the machines it is for. `vars` are
/// variables that the site's own templates may ask for.
///
/// # Errors
/// The fault, with the machine.
pub fn try_snippet(before: &Library, after: &Library, place: &str, vars: &Map<String, Value>) -> Result<(), Broken> {
    let machines = machines(vars);
    for machine in &machines {
        if let Err(fault) = render_answer(after, machine.template, &machine.input)
            && render_answer(before, machine.template, &machine.input).is_ok()
        {
            return Err(Broken::of(machine, fault));
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
        // One that a shipped template uses must not break it.
        let broken = try_text("redhat/partitions", "{{ refuse('no') }}\n", &none).expect_err("breaks the kickstart");
        assert!(broken.contains("redhat/partitions"), "{broken}");
    }
}
