//! A name that a rule gives is compared as one that a person gives: as the installed system will be called.

use muster::{
    boot::EventKind,
    desired::{HostPlan, Values, rules::Rule},
    inventory::HostId,
    provision::{NewHost, rules::TrialAsked},
};
use serde_json::json;

use super::{ACTOR, Rig, machine, rule, values};

impl Rig {
    async fn entered(&self, name: &str, mac: &str) -> Result<HostId, String> {
        let new = NewHost {
            name: name.to_owned(),
            macs: vec![mac.to_owned()],
            profile: None,
            values: Values::default(),
        };
        let entered = self.catalog.add_host(new, ACTOR, self.now()).await;
        entered.map_err(|refused| refused.to_string())
    }

    async fn in_domain(&self, domain: &str) {
        let defaults = values(&json!({ "domain": domain }));
        self.catalog.set_defaults(defaults, ACTOR, self.now()).await.unwrap();
    }

    async fn name(&self, host: HostId) -> Option<String> {
        self.store.host(host).await.unwrap().unwrap().name
    }

    /// What a trial of all rules says of a host's name: what it would be, else why it would have none.
    async fn tried(&self, host: HostId) -> String {
        let asked = TrialAsked {
            host: Some(host),
            limit: 10,
            ..TrialAsked::default()
        };
        let trial = self.rules.trial(&asked).await.unwrap();
        let host = &trial.hosts[0];
        let given = host.gives.iter().find(|given| given.field == "hostname");
        given.map_or_else(|| host.notes.join("; "), |given| given.value.clone())
    }
}

fn named(name: &str) -> Rule {
    Rule {
        hostname: Some(name.to_owned()),
        ..rule("named", "true")
    }
}

#[tokio::test]
async fn a_name_and_the_same_name_with_its_domain_are_one() {
    for (theirs, given) in [
        ("web1.example.org", "web1"),
        ("web1", "web1.example.org"),
        ("WEB1", "web1.EXAMPLE.org"),
        ("Web1", "web1"),
    ] {
        let rig = Rig::new().await;
        rig.in_domain("Example.org").await;
        let owner = rig.entered(theirs, "52:54:00:77:00:01").await.unwrap();
        let (host, _) = rig.report(&machine(0)).await;
        rig.enter(named(given)).await;
        let refused = format!("host {owner} has this name");
        let tried = rig.tried(host).await;
        assert!(tried.contains(&refused), "{theirs} {given}: {tried}");
        rig.report(&machine(0)).await;
        assert_eq!(rig.name(host).await, None, "{theirs} {given}");
        let told = rig.told(host, EventKind::RuleRefused).await;
        assert!(told[0].contains(&refused), "{theirs} {given}: {told:?}");
        // A person is told the same.
        let refused = rig.entered(given, "52:54:00:77:00:02").await.unwrap_err();
        assert!(refused.contains("has this name"), "{theirs} {given}: {refused}");
    }
}

#[tokio::test]
async fn the_same_name_in_two_domains_is_two() {
    let rig = Rig::new().await;
    rig.in_domain("example.org").await;
    let owner = rig.entered("web1.other.org", "52:54:00:77:00:01").await.unwrap();
    let (host, _) = rig.report(&machine(0)).await;
    rig.enter(named("web1")).await;
    assert_eq!(rig.tried(host).await, "web1");
    rig.report(&machine(0)).await;
    assert_eq!(rig.name(host).await.as_deref(), Some("web1"));
    // Whoever moves one of them into the domain of the other is told.
    let plan = HostPlan {
        values: values(&json!({"hostname": "web1.example.org"})),
        ..HostPlan::empty(owner)
    };
    let refused = rig.catalog.set_plan(plan, ACTOR, rig.now()).await.unwrap_err();
    let refused = refused.to_string();
    assert!(refused.contains("host web1 is called that"), "{refused}");
}

#[tokio::test]
async fn the_domain_is_the_one_of_the_profile_that_is_given_with_the_name() {
    let rig = Rig::new().await;
    rig.in_domain("example.org").await;
    let mut web = rig.catalog.objects().await.unwrap().profiles["web"].clone();
    web.values = values(&json!({"domain": "web.example.org"}));
    rig.catalog.edit_profile(web, ACTOR, rig.now()).await.unwrap();
    rig.entered("n1.web.example.org", "52:54:00:77:00:01").await.unwrap();
    let (host, _) = rig.report(&machine(0)).await;
    rig.enter(Rule {
        profile: Some("web".into()),
        ..named("n1")
    })
    .await;
    assert!(rig.tried(host).await.contains("has this name"));
    rig.report(&machine(0)).await;
    assert_eq!(rig.name(host).await, None);
    assert_eq!(
        rig.plan(host).await.profile.as_deref(),
        Some("web"),
        "the rest is given"
    );
}
