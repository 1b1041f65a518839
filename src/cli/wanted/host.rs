use clap::{Args, Subcommand};
use muster_facts::MacAddr;
use serde_json::{Value, json};

use super::{ACTOR, Said, Trial, fields::Fields, found::FindHosts, nothing_changed, value_rows};
use crate::{
    app,
    cli::table::table,
    desired::{Fault, HostPlan, Values, rules::Giver},
    inventory::{Host, HostId},
    provision::{Catalog, CatalogFault, HostDesired, NewHost},
    store::PlannedHost,
};

/// The columns of a list.
pub(super) const HEAD: [&str; 4] = ["NAME", "PROFILE", "STATE", "MAC"];

#[derive(Debug, Args)]
pub(in crate::cli) struct PlanArgs {
    /// Its name, MAC or id.
    host: String,
    /// What it is installed for; an empty text takes it away.
    #[arg(long)]
    profile: Option<String>,
    /// Change maps key by key and lists item by item instead of replacing them; `~word` takes a word back.
    #[arg(long)]
    in_place: bool,
    /// Change nothing: show how its answer file and boot line would differ.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    fields: Fields,
}

#[derive(Debug, Args)]
pub(in crate::cli) struct NewHostArgs {
    /// Its name.
    name: String,
    /// The MAC of an interface it boots from; may be given again for each further one.
    #[arg(long, required = true, value_name = "MAC")]
    mac: Vec<String>,
    /// What it is installed for.
    #[arg(long)]
    profile: Option<String>,
    #[command(flatten)]
    fields: Fields,
}

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum HostCommand {
    /// Show the hosts that a search finds.
    Find(FindHosts),
    #[command(flatten)]
    Plans(HostPlans),
}

/// What is wanted of hosts.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum HostPlans {
    /// Enter a host before it boots for the first time.
    Add(NewHostArgs),
    /// Say what is wanted of a host.
    Edit(PlanArgs),
    /// Show the hosts that have a name or a plan.
    List {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show the values in force with the layer of each.
    Report {
        /// Its name, MAC or id.
        host: String,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Enter a host that is planned as another. What is one host's alone (hostname, MACs, static addresses with their gateways and routes) is not copied.
    Copy {
        /// The name, MAC or id of the one there is.
        host: String,
        /// The name of the new one.
        to: String,
        /// The MAC of an interface of the new one; may be given again for each further one.
        #[arg(long, required = true, value_name = "MAC")]
        mac: Vec<String>,
    },
    /// Give a host a name, or another one.
    Rename {
        /// Its name, MAC or id.
        host: String,
        /// Its new name.
        to: String,
    },
    /// Take back all that is wanted of a host; the host stays, unless it was entered and never heard of.
    Remove {
        /// Its name, MAC or id.
        host: String,
    },
}

pub(super) async fn host(catalog: &Catalog, command: HostPlans) -> Result<Said, CatalogFault> {
    let now = app::now();
    let text = match command {
        HostPlans::Add(args) => {
            let new = NewHost {
                name: args.name.clone(),
                macs: args.mac,
                profile: args.profile,
                values: Values::default().changed(args.fields.0, false)?,
            };
            let id = catalog.add_host(new, ACTOR, now).await?;
            format!("entered host {} ({id}); it is known when it boots\n", args.name)
        }
        HostPlans::List { json } => {
            let mut hosts = catalog.hosts().await?;
            hosts.retain(|known| {
                known.host.name.is_some() || known.plan.profile.is_some() || !known.plan.values.as_map().is_empty()
            });
            listed(&hosts, json)
        }
        HostPlans::Edit(args) => {
            let id = catalog.host_called(&args.host).await?.id;
            let had = known(catalog, id, &args.host).await?.plan;
            let mut plan = had.clone();
            if let Some(profile) = args.profile {
                plan.profile = Some(profile).filter(|name| !name.is_empty());
                let as_it_was = plan.profile.is_some() && plan.profile == had.profile && had.profile_by.is_none();
                if !as_it_was {
                    // Also when a rule gave the same: from now on a person has.
                    plan.profile_by = Some(Giver::Person);
                }
            }
            plan.values = plan.values.changed(args.fields.0, args.in_place)?;
            if args.dry_run {
                return Ok(Said::Tried(Box::new(Trial::OfHost(plan))));
            }
            if plan == had && plan.values.says_the_same(&had.values) {
                return Ok(nothing_changed(&format!("host {}", args.host)).into());
            }
            catalog.set_plan(plan, ACTOR, now).await?;
            format!("changed what is wanted of host {}\n", args.host)
        }
        HostPlans::Report { host, json } => {
            let id = catalog.host_called(&host).await?.id;
            let macs = catalog.interfaces(id).await?;
            host_report(&known(catalog, id, &host).await?, &macs, json)
        }
        HostPlans::Copy { host, to, mac } => {
            let from = catalog.host_called(&host).await?.id;
            let left_out = catalog.copy_host(from, &to, mac, ACTOR, now).await?;
            let mut text = format!("entered host {to}, planned as {host}\n");
            if !left_out.is_empty() {
                text.push_str(&format!(
                    "not copied, because they are one host's alone: {}\n",
                    left_out.join(", ")
                ));
            }
            text
        }
        HostPlans::Rename { host, to } => {
            let known = catalog.host_called(&host).await?;
            catalog.rename_host(&known, &to, ACTOR, now).await?;
            format!("renamed host {host} to {to}\n")
        }
        HostPlans::Remove { host } => {
            let known = catalog.host_called(&host).await?;
            if catalog.remove_host(&known, ACTOR, now).await? {
                format!("removed host {host}; it was never heard of\n")
            } else {
                format!("nothing is wanted of host {host} any more\n")
            }
        }
    };
    Ok(text.into())
}

/// What the host is, the profile with who gave it, and every value in force with its layer.
fn host_report(desired: &HostDesired, macs: &[MacAddr], json: bool) -> String {
    let (plan, host) = (&desired.plan, &desired.host);
    let by = match &plan.profile_by {
        Some(Giver::Rule(name)) => format!("rule {name}"),
        _ => "person".to_owned(),
    };
    let effective = &desired.effective;
    let distro = desired.distro.as_ref().map(|distro| distro.name.as_str());
    if json {
        let profile = plan.profile.as_ref().map(|name| json!({"name": name, "from": by}));
        let document = json!({"name": host.name, "id": host.id, "macs": macs, "state": host.state.as_str(),
            "distro": distro, "profile": profile, "values": effective.shown(), "origins": effective.origins});
        return format!("{document:#}\n");
    }
    let own = |key: &str, value: &str, from: &str| vec![format!("({key})"), value.to_owned(), from.to_owned()];
    let mut rows = Vec::new();
    rows.extend(host.name.as_ref().map(|name| own("name", name, "-")));
    rows.push(own("id", &host.id.to_string(), "-"));
    rows.extend(macs.iter().map(|mac| own("mac", &mac.to_string(), "-")));
    rows.push(own("state", host.state.as_str(), "-"));
    rows.extend(plan.profile.as_ref().map(|profile| own("profile", profile, &by)));
    rows.extend(distro.map(|distro| own("distro", distro, "-")));
    rows.extend(value_rows(effective));
    table(&["NAME", "VALUE", "FROM"], &rows)
}

async fn known(catalog: &Catalog, id: HostId, word: &str) -> Result<HostDesired, CatalogFault> {
    let found = catalog.host(id).await?;
    found.ok_or_else(|| {
        Fault::new(
            "host",
            word,
            "it was forgotten just now",
            "look at `muster hosts` again",
        )
        .into()
    })
}

fn listed(hosts: &[PlannedHost], json: bool) -> String {
    if json {
        let all: Vec<Value> = hosts
            .iter()
            .map(|known| {
                json!({"id": known.host.id, "name": known.host.name, "macs": known.macs,
                    "state": known.host.state.as_str(), "profile": known.plan.profile,
                    "values": known.plan.values.shown()})
            })
            .collect();
        return format!("{:#}\n", Value::from(all));
    }
    let rows: Vec<Vec<String>> = hosts
        .iter()
        .map(|known| row(&known.host, &known.plan, &known.macs))
        .collect();
    table(&HEAD, &rows)
}

/// A host in a list.
pub(super) fn row(host: &Host, plan: &HostPlan, macs: &[MacAddr]) -> Vec<String> {
    let mut shown: Vec<String> = macs.iter().take(2).map(ToString::to_string).collect();
    let more = macs.len().saturating_sub(shown.len());
    if more > 0 {
        shown.push(format!("+{more}"));
    }
    vec![
        host.name.clone().unwrap_or_else(|| host.id.to_string()),
        plan.profile.clone().unwrap_or_else(|| "-".to_owned()),
        host.state.as_str().to_owned(),
        shown.join(" "),
    ]
}
