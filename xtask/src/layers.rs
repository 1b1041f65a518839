//! `cargo xtask layers`: the floors of the server, and what each crate may depend on.
//!
//! `docs/ARCHITECTURE.md` says why each room is on its floor. The whole rule is the tables of this file; reading the
//! sources is in [`source`].

mod crates;
mod source;

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, bail};

use source::{Mention, Source};

/// The rooms of `src/`, highest floor first. A room may use rooms of lower floors only.
const FLOORS: &[&[&str]] = &[
    &["cli"],
    &["app", "config", "telemetry"],
    &["net", "http", "collect", "jobs", "sheets"],
    &["discovery", "provision", "render", "auth", "check"],
    &["store"],
    &["inventory", "ipam", "boot", "install", "desired", "search", "metrics"],
];

/// Uses between rooms of one floor that are allowed: from, to, and why.
const NEIGHBOURS: &[(&str, &str, &str)] = &[
    (
        "app",
        "config",
        "wiring reads the settings and passes plain values down",
    ),
    ("app", "telemetry", "wiring starts logging before anything else"),
    (
        "discovery",
        "render",
        "a boot script is written where it is decided; writing one needs nothing else",
    ),
    ("boot", "inventory", "a boot names the host it belongs to"),
    ("desired", "inventory", "a plan names the host it belongs to"),
    ("search", "inventory", "states and ids of hosts are searched for"),
    (
        "search",
        "desired",
        "the name that may have been meant is found as it is for fields of plans",
    ),
    ("ipam", "inventory", "shares the error for an unknown word"),
    ("install", "inventory", "an installation names the host it installs"),
    (
        "install",
        "desired",
        "the disks and interfaces of an installation are chosen by what is wanted",
    ),
    (
        "boot",
        "install",
        "what a machine boots follows from how far its installation is",
    ),
    (
        "check",
        "provision",
        "whether a distro's tree is whole is asked as it is when the distro is entered",
    ),
    (
        "provision",
        "discovery",
        "an installation moves by what its machine asks and reports",
    ),
    (
        "provision",
        "render",
        "the script and the answer file of an installation are rendered",
    ),
    ("provision", "auth", "who starts an installation is a caller"),
];

/// Words that only some rooms may say: the word, the rooms, and why.
const RESERVED: &[(&str, &[&str], &str)] = &[
    ("sea_orm", &["store"], "tables and queries are known to `store` only"),
    ("migration", &["store"], "the schema is known to `store` only"),
];

/// The rooms without input, output, clock or scheduler: they are given the time and return what to do.
const PURE: &[&str] = &["inventory", "ipam", "boot", "install", "desired", "search", "metrics"];

/// What a pure room may not name.
const IMPURE: &[&str] = &[
    "tokio",
    "std::fs",
    "std::net::UdpSocket",
    "std::net::TcpStream",
    "Utc::now",
    "SystemTime::now",
    "Instant::now",
];

/// One broken rule, as a line a person can act on.
#[derive(Debug, PartialEq, Eq)]
struct Breach {
    place: String,
    what: String,
}

/// Checks the sources and the crates of `repository`.
///
/// # Errors
/// When a rule is broken (each breach has been printed), or a source cannot be read.
pub(crate) fn run(repository: &Path) -> anyhow::Result<()> {
    let mut breaches = Vec::new();
    let mut files = 0;
    for path in rust_files(&repository.join("src"))? {
        let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let shown = path.strip_prefix(repository).unwrap_or(&path).to_path_buf();
        breaches.extend(check_source(&shown, &text));
        files += 1;
    }
    breaches.extend(crates::check(repository)?);
    if !breaches.is_empty() {
        for breach in &breaches {
            eprintln!("{}: {}", breach.place, breach.what);
        }
        bail!("{} uses go against the floors of docs/ARCHITECTURE.md", breaches.len());
    }
    println!("layers: {files} files of src/ keep to their floors, and the crates to what they may depend on");
    Ok(())
}

/// The breaches of one file; `path` is relative to the repository and decides the room.
fn check_source(path: &Path, text: &str) -> Vec<Breach> {
    let Some(module) = module_of(path) else {
        return Vec::new();
    };
    let Some(room) = module.first().map(String::as_str) else {
        return Vec::new();
    };
    let source = Source::read(text);
    let breach = |line: usize, what: String| Breach {
        place: format!("{}:{line}", path.display()),
        what,
    };
    let mut found = BTreeMap::new();
    if floor_of(room).is_none() {
        let what =
            format!("`{room}` is a room without a floor: give it one in xtask/src/layers.rs and say why in docs/");
        found.insert((0, room.to_owned()), breach(1, what));
    }
    for Mention { line, name: target } in source.rooms_named(module.len()) {
        if let Some(what) = forbidden_use(room, &target) {
            found.insert((line, target), breach(line, what));
        }
    }
    for (word, rooms, why) in RESERVED {
        if !rooms.contains(&room) {
            for line in source.lines_naming(word) {
                let what = format!(
                    "`{room}` names `{word}`, which only `{}` may: {why}",
                    rooms.join("`, `")
                );
                found.insert((line, (*word).to_owned()), breach(line, what));
            }
        }
    }
    if PURE.contains(&room) {
        for word in IMPURE {
            for line in source.lines_naming(word) {
                let what =
                    format!("`{room}` names `{word}`: the core has no input, output or clock; pass the value in");
                found.insert((line, (*word).to_owned()), breach(line, what));
            }
        }
        for line in source.lines_naming("async") {
            let what = format!("`{room}` is async: the core decides at once and waits for nothing");
            found.insert((line, "async".to_owned()), breach(line, what));
        }
    }
    found.into_values().collect()
}

/// Why `room` may not use `target`, or nothing when it may.
fn forbidden_use(room: &str, target: &str) -> Option<String> {
    let (from, to) = (floor_of(room)?, floor_of(target)?);
    if room == target || from < to {
        return None;
    }
    let below = FLOORS.get(from + 1..).unwrap_or_default().concat().join(", ");
    let below = if below.is_empty() {
        "no other room".to_owned()
    } else {
        below
    };
    if from > to {
        return Some(format!(
            "`{room}` uses `{target}`, which is above it; `{room}` may use: {below}"
        ));
    }
    if NEIGHBOURS
        .iter()
        .any(|(user, used, _)| *user == room && *used == target)
    {
        return None;
    }
    Some(format!(
        "`{room}` uses `{target}` on its own floor; `{room}` may use: {below} (exceptions: NEIGHBOURS, with a reason)"
    ))
}

/// Index of the floor a room is on, 0 for the highest.
fn floor_of(room: &str) -> Option<usize> {
    FLOORS.iter().position(|rooms| rooms.contains(&room))
}

/// The module path a file of `src/` holds: `src/net/dhcp/mod.rs` and `src/net/dhcp.rs` are both `net`, `dhcp`.
/// Nothing for `lib.rs` and `main.rs`, which are above all floors.
fn module_of(path: &Path) -> Option<Vec<String>> {
    let inside = path.strip_prefix("src").ok()?.with_extension("");
    let mut parts: Vec<String> = inside.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    if parts.last().is_some_and(|last| last == "mod") {
        parts.pop();
    }
    match parts.as_slice() {
        [] => None,
        [only] if only == "lib" || only == "main" => None,
        _ => Some(parts),
    }
}

/// All `.rs` files under a folder, sorted.
fn rust_files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("reading {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(path: &str, text: &str) -> Vec<String> {
        check_source(Path::new(path), text)
            .into_iter()
            .map(|breach| breach.place)
            .collect()
    }

    #[test]
    fn downward_uses_are_allowed_and_upward_ones_are_not() {
        assert!(
            places(
                "src/http/api/hosts.rs",
                "use crate::discovery::Discovery;\nuse crate::store;"
            )
            .is_empty()
        );
        assert_eq!(
            places("src/store/hosts.rs", "use crate::ipam;\nuse crate::http::api;"),
            ["src/store/hosts.rs:2"]
        );
        assert_eq!(
            places("src/boot/decide.rs", "fn f() -> crate::store::Store {}"),
            ["src/boot/decide.rs:1"]
        );
    }

    #[test]
    fn groups_are_looked_into() {
        let text = "use crate::{\n    ipam::{self, Lease},\n    net::dhcp,\n};\n";
        assert_eq!(places("src/discovery/mod.rs", text), ["src/discovery/mod.rs:3"]);
    }

    #[test]
    fn neighbours_need_an_exception() {
        assert_eq!(places("src/http/mod.rs", "use crate::net::dhcp;").len(), 1);
        assert!(places("src/app/mod.rs", "use crate::config::Settings;").is_empty());
        assert_eq!(places("src/config/mod.rs", "use crate::app::App;").len(), 1);
    }

    #[test]
    fn settings_types_do_not_reach_the_edges() {
        let breaches = check_source(Path::new("src/net/dhcp.rs"), "use crate::config::Dhcp;");
        assert_eq!(breaches.len(), 1);
        assert!(
            breaches[0]
                .what
                .starts_with("`net` uses `config`, which is above it; `net` may use: discovery")
        );
    }

    #[test]
    fn super_paths_that_leave_the_room_count() {
        assert_eq!(places("src/store/hosts.rs", "use super::super::http::api;").len(), 1);
        assert!(places("src/http/ui/hosts.rs", "use super::super::api::Thing;").is_empty());
    }

    #[test]
    fn comments_and_texts_do_not_count() {
        let text = "// use crate::http;\n/* crate::http::x /* nested */ crate::net */\nconst A: &str = \"crate::http::y\";\n\
                    const B: &str = r#\"use crate::net\"#; const C: char = '\"'; fn f<'a>(x: &'a str) {}\n";
        assert!(places("src/store/mod.rs", text).is_empty());
    }

    #[test]
    fn only_store_names_the_database() {
        assert_eq!(places("src/discovery/mod.rs", "use sea_orm::DbErr;").len(), 1);
        assert!(places("src/store/mod.rs", "use sea_orm::DbErr;").is_empty());
    }

    #[test]
    fn the_core_has_no_clock_and_waits_for_nothing() {
        assert_eq!(
            places("src/ipam/pool.rs", "fn f() { let now = chrono::Utc::now(); }").len(),
            1
        );
        assert_eq!(places("src/inventory/merge.rs", "async fn f() {}").len(), 1);
        assert!(places("src/net/dhcp.rs", "async fn f() { Utc::now(); }").is_empty());
    }

    #[test]
    fn a_room_needs_a_floor() {
        assert_eq!(places("src/cellar/mod.rs", "").len(), 1);
        assert!(places("src/lib.rs", "pub mod cellar;").is_empty());
    }
}
