//! The same objects in a real Cobbler and in Muster: what is in force is the same, but for what is meant.
//!
//! `cargo xtask cobbler` installs Cobbler and runs these; elsewhere they are left out.

mod bench;
mod compare;
mod meant;
mod muster;
mod peer;
mod world;

use compare::Tally;
use meant::{MEANT, Outcome};
use muster::Ledger;
use peer::Site;
use serde_json::{Value, json};
use world::{Kind, TEMPLATES};

fn templates(site: &mut Site) {
    for name in TEMPLATES {
        site.templates.insert((*name).to_owned(), json!("# nothing\n"));
    }
}

#[tokio::test]
async fn values_in_force_are_those_of_cobbler() {
    let Some(python) = peer::python() else { return };
    let plain = json!({"template": "kit/site.ks", "tags": ["managed"],
        "kernel_options": {"console": "tty0", "site": null}});
    let rich = json!({"template": "kit/web.ks", "proxy": "http://site.example.org:3128", "owners": ["admin", "anna"],
        "name_servers": ["10.0.0.53", "192.0.2.9"], "search_domains": ["site.example.org"]});
    let mut tally = Tally::default();
    for (seed, defaults) in [(1, plain), (2, rich)] {
        let world = world::world(seed, defaults);
        let mut site = Site::new(&world.defaults);
        templates(&mut site);
        let mut ledger = Ledger::new(&world.defaults).await;
        let mut objects: Vec<(Kind, &str)> = Vec::new();
        for step in &world.steps {
            site.push(step);
            if let Err(fault) = ledger.enter(step).await {
                tally.wrong(format!("seed {seed}: Muster refuses {step:?}: {fault}"));
            }
            if !objects.contains(&(step.kind, &step.name)) {
                objects.push((step.kind, &step.name));
            }
        }
        site.ask = objects
            .iter()
            .map(|(kind, name)| (kind.cobbler().to_owned(), (*name).to_owned()))
            .collect();
        let said = site.run(&python);
        println!(
            "Cobbler entered {} commands in {:.1} s",
            site.steps.len(),
            said.entered_seconds
        );
        for (place, why) in &said.refused {
            tally.wrong(format!("seed {seed}: Cobbler refuses {:?}: {why}", site.steps[*place]));
        }
        for ((kind, name), blended) in objects.iter().zip(&said.blended) {
            let effective = ledger.effective(*kind, name).await;
            tally.object(
                &format!("seed {seed}: {} {name}", kind.cobbler()),
                *kind,
                blended,
                &effective,
                &world.defaults,
            );
        }
    }
    tally.done();
}

#[tokio::test]
async fn what_differs_is_meant() {
    let Some(python) = peer::python() else { return };
    let defaults: Value = serde_json::from_str(meant::DEFAULTS).expect("JSON");
    let mut site = Site::new(&defaults);
    templates(&mut site);
    let mut ledger = Ledger::new(&defaults).await;
    let mut lines = Vec::new();
    for (place, line) in MEANT.iter().enumerate() {
        let (steps, name) = line.steps(place);
        let mut fault = None;
        let mut last = 0;
        for step in &steps {
            last = site.push(step);
            fault = ledger.enter(step).await.err();
        }
        site.ask.push((line.on.cobbler().to_owned(), name.clone()));
        let effective = ledger.effective(line.on, &name).await;
        lines.push((line, last, fault, compare::of_muster(&effective, line.key)));
    }
    let said = site.run(&python);
    let mut wrong = Vec::new();
    for ((line, last, fault, muster), blended) in lines.iter().zip(&said.blended) {
        let refusal = said.refused.iter().find(|(place, _)| place == last).map(|(_, why)| why);
        let cobbler = compare::of_cobbler(blended, line.key);
        for (who, outcome, fault, value) in [
            ("Cobbler", line.cobbler, refusal, cobbler.as_ref()),
            ("Muster", line.muster, fault.as_ref(), muster.as_ref()),
        ] {
            if !as_told(outcome, fault.map(String::as_str), value) {
                wrong.push(format!(
                    "{}: {who} gives {value:?}, {fault:?}, not {outcome:?}",
                    line.what
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for line in MEANT {
        println!("meant: {}: {}", line.what, line.why);
    }
    println!("{} meant differences, each as told on both sides", MEANT.len());
}

/// Whether this came of it.
fn as_told(outcome: Outcome, fault: Option<&str>, value: Option<&Value>) -> bool {
    match outcome {
        Outcome::Is(text) => fault.is_none() && value == serde_json::from_str(text).ok().as_ref(),
        Outcome::Absent => fault.is_none() && value.is_none(),
        Outcome::Refused(part) => fault.is_some_and(|fault| fault.contains(part)),
    }
}

/// Without Cobbler: what is generated can be entered, and Muster's side of what is meant is as told.
#[tokio::test]
async fn muster_s_side_is_as_told() {
    for (seed, defaults) in [
        (1, json!({"template": "kit/site.ks"})),
        (2, json!({"owners": ["admin"]})),
    ] {
        let world = world::world(seed, defaults);
        let mut ledger = Ledger::new(&world.defaults).await;
        for step in &world.steps {
            assert_eq!(ledger.enter(step).await, Ok(()), "seed {seed}: {step:?}");
        }
    }
    let mut ledger = Ledger::new(&serde_json::from_str(meant::DEFAULTS).expect("JSON")).await;
    for (place, line) in MEANT.iter().enumerate() {
        let (steps, name) = line.steps(place);
        let mut fault = None;
        for step in &steps {
            fault = ledger.enter(step).await.err();
        }
        let value = compare::of_muster(&ledger.effective(line.on, &name).await, line.key);
        assert!(
            as_told(line.muster, fault.as_deref(), value.as_ref()),
            "{}: {value:?}, {fault:?}, not {:?}",
            line.what,
            line.muster
        );
    }
}
