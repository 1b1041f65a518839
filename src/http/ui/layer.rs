//! The form that changes one layer of values: as fields or as JSON, with the faults at their fields.

use std::collections::HashMap;

use serde::Serialize;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::in_force::Tag;
use crate::{
    desired::{Draft, Effective, FIELDS, Fault, Field, FieldKind, Values, field},
    provision::{
        Affected,
        answers::{Change, Changes},
    },
};

/// What a form sends, by name.
pub(super) type Sent = HashMap<String, String>;

/// Hosts named before a change is saved.
const MOST_NAMED: usize = 24;
/// Differences of answer files shown.
const MOST_FILES: usize = 12;
/// Lines of one difference shown.
const MOST_LINES: usize = 200;

/// The fields as people look for them: part of the catalogue key `group.KEY`.
const GROUPS: &[(&str, &[&str])] = &[
    (
        "installer",
        &[
            "template",
            "kernel_options",
            "kernel_options_post",
            "vars",
            "install_agent",
            "install_once",
            "loader",
        ],
    ),
    ("system", &["hostname", "domain", "timezone", "locale", "keyboard"]),
    ("access", &["root_password_hash", "ssh_keys", "users"]),
    ("disks", &["disk", "keep_disks", "partitioning"]),
    (
        "network",
        &["network", "name_servers", "search_domains", "ntp_servers", "proxy"],
    ),
    (
        "software",
        &[
            "repos",
            "packages",
            "package_groups",
            "services_enabled",
            "services_disabled",
            "selinux",
            "firewall",
            "scripts",
        ],
    ),
    ("notes", &["place", "owners", "tags", "comment"]),
];

/// What may be written, where an example says it better than words.
const EXAMPLES: &[(&str, &str)] = &[
    ("template", "redhat/default.ks"),
    ("kernel_options", "console=ttyS0,115200\nquiet\n!rhgb"),
    ("kernel_options_post", "console=ttyS0,115200"),
    ("vars", "role=web"),
    ("timezone", "Europe/Berlin"),
    ("locale", "en_US.UTF-8"),
    ("keyboard", "us"),
    ("ssh_keys", "ssh-ed25519 AAAA… anna"),
    ("users", "{\"anna\": {\"groups\": [\"wheel\"], \"sudo\": true}}"),
    ("disk", "rule=smallest_ssd"),
    ("partitioning", "scheme=lvm\nswap_mib=4096"),
    (
        "network",
        "{\"interfaces\": {\"eth0\": {\"addresses\": [\"10.0.0.5/24\"], \"gateway\": \"10.0.0.1\"}}}",
    ),
    ("name_servers", "10.0.0.1 10.0.0.2"),
    ("repos", "{\"extras\": {\"url\": \"http://mirror/extras\"}}"),
    ("packages", "vim tmux !nano"),
    ("scripts", "{\"post\": [\"site/monitoring\"]}"),
];

/// A fault as a page shows it.
#[derive(Debug, Clone, Serialize)]
pub(super) struct FaultShown {
    /// The whole path, when it goes below the field.
    path: Option<String>,
    value: Option<String>,
    why: String,
    advice: String,
}

impl FaultShown {
    pub(super) fn of(fault: &Fault) -> Self {
        Self {
            path: fault.field.contains('.').then(|| fault.field.clone()),
            value: fault.value.clone().filter(|value| !value.is_empty()),
            why: fault.why.clone(),
            advice: fault.advice.clone(),
        }
    }
}

/// One field of the form.
#[derive(Debug, Serialize)]
pub(super) struct Input {
    key: &'static str,
    /// `line`, `area`, `choice` or `secret`.
    form: &'static str,
    text: String,
    rows: usize,
    choices: &'static [&'static str],
    example: Option<&'static str>,
    /// What holds without an own value, in one line.
    inherited: Option<String>,
    from: Option<Tag>,
    /// True when this layer says something.
    set: bool,
    fault: Option<FaultShown>,
}

/// Fields that belong together.
#[derive(Debug, Serialize)]
pub(super) struct Group {
    key: &'static str,
    inputs: Vec<Input>,
    /// How many of them this layer says something of.
    set: usize,
    open: bool,
}

/// The whole form.
#[derive(Debug, Serialize)]
pub(super) struct LayerForm {
    groups: Vec<Group>,
    /// The layer as JSON, without its secrets.
    text: String,
    /// Faults of no field that the form has.
    faults: Vec<FaultShown>,
    /// Who would feel the change: shown before it is saved.
    confirm: Option<Confirm>,
}

/// Who would feel a change.
#[derive(Debug, Serialize)]
pub(super) struct Confirm {
    seen: String,
    fields: Vec<String>,
    profiles: Vec<String>,
    hosts: Vec<(String, String)>,
    hosts_all: usize,
    /// Answer files that would differ.
    files: Vec<FileChange>,
    files_all: usize,
    not_looked_at: usize,
}

/// How one host's answer file would differ.
#[derive(Debug, Serialize)]
struct FileChange {
    label: String,
    host: String,
    fault: Option<String>,
    lines: Vec<DiffLine>,
    cut: bool,
}

#[derive(Debug, Serialize)]
struct DiffLine {
    /// `added`, `gone` or `same`.
    kind: &'static str,
    text: String,
}

impl FileChange {
    fn of(change: &Change) -> Self {
        let text = change.difference.as_deref().unwrap_or_default();
        let line = |text: &str| DiffLine {
            kind: match text.chars().next() {
                Some('+') => "added",
                Some('-') => "gone",
                _ => "same",
            },
            text: text.to_owned(),
        };
        // The first two lines name the files: here both are the host's.
        let mut lines: Vec<DiffLine> = text.lines().skip(2).take(MOST_LINES + 1).map(line).collect();
        let cut = lines.len() > MOST_LINES;
        lines.truncate(MOST_LINES);
        Self {
            label: change.label.clone(),
            host: change.host.to_string(),
            fault: change.difference.as_ref().err().cloned(),
            lines,
            cut,
        }
    }
}

impl Confirm {
    fn of(draft: &Draft, affected: &Affected, changes: &Changes) -> Self {
        Self {
            files: changes.hosts.iter().take(MOST_FILES).map(FileChange::of).collect(),
            files_all: changes.hosts.len(),
            not_looked_at: changes.not_looked_at,
            seen: seen(draft, affected),
            fields: affected.fields.iter().cloned().collect(),
            profiles: affected.profiles.clone(),
            hosts: affected
                .hosts
                .iter()
                .take(MOST_NAMED)
                .map(|(id, label)| (id.to_string(), label.clone()))
                .collect(),
            hosts_all: affected.hosts.len(),
        }
    }
}

/// Says that this change was looked at with these hosts: when either moves meanwhile, it is shown again.
fn seen(draft: &Draft, affected: &Affected) -> String {
    hex::encode(Sha256::digest(format!("{draft:?} {affected:?}")))
}

/// True when a change may be saved: nobody feels it, or a person has seen who does.
pub(super) fn agreed(sent: &Sent, draft: &Draft, affected: &Affected) -> bool {
    affected.hosts.is_empty() || sent.get("seen").is_some_and(|word| *word == seen(draft, affected))
}

/// Reads what a form sent into the layer it had before.
pub(super) fn read(sent: &Sent, had: &Values) -> Result<Values, Vec<Fault>> {
    let document = if sent.get("mode").is_some_and(|mode| mode == "text") {
        json(sent).map_err(|fault| vec![fault])?
    } else {
        fields(sent, had)?
    };
    let document = had.with_kept_secrets(document);
    // Field by field first, so that every fault is told at once.
    let one = |(key, value): (&String, &Value)| Values::check(Map::from_iter([(key.clone(), value.clone())])).err();
    let faults: Vec<Fault> = document.iter().filter_map(one).collect();
    if faults.is_empty() {
        Values::check(document).map_err(|fault| vec![fault])
    } else {
        Err(faults)
    }
}

fn json(sent: &Sent) -> Result<Map<String, Value>, Fault> {
    let text = sent.get("text").map_or("", String::as_str);
    let fault = |why: String| Fault::unshown("values", why, "write {\"field\": value, …}");
    match serde_json::from_str(if text.trim().is_empty() { "{}" } else { text }) {
        Ok(Value::Object(map)) => Ok(map),
        Ok(_) => Err(fault("it is no JSON object".to_owned())),
        Err(error) => Err(fault(format!("it is no JSON ({error})"))),
    }
}

fn fields(sent: &Sent, had: &Values) -> Result<Map<String, Value>, Vec<Fault>> {
    let mut document = Map::new();
    let mut faults = Vec::new();
    for field in FIELDS {
        let Some(text) = sent.get(&format!("v.{}", field.key)) else {
            continue;
        };
        // An empty secret is one that was not typed anew.
        if field.secret && text.is_empty() && !sent.contains_key(&format!("unset.{}", field.key)) {
            if let Some(kept) = had.as_map().get(field.key) {
                document.insert(field.key.to_owned(), kept.clone());
            }
            continue;
        }
        match field.read(&text.replace("\r\n", "\n")) {
            Ok(Value::Null) => {}
            Ok(value) => {
                document.insert(field.key.to_owned(), value);
            }
            Err(fault) => faults.push(fault),
        }
    }
    if faults.is_empty() { Ok(document) } else { Err(faults) }
}

/// The form of a layer. `above` is what holds without it; `sent` what was typed, when it is shown again.
pub(super) fn form(own: &Values, above: &Effective, sent: Option<&Sent>, faults: &[Fault]) -> LayerForm {
    let shown = own.shown();
    let above_shown = above.shown();
    let fault_of = |key: &str| {
        faults
            .iter()
            .find(|fault| fault.field.split('.').next() == Some(key))
            .map(FaultShown::of)
    };
    let input = |field: &'static Field| {
        let typed = sent.and_then(|sent| sent.get(&format!("v.{}", field.key)));
        let own_value = shown.get(field.key);
        let written = match typed {
            Some(typed) => typed.clone(),
            None if field.secret => String::new(),
            None => own_value.map(|value| field.write(value)).unwrap_or_default(),
        };
        let (form, choices) = shape(field);
        let inherited = above_shown.get(field.key);
        Input {
            key: field.key,
            form,
            rows: written.lines().count().clamp(2, 14),
            choices,
            example: EXAMPLES
                .iter()
                .find(|(key, _)| *key == field.key)
                .map(|(_, text)| *text),
            inherited: inherited.map(|value| one_line(&field.write(value))),
            from: above.origins.get(field.key).map(Tag::of),
            set: own_value.is_some() || typed.is_some_and(|typed| !typed.is_empty()),
            fault: fault_of(field.key),
            text: written,
        }
    };
    let groups = GROUPS
        .iter()
        .map(|(key, keys)| {
            let inputs: Vec<Input> = keys.iter().filter_map(|key| field(key)).map(input).collect();
            let set = inputs.iter().filter(|input| input.set).count();
            let at_fault = inputs.iter().any(|input| input.fault.is_some());
            Group {
                key,
                inputs,
                set,
                open: set > 0 || at_fault,
            }
        })
        .collect();
    let typed = sent.and_then(|sent| sent.get("text").cloned());
    let as_text = sent.is_some_and(|sent| sent.get("mode").is_some_and(|mode| mode == "text"));
    LayerForm {
        groups,
        text: typed.unwrap_or_else(|| serde_json::to_string_pretty(&shown).unwrap_or_default()),
        faults: faults
            .iter()
            .filter(|fault| as_text || field(fault.field.split('.').next().unwrap_or_default()).is_none())
            .map(|fault| FaultShown {
                path: Some(fault.field.clone()).filter(|field| field != "values"),
                ..FaultShown::of(fault)
            })
            .collect(),
        confirm: None,
    }
}

impl LayerForm {
    /// True when something in it cannot be.
    pub(super) fn is_wrong(&self) -> bool {
        let at_field = |group: &Group| group.inputs.iter().any(|input| input.fault.is_some());
        !self.faults.is_empty() || self.groups.iter().any(at_field)
    }

    /// The same, with who would feel it.
    pub(super) fn asking(mut self, draft: &Draft, affected: &Affected, changes: &Changes) -> Self {
        self.confirm = Some(Confirm::of(draft, affected, changes));
        self
    }
}

const fn flag(field: &Field) -> bool {
    matches!(field.key.as_bytes(), b"install_agent" | b"install_once")
}

fn shape(field: &Field) -> (&'static str, &'static [&'static str]) {
    match field.key {
        "selinux" => ("choice", &["enforcing", "permissive", "disabled"]),
        "firewall" => ("choice", &["enabled", "disabled"]),
        "loader" => ("choice", &["ipxe", "grub", "shim"]),
        _ if flag(field) => ("choice", &["true", "false"]),
        _ if field.secret => ("secret", &[]),
        _ if field.kind == FieldKind::Scalar => ("line", &[]),
        _ => ("area", &[]),
    }
}

/// What holds above, short enough to stand beside the field.
fn one_line(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if line.chars().count() > 160 {
        line.chars().take(159).chain(['…']).collect()
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(value: &Value) -> Values {
        Values::check(value.as_object().cloned().unwrap()).unwrap()
    }

    fn as_sent(form: &LayerForm) -> Sent {
        let inputs = form.groups.iter().flat_map(|group| &group.inputs);
        inputs
            .map(|input| (format!("v.{}", input.key), input.text.clone()))
            .collect()
    }

    #[test]
    fn every_field_is_in_one_group() {
        for field in FIELDS {
            let groups = GROUPS.iter().filter(|(_, keys)| keys.contains(&field.key)).count();
            assert_eq!(groups, 1, "{}", field.key);
        }
    }

    #[test]
    fn an_example_can_be_written() {
        for (key, text) in EXAMPLES {
            let value = field(key).unwrap().read(text).unwrap();
            Values::check(Map::from_iter([((*key).to_owned(), value)])).unwrap();
        }
    }

    #[test]
    fn a_form_sent_back_unchanged_changes_nothing() {
        let had = values(&json!({
            "hostname": "db1", "packages": ["vim", "!nano"], "install_agent": false,
            "kernel_options": {"console": ["tty0", "ttyS0"], "quiet": null},
            "root_password_hash": "$6$abcdefgh$0123456789",
            "users": {"anna": {"password_hash": "$6$abcdefgh$9876543210", "sudo": true}},
            "network": {"interfaces": {"eth0": {"dhcp": true, "mtu": 9000}}},
        }));
        let form = form(&had, &Effective::default(), None, &[]);
        assert!(!serde_json::to_string(&form).unwrap().contains("$6$"));
        assert_eq!(read(&as_sent(&form), &had), Ok(had.clone()));
        let text = Sent::from([("mode".into(), "text".into()), ("text".into(), form.text)]);
        assert_eq!(read(&text, &had), Ok(had));
    }

    #[test]
    fn all_faults_are_told_at_their_fields() {
        let sent = Sent::from([
            ("v.selinux".into(), "on".into()),
            ("v.packages".into(), "'open".into()),
            ("v.hostname".into(), "web1".into()),
        ]);
        let faults = read(&sent, &Values::default()).unwrap_err();
        assert_eq!(faults[0].field, "packages");
        let sent = Sent::from([("v.selinux".into(), "on".into()), ("v.disk".into(), "rul=first".into())]);
        let faults = read(&sent, &Values::default()).unwrap_err();
        assert_eq!(
            faults.iter().map(|fault| fault.field.as_str()).collect::<Vec<_>>(),
            ["disk.rul", "selinux"]
        );
        let form = form(&Values::default(), &Effective::default(), Some(&sent), &faults);
        let open: Vec<_> = form
            .groups
            .iter()
            .filter(|group| group.open)
            .map(|group| group.key)
            .collect();
        assert_eq!(open, ["disks", "software"]);
        assert!(form.faults.is_empty());
    }

    #[test]
    fn a_change_that_hosts_feel_is_seen_first() {
        let draft = Draft::Defaults(Values::default());
        let nobody = Affected::default();
        assert!(agreed(&Sent::new(), &draft, &nobody));
        let id = crate::inventory::HostId(uuid::Uuid::from_u128(1));
        let one = Affected {
            hosts: vec![(id, "db1".into())],
            ..Affected::default()
        };
        assert!(!agreed(&Sent::new(), &draft, &one));
        let sent = Sent::from([("seen".into(), seen(&draft, &one))]);
        assert!(agreed(&sent, &draft, &one));
        let two = Affected {
            hosts: vec![(id, "db1".into()), (id, "db2".into())],
            ..Affected::default()
        };
        assert!(!agreed(&sent, &draft, &two));
    }
}
