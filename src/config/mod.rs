//! Settings in layers: built-in defaults, `/etc/muster/muster.toml`, `muster.d/*.toml` beside it in order of name,
//! `MUSTER_*` variables, flags; each over the last, and every value with where it came from.
//!
//! One table of keys (`settings`) drives reading, `muster config show`, `muster config keys` and the example file.
//! All that is wrong is told at once. `app` turns settings into the values of the rooms below, which never see this
//! one.

mod example;
mod layers;
mod node;
mod problem;
mod setting;
mod settings;
mod subnets;
#[cfg(test)]
mod tests;

pub use example::{example, reference};
pub use layers::{DEFAULT_FILE, Sources};
pub use node::Origin;
pub use problem::{ConfigErrors, Problem};
pub use setting::{DatabaseUrl, HttpUrl, LogFilter, LogFormat, NoHttpUrl, Port};
pub use settings::{Boot, Database, Dhcp, Http, Loaders, Log, Server, Settings, Sourced, SubnetKeys, Tftp};
pub use subnets::SubnetSettings;

use std::collections::BTreeMap;

use node::Node;
use setting::Setting;

/// One setting as the documentation shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// Its table: `boot.loaders`.
    pub section: &'static str,
    /// Its name in the table.
    pub name: &'static str,
    /// What to write.
    pub kind: &'static str,
    /// What it means.
    pub doc: String,
    /// The default in TOML's notation.
    pub default: String,
    /// An example, where the default shows nothing.
    pub example: Option<&'static str>,
}

impl Key {
    /// The whole name: `boot.loaders.x64-uefi`.
    #[must_use]
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }
}

/// One line of `muster config show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Whole name of the setting.
    pub key: String,
    /// The value in TOML's notation, secrets masked.
    pub value: String,
    /// Where it comes from.
    pub origin: Origin,
}

/// Reads and checks the settings of all layers.
///
/// # Errors
/// Everything that is wrong in any layer: unknown keys, wrong values, subnets that contradict each other, and files
/// that cannot be read.
pub fn load(sources: &Sources) -> Result<Settings, ConfigErrors> {
    let mut reader = layers::gather(sources);
    let (server, database, http, boot, loaders, dhcp, tftp, syslog, templates, log) = Settings::read(&mut reader);
    let subnets = subnets::read(&mut reader);
    if !reader.problems.is_empty() {
        reader.problems.sort_by_key(Problem::order);
        return Err(ConfigErrors(reader.problems));
    }
    Ok(Settings {
        server,
        database,
        http,
        boot,
        loaders,
        dhcp,
        subnets,
        tftp,
        syslog,
        templates,
        log,
    })
}

/// The values of all layers by whole name, and what was found wrong so far.
#[derive(Debug, Default)]
struct Reader {
    /// Table of the keys being read, with its dot.
    prefix: String,
    /// Lowest layer first.
    values: BTreeMap<String, Vec<Node>>,
    problems: Vec<Problem>,
}

impl Reader {
    fn section<T>(&mut self, name: &str, read: impl FnOnce(&mut Self) -> T) -> T {
        let outer = std::mem::replace(&mut self.prefix, format!("{name}."));
        let section = read(self);
        self.prefix = outer;
        section
    }

    /// The value of the highest layer that has one. Wrong values of every layer are noted, also those that a higher
    /// layer hides: they are wrong still when that one goes.
    fn take<T: Setting>(&mut self, name: &str, default: impl FnOnce() -> T) -> Sourced<T> {
        let key = format!("{}{name}", self.prefix);
        let mut taken = None;
        for node in self.values.remove(&key).unwrap_or_default() {
            match T::read(&node) {
                Ok(value) => {
                    taken = Some(Sourced {
                        value,
                        origin: node.origin,
                    });
                }
                Err(wrong) => self.wrong(&key, wrong),
            }
        }
        taken.unwrap_or_else(|| Sourced {
            value: default(),
            origin: Origin::Default,
        })
    }

    fn wrong(&mut self, key: &str, wrong: node::Wrong) {
        self.problem(wrong.origin, format!("`{key}` is {}: {}", wrong.found, wrong.why));
    }

    fn problem(&mut self, origin: Origin, what: String) {
        self.problems.push(Problem { origin, what });
    }

    fn unknown<'a>(&mut self, origin: Origin, found: &str, known: impl IntoIterator<Item = &'a str>) {
        let hint = problem::nearest(found, known).map_or_else(
            || "; `muster config keys` lists all".to_owned(),
            |near| format!("; did you mean `{near}`?"),
        );
        self.problem(origin, format!("unknown key `{found}`{hint}"));
    }
}
