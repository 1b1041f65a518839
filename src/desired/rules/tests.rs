use serde_json::json;

use super::*;
use crate::{
    desired::{HostPlan, Values},
    inventory::{HostId, State},
};

fn rule(name: &str, when: &str) -> Rule {
    Rule {
        when: when.to_owned(),
        tags: vec![name.to_owned()],
        ..Rule::empty(name)
    }
}

fn sample() -> Sighted {
    Sighted::new(&sample::facts())
}

fn plan() -> HostPlan {
    HostPlan::empty(HostId(uuid::Uuid::nil()))
}

fn standing(plan: &HostPlan) -> Standing<'_> {
    Standing {
        state: State::Inventoried,
        name: None,
        doubtful: false,
        plan,
    }
}

#[test]
fn every_name_is_there_for_the_sample_and_for_a_machine_that_tells_nothing() {
    for facts in [sample::facts(), muster_facts::Facts::default()] {
        let sighted = Sighted::new(&facts);
        for name in NAMES.iter().filter(|name| !name.path.contains("[]")) {
            assert!(sighted.shown(name.path).is_some(), "{}", name.path);
        }
    }
    let all = sample();
    for name in NAMES {
        if let Some((list, field)) = name.path.split_once("[].") {
            assert!(all.all[list][0].get(field).is_some(), "{}", name.path);
        }
    }
    let listed = all.all.iter().flat_map(|(key, value)| match value {
        serde_json::Value::Object(inner) => inner.keys().map(|name| format!("{key}.{name}")).collect(),
        _ => vec![key.clone()],
    });
    for path in listed {
        assert!(NAMES.iter().any(|name| name.path == path), "{path} is not documented");
    }
}

#[test]
fn expressions_speak_of_the_sample() {
    for (when, holds) in [
        ("true", true),
        ("vendor == 'Maker' and memory_gib >= 64", true),
        ("memory_gib > 64", false),
        ("bios.mode == 'uefi' and not bios.secure_boot", true),
        ("product is like('server ?')", true),
        ("product is like('*9')", false),
        ("address is in_network('192.0.2.0/24')", true),
        ("address is in_network('10.0.0.0/8')", false),
        ("'vmx' in cpu.flags", true),
        ("disks | selectattr('kind', 'eq', 'ssd') | list | length == 1", true),
        ("nics | map(attribute='driver') | unique | join(',') == 'igb'", true),
        ("lldp.switch is startingwith 'sw' or gpu_count > 3", true),
        ("virtualization is not in ['vmware', 'xen']", true),
        ("(disks | map(attribute='size_gib') | max) > 800", true),
    ] {
        let rule = rule("r", when);
        rule.check().unwrap_or_else(|fault| panic!("{when}: {fault}"));
        let book = RuleBook::new(vec![rule]);
        assert_eq!(book.offer(&sample()).tags.len(), usize::from(holds), "{when}");
        // It can be said of a machine that tells nothing too.
        assert_eq!(book.offer(&Sighted::new(&muster_facts::Facts::default())).refused, []);
    }
}

#[test]
fn what_is_not_known_is_refused_with_the_nearest_name() {
    for (when, told) in [
        ("vender == 'Dell'", "did you mean `vendor`?"),
        ("bios.mod == 'uefi'", "did you mean `bios.mode`?"),
        ("false and bios.colour == 1", "bios.colour"),
        ("vendor.startswith('D')", "there is no such fact"),
        ("range(10) | list | length > cores", "there is no such fact"),
        (
            "disks | selectatr('kind', 'eq', 'ssd') | list | length",
            "did you mean `selectattr`?",
        ),
        (
            "disks | selectattr('knd', 'eq', 'ssd') | list | length",
            "did you mean `kind`?",
        ),
        (
            "cores > 900 and disks | selectattr('kind', 'equal', 'ssd')",
            "did you mean `equalto`?",
        ),
        (
            "cores > 900 and vendor is startswith 'x'",
            "did you mean `startingwith`?",
        ),
        ("cores > 900 and nics | map(attribute='mca')", "did you mean `mac`?"),
        ("cores >", "it cannot be read"),
        ("cores > 4 %}", "it cannot be read"),
        ("'always'", "it names no fact"),
        ("", "there is no expression"),
        ("vendor > cores + 'x'", "it cannot be evaluated"),
        ("address is in_network('10.0.0.0/40')", "is no network"),
        ("(vendor * 2000) is like('a*a*a*')", "it cannot be evaluated"),
    ] {
        let fault = rule("r", when).check().expect_err(when).to_string();
        assert!(fault.contains(told), "{when}: {fault}");
    }
    let long = format!("vendor == '{}'", "x".repeat(3000));
    assert!(rule("r", &long).check().is_err());
    let deep = format!("{}cores{}", "(".repeat(900), ")".repeat(900));
    assert!(rule("r", &deep).check().is_err());
}

#[test]
fn a_rule_says_what_it_gives_and_its_texts_are_checked() {
    let with = |change: fn(&mut Rule)| {
        let mut rule = rule("r", "true");
        change(&mut rule);
        rule.check().map_err(|fault| fault.to_string())
    };
    assert!(with(|rule| rule.hostname = Some("web-{{ serial | lower }}".into())).is_ok());
    assert!(with(|rule| rule.place = Some("bj1/{{ lldp.switch }}".into())).is_ok());
    for (change, told) in [
        ((|rule| rule.tags.clear()) as fn(&mut Rule), "it gives nothing"),
        (|rule| rule.install = true, "no profile to install"),
        (|rule| rule.tags = vec!["!a".into()], "takes no tag away"),
        (|rule| rule.tags = vec!["a b".into()], "tags"),
        (
            |rule| rule.hostname = Some("web-{{ serail }}".into()),
            "did you mean `serial`?",
        ),
        (
            |rule| rule.hostname = Some("web_{{ serial }}".into()),
            "it is no host name",
        ),
        (|rule| rule.hostname = Some("web-{{ serial".into()), "do not pair"),
        (|rule| rule.hostname = Some("{% for x in nics %}".into()), "do not pair"),
        (|rule| rule.hostname = Some("{{ vendor * 999 }}".into()), "longer than"),
        (|rule| rule.place = Some("a {{ serial }}".into()), "place"),
        (|rule| rule.order = 2_000_000, "order"),
        (|rule| rule.name = "a b".into(), "name"),
    ] {
        let fault = with(change).expect_err(told);
        assert!(fault.contains(told), "{fault}");
    }
}

#[test]
fn the_first_rule_wins_a_field_and_tags_are_joined() {
    let mut first = rule("b", "cores >= 32");
    (first.order, first.profile, first.install) = (1, Some("big".into()), true);
    let mut second = rule("a", "true");
    second.order = 2;
    second.profile = Some("small".into());
    second.hostname = Some("n-{{ serial | lower }}".into());
    let book = RuleBook::new(vec![second, first, rule("no", "cores > 100")]);
    let offer = book.offer(&sample());
    let by = |by: &Option<By<String>>| by.clone().map(|by| (by.value, by.rule));
    assert_eq!(by(&offer.profile), Some(("big".into(), "b".into())));
    assert_eq!(by(&offer.hostname), Some(("n-s3r1al7".into(), "a".into())));
    assert!(offer.install);
    assert_eq!(
        offer.tags.iter().map(|tag| tag.value.as_str()).collect::<Vec<_>>(),
        ["b", "a"]
    );
    let answers = book.answers(&sample(), true);
    let missed = Answer::Misses(Some("`cores > 100` does not hold: cores is 32".into()));
    assert_eq!(answers.last().map(|judged| &judged.answer), Some(&missed));

    let plan = plan();
    let decision = decide(&offer, &standing(&plan)).expect("before its installation");
    let layers: Vec<_> = decision
        .layers
        .iter()
        .map(|layer| (layer.rule.as_str(), json!(layer.values)))
        .collect();
    assert_eq!(
        layers,
        [
            ("a", json!({"hostname": "n-s3r1al7", "tags": ["a"]})),
            ("b", json!({"tags": ["b"]}))
        ]
    );
    assert!(decision.changes);
    // Once it was given nothing changes any more.
    let given = HostPlan {
        profile: Some("big".into()),
        profile_by: Some(Giver::Rule("b".into())),
        given: decision.layers,
        ..plan
    };
    let settled = Standing {
        state: State::Assigned,
        name: Some("n-s3r1al7"),
        ..standing(&given)
    };
    assert!(!decide(&offer, &settled).expect("still so").changes);
    // No rule any more: profile and name stay, tags go.
    let left = decide(&Offer::default(), &settled).expect("still so");
    assert_eq!((left.profile, left.name), (None, None));
    assert_eq!(
        json!(left.layers),
        json!([{"rule": "a", "values": {"hostname": "n-s3r1al7"}}])
    );
}

#[test]
fn a_persons_word_stays_and_installed_hosts_are_left_alone() {
    let mut all = rule("all", "true");
    (all.profile, all.hostname) = (Some("web".into()), Some("n-{{ serial }}".into()));
    let offer = RuleBook::new(vec![all]).offer(&sample());
    let persons = HostPlan {
        profile: Some("db".into()),
        profile_by: Some(Giver::Person),
        values: Values::stored(json!({"hostname": "db1"}).as_object().cloned().unwrap_or_default()),
        ..plan()
    };
    let decision = decide(&offer, &standing(&persons)).expect("tags are given");
    assert_eq!((&decision.profile, &decision.name), (&None, &None));
    assert_eq!(decision.kept.len(), 2);
    assert_eq!(
        json!(decision.layers),
        json!([{"rule": "all", "values": {"tags": ["all"]}}])
    );
    let taken = HostPlan {
        profile_by: Some(Giver::Person),
        ..plan()
    };
    assert_eq!(decide(&offer, &standing(&taken)).expect("tags").profile, None);
    let named = Standing {
        name: Some("anna"),
        ..standing(&taken)
    };
    assert_eq!(decide(&offer, &named).expect("tags").name, None);
    for state in State::ALL {
        let host = Standing {
            state,
            ..standing(&persons)
        };
        let before = matches!(state, State::Inventoried | State::Assigned);
        assert_eq!(decide(&offer, &host).is_ok(), before, "{state:?}");
    }
    let doubtful = Standing {
        doubtful: true,
        ..standing(&persons)
    };
    assert!(decide(&offer, &doubtful).is_err());
}

#[test]
fn half_a_name_is_none() {
    let mut named = rule("r", "true");
    named.hostname = Some("web-{{ serial | lower }}".into());
    let book = RuleBook::new(vec![named]);
    for serial in [None, Some("Default string"), Some("To Be Filled By O.E.M.")] {
        let mut facts = sample::facts();
        facts.system.serial = serial.map(str::to_owned);
        let offer = book.offer(&Sighted::new(&facts));
        assert_eq!(offer.hostname, None);
        assert!(
            offer.refused[0].value.to_string().contains("does not tell it"),
            "{serial:?}"
        );
    }
}

#[test]
fn tags_may_hold_facts() {
    let tags = Rule::read_tags("web,{{ vendor | lower }}-{{ serial }}  {{ bios.mode }}");
    assert_eq!(tags, ["web", "{{ vendor | lower }}-{{ serial }}", "{{ bios.mode }}"]);
    let mut tagged = rule("a", "true");
    tagged.tags = vec!["web".into(), "sn-{{ serial | lower }}".into()];
    tagged.check().expect("well-formed");
    let offer = RuleBook::new(vec![tagged.clone()]).offer(&sample());
    let given: Vec<&str> = offer.tags.iter().map(|tag| tag.value.as_str()).collect();
    assert_eq!(given.len(), 2, "{offer:?}");
    assert!(given[1].starts_with("sn-") && !given[1].contains('{'), "{given:?}");
    tagged.tags = vec!["{{ seriall }}".into()];
    let fault = tagged.check().expect_err("refused").to_string();
    assert!(fault.contains("tags") && fault.contains("serial"), "{fault}");
}
