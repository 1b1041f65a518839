//! What each crate of the workspace may depend on, judged on cargo's own resolved graph.

use std::{collections::BTreeSet, path::Path, process::Command};

use anyhow::{Context, ensure};
use serde_json::Value;

use super::Breach;

/// Packages that a crate may not reach, directly or through others: the crate, the packages, and why.
const UNREACHABLE: &[(&str, &[&str], &str)] = &[
    (
        "muster-agent",
        &["muster", "migration", "sea-orm", "axum", "muster-fleet"],
        "the agent runs on machines and in the collection image, without the server",
    ),
    (
        "muster-facts",
        &["tokio", "nix", "reqwest", "ureq", "socket2", "sea-orm", "axum"],
        "facts are types and keys, without input or output",
    ),
    (
        "muster-wire",
        &["tokio", "nix", "reqwest", "socket2", "sea-orm", "axum", "muster"],
        "wire takes bytes and gives bytes, without sockets or clock",
    ),
    (
        "muster-fleet",
        &["muster"],
        "simulated machines know the server by its protocols only",
    ),
    (
        "anaconda-stand-in",
        &["muster", "migration", "sea-orm", "axum", "muster-lab"],
        "the stand-in for Anaconda knows the server as Anaconda does: by what is on the wire",
    ),
    (
        "muster-lab",
        &["muster"],
        "the lab knows the server by its binary, settings and API only",
    ),
];

/// The breaches of the crates of `repository`.
pub(super) fn check(repository: &Path) -> anyhow::Result<Vec<Breach>> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["metadata", "--format-version", "1", "--locked"])
        .current_dir(repository)
        .output()
        .context("cargo metadata could not be started")?;
    ensure!(
        output.status.success(),
        "cargo metadata failed: {}",
        String::from_utf8_lossy(&output.stderr).trim()
    );
    let graph: Value = serde_json::from_slice(&output.stdout).context("cargo metadata gave no JSON")?;
    Ok(breaches(&graph))
}

fn breaches(graph: &Value) -> Vec<Breach> {
    let mut found = Vec::new();
    for (name, forbidden, why) in UNREACHABLE {
        let Some(id) = package_id(graph, name) else { continue };
        let mut reached = BTreeSet::new();
        let mut open = vec![id];
        while let Some(id) = open.pop() {
            if reached.insert(id) {
                open.extend(normal_dependencies(graph, id));
            }
        }
        for target in *forbidden {
            if package_id(graph, target).is_some_and(|id| reached.contains(id)) {
                let what = format!("`{name}` depends on `{target}`: {why}");
                found.push(Breach {
                    place: format!("crate {name}"),
                    what,
                });
            }
        }
    }
    found
}

fn package_id<'a>(graph: &'a Value, name: &str) -> Option<&'a str> {
    let packages = graph.get("packages")?.as_array()?;
    packages.iter().find(|package| package["name"] == name)?["id"].as_str()
}

/// What a package is built from; what only its tests or its build script use does not count.
fn normal_dependencies<'a>(graph: &'a Value, id: &str) -> Vec<&'a str> {
    let nodes = graph["resolve"]["nodes"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let Some(node) = nodes.iter().find(|node| node["id"] == id) else {
        return Vec::new();
    };
    let dependencies = node["deps"].as_array().map(Vec::as_slice).unwrap_or_default();
    dependencies
        .iter()
        .filter(|dependency| {
            dependency["dep_kinds"]
                .as_array()
                .is_none_or(|kinds| kinds.iter().any(|kind| kind["kind"].is_null()))
        })
        .filter_map(|dependency| dependency["pkg"].as_str())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_dependency_is_found_through_others_and_test_ones_are_not() {
        let graph = |kind: Value| {
            json!({
                "packages": [
                    { "name": "muster-facts", "id": "facts" }, { "name": "between", "id": "between" },
                    { "name": "tokio", "id": "tokio" },
                ],
                "resolve": { "nodes": [
                    { "id": "facts", "deps": [{ "pkg": "between", "dep_kinds": [{ "kind": kind }] }] },
                    { "id": "between", "deps": [{ "pkg": "tokio", "dep_kinds": [{ "kind": null }] }] },
                    { "id": "tokio", "deps": [] },
                ] },
            })
        };
        assert_eq!(breaches(&graph(Value::Null)).len(), 1);
        assert!(breaches(&graph(json!("dev"))).is_empty());
    }
}
