//! `muster host find`: a search, with Cobbler's conditions on any value in force beside it (docs/decisions/0017).

use clap::Args;
use serde_json::{Value, json};

use crate::{
    app,
    cli::{Failure, search::expression, table::table},
    desired::{Condition, FIELDS},
    provision::{Catalog, CatalogFault, FoundHost},
    search::is_field,
};

#[derive(Debug, Args)]
pub(in crate::cli) struct FindHosts {
    /// What they have to meet, e.g. `vendor:dell mem>=256 role:web`; KEY=PATTERN finds by any other value in force, e.g. `kernel_options.console=ttyS*`.
    #[arg(required_unless_present = "fields", value_name = "SEARCH")]
    terms: Vec<String>,
    /// Show the fields that can be searched for.
    #[arg(long)]
    pub(super) fields: bool,
    /// As JSON.
    #[arg(long)]
    json: bool,
}

pub(super) async fn find(catalog: &Catalog, args: FindHosts) -> Result<String, Failure> {
    let mut conditions = Vec::new();
    let mut words = Vec::new();
    for term in args.terms {
        if is_condition(&term) {
            let condition: Condition = term.parse().map_err(CatalogFault::from)?;
            conditions.push(condition);
        } else {
            words.push(one_value(term));
        }
    }
    let search = expression(&words)?.at(app::now());
    let hosts = catalog.found(&search, &conditions, usize::MAX).await?;
    Ok(listed(&hosts, args.json))
}

/// Whether it asks for a value in force that the language has no field for.
fn is_condition(term: &str) -> bool {
    let Some((key, _)) = term.split_once('=') else {
        return false;
    };
    let first = key.split('.').next().unwrap_or_default().replace('-', "_");
    !is_field(key) && FIELDS.iter().any(|field| field.key == first)
}

/// Cobbler's way to write a value with blanks, `vendor=Dell Inc.`: one argument that is one condition.
fn one_value(term: String) -> String {
    let value = term.split_once('=').filter(|(key, value)| {
        let more = |word: &str| matches!(word.to_ascii_lowercase().as_str(), "or" | "and" | "not");
        is_field(key)
            && value.contains(char::is_whitespace)
            && !value.contains([':', '=', '<', '>', '(', ')', '"'])
            && !value.split_whitespace().any(more)
    });
    match value {
        Some((key, value)) => format!("{key}=\"{}\"", value.replace('\\', "\\\\")),
        None => term,
    }
}

fn listed(hosts: &[FoundHost], json: bool) -> String {
    if json {
        let all: Vec<Value> = hosts
            .iter()
            .map(|found| {
                let (host, plan) = (&found.desired.host, &found.desired.plan);
                json!({"id": host.id, "name": host.name, "macs": found.macs, "state": host.state.as_str(),
                    "profile": plan.profile, "values": plan.values.shown()})
            })
            .collect();
        return format!("{:#}\n", Value::from(all));
    }
    let rows: Vec<Vec<String>> = hosts
        .iter()
        .map(|found| super::host::row(&found.desired.host, &found.desired.plan, &found.macs))
        .collect();
    table(&super::host::HEAD, &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_terms_or_conditions() {
        for condition in [
            "timezone=UTC",
            "kernel-options=quiet",
            "kernel_options.console=tty*",
            "hostname=www",
        ] {
            assert!(is_condition(condition), "{condition}");
        }
        for term in [
            "profile=web",
            "tags=rack7",
            "vars.role=db",
            "web1",
            "mem>=64",
            "profil=web",
            "disk>1T",
        ] {
            assert!(!is_condition(term), "{term}");
        }
        assert_eq!(one_value("vendor=Dell Inc.".to_owned()), "vendor=\"Dell Inc.\"");
        for whole in ["state=active mem>=64", "name=a or b", "web 1", "vendor=\"Dell Inc.\" x"] {
            assert_eq!(one_value(whole.to_owned()), whole);
        }
    }
}
