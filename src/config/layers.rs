//! Gathers what files, variables and flags say, in order.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    Key, Origin, Problem, Reader, Settings,
    node::{Content, Entry, Node, read_toml},
    problem::nearest,
};

/// The settings file, when no other is named. It need not exist.
pub const DEFAULT_FILE: &str = "/etc/muster/muster.toml";

/// Settings are read up to this size, bytes; more is a mistake in the path.
const LARGEST_FILE: u64 = 4 << 20;

const PREFIX: &str = "MUSTER_";

/// Variables that begin like settings and are none: read by the command line and by the start.
const NOT_SETTINGS: &[&str] = &[
    "MUSTER_SETUP_TOKEN",
    "MUSTER_CONFIG",
    // Of inventories, and of the script that asks for them from elsewhere (packaging/muster-inventory).
    "MUSTER_QUERY",
    "MUSTER_URL",
    "MUSTER_TOKEN_FILE",
];

/// The key whose value is a list of tables, merged by network.
pub(super) const SUBNETS: &str = "dhcp.subnets";

/// What the settings are read from, lowest layer first.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// A file named by the person: it has to exist. `None`: [`DEFAULT_FILE`] when it exists.
    pub file: Option<PathBuf>,
    /// The environment; names without `MUSTER_` are passed over.
    pub environment: Vec<(String, String)>,
    /// Key, value, and the flag as a person would write it.
    pub flags: Vec<(String, String, String)>,
}

pub(super) fn gather(sources: &Sources) -> Reader {
    let keys: Vec<String> = Settings::keys()
        .iter()
        .map(Key::path)
        .chain([SUBNETS.to_owned()])
        .collect();
    let mut reader = Reader::default();
    for path in files(sources.file.as_deref(), &mut reader) {
        match read_file(&path) {
            Ok(entries) => flatten(&mut reader, &keys, "", entries),
            Err(problems) => reader.problems.extend(problems),
        }
    }
    environment(&mut reader, &keys, &sources.environment);
    for (key, value, flag) in &sources.flags {
        let origin = Origin::Flag(flag.clone());
        if keys.contains(key) {
            add(&mut reader, key, origin, value);
        } else {
            reader.unknown(origin, key, keys.iter().map(String::as_str));
        }
    }
    reader
}

/// The main file and those of `muster.d` beside it, by name.
fn files(named: Option<&Path>, reader: &mut Reader) -> Vec<PathBuf> {
    let main = named.unwrap_or(Path::new(DEFAULT_FILE));
    let mut files = Vec::new();
    if named.is_some() || main.exists() {
        files.push(main.to_path_buf());
    }
    let folder = main.parent().unwrap_or(Path::new("")).join("muster.d");
    match fs::read_dir(&folder) {
        Ok(entries) => {
            let mut parts: Vec<PathBuf> = entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .filter(|path| path.extension().is_some_and(|extension| extension == "toml"))
                .collect();
            parts.sort();
            files.extend(parts);
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
        Err(error) => reader.problems.push(unreadable(&folder, &error.to_string())),
    }
    files
}

fn unreadable(path: &Path, why: &str) -> Problem {
    Problem {
        origin: Origin::File {
            path: path.into(),
            line: 1,
            column: 1,
        },
        what: format!("this cannot be read: {why}"),
    }
}

fn read_file(path: &Path) -> Result<Vec<Entry>, Vec<Problem>> {
    let refused = |why: &str| vec![unreadable(path, why)];
    let size = fs::metadata(path).map_err(|error| refused(&error.to_string()))?.len();
    if size > LARGEST_FILE {
        return Err(refused("it is larger than any settings file"));
    }
    let text = fs::read_to_string(path).map_err(|error| refused(&error.to_string()))?;
    read_toml(path, &text)
}

/// Puts the values of a file under their whole names.
fn flatten(reader: &mut Reader, keys: &[String], prefix: &str, entries: Vec<Entry>) {
    for Entry { name, origin, value } in entries {
        let path = format!("{prefix}{name}");
        let inside = format!("{path}.");
        let is_section = keys.iter().any(|key| key.starts_with(&inside));
        match value.content {
            _ if keys.contains(&path) => reader.values.entry(path).or_default().push(value),
            Content::Table(inner) if is_section => flatten(reader, keys, &inside, inner),
            _ if is_section => {
                reader.problem(
                    origin,
                    format!("`{path}` is a table, not a value: write [{path}] and its keys below"),
                );
            }
            Content::Table(_) => {
                let sections = keys
                    .iter()
                    .filter_map(|key| key.rsplit_once('.'))
                    .map(|(section, _)| section);
                let hint = nearest(&path, sections)
                    .map(|near| format!("; did you mean [{near}]?"))
                    .unwrap_or_default();
                reader.problem(origin, format!("unknown table [{path}]{hint}"));
            }
            _ => reader.unknown(origin, &path, keys.iter().map(String::as_str)),
        }
    }
}

/// `MUSTER_BOOT__LOADERS__X64_UEFI` is `boot.loaders.x64-uefi`.
fn variable(key: &str) -> String {
    format!("{PREFIX}{}", key.replace('.', "__").replace('-', "_").to_uppercase())
}

fn environment(reader: &mut Reader, keys: &[String], environment: &[(String, String)]) {
    let variables: Vec<String> = keys.iter().map(|key| variable(key)).collect();
    let mut given: Vec<_> = environment
        .iter()
        .filter(|(name, _)| name.starts_with(PREFIX) && !NOT_SETTINGS.contains(&name.as_str()))
        .collect();
    given.sort();
    for (name, value) in given {
        let origin = Origin::Environment(name.clone());
        match keys.iter().zip(&variables).find(|(_, variable)| *variable == name) {
            Some((key, _)) => add(reader, key, origin, value),
            None => {
                let hint = nearest(name, variables.iter().map(String::as_str))
                    .map(|near| format!("; did you mean {near}?"))
                    .unwrap_or_default();
                reader.problem(origin, format!("no setting has this name{hint}"));
            }
        }
    }
}

fn add(reader: &mut Reader, key: &str, origin: Origin, value: &str) {
    reader.values.entry(key.to_owned()).or_default().push(Node {
        origin,
        content: Content::Plain(value.to_owned()),
    });
}
