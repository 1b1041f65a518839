//! What somebody types who does not know Muster yet: refused where it is entered, with what to write instead.

use std::{
    process::Command,
    time::{Duration, Instant},
};

use super::{
    cli::{Running, folder, muster, output, text},
    cli_desired::Site,
};

const MAC: &str = "52:54:00:77:00:01";

/// A site with a host that can be installed.
fn with_host() -> Site {
    let site = Site::with_profile();
    site.does(&[
        "host",
        "add",
        "web1",
        "--mac",
        MAC,
        "--profile",
        "web",
        "--disk",
        "path=/dev/vda",
    ]);
    site
}

#[test]
fn a_host_has_a_name_of_the_network() {
    let site = with_host();
    for (name, why) in [
        ("web_2", "`_` cannot stand in one"),
        ("web:2", "`:` cannot stand in one"),
        ("-web2", "begins or ends with `-`"),
        ("web..2", "nothing before, after or between"),
        ("10.77.0.5", "it is an address"),
    ] {
        let field = format!("name = `{name}`: it is no host name");
        let told = [field.as_str(), why, "web-01.example.org"];
        // A name may look like an option.
        site.refuses(&["host", "add", "--mac", "52:54:00:77:00:02", "--", name], &told);
        site.refuses(&["host", "rename", "web1", "--", name], &told);
        site.refuses(
            &["host", "copy", "web1", "--mac", "52:54:00:77:00:02", "--", name],
            &told,
        );
    }
    let field = "hostname = `web_2`: it is no host name";
    site.refuses(&["host", "edit", "web1", "--hostname", "web_2"], &[field]);
    site.refuses(
        &["rule", "add", "r", "--when", "true", "--hostname", "web_{{ serial }}"],
        &["hostname = `web_", "it is no host name"],
    );
    let long = format!("{}.{}.example.org", "a".repeat(63), "b".repeat(63));
    site.does(&["host", "rename", "web1", &long]);
    assert_eq!(site.names(&["host", "list"]), [long]);
}

#[test]
fn interfaces_partitions_users_and_options_make_sense() {
    let site = with_host();
    for (field, value, parts) in [
        (
            "--network",
            "v.vlan.id=7 v.vlan.parent=v",
            &[
                "network.interfaces.v.vlan.parent = `v`",
                "stand on itself",
                "name another",
            ][..],
        ),
        (
            "--network",
            "a.vlan.id=7 a.vlan.parent=b b.vlan.id=8 b.vlan.parent=a",
            &["network.interfaces.a.vlan.parent = `b`", "stands on a by way of others"],
        ),
        (
            "--network",
            "bond0.bond.mode=802.3ad",
            &[
                "network.interfaces.bond0.bond.members",
                "has no members",
                "bond0.bond.members=eth0,eth1",
            ],
        ),
        (
            "--network",
            "eth0.dhcp a.bond.members=eth0 b.bond.members=eth0",
            &["network.interfaces.b.bond.members = `eth0`", "in bond a already"],
        ),
        (
            "--network",
            "bond0.bond.members=eth8 bond0.dhcp",
            &[
                "network.interfaces.bond0.bond.members = `eth8`",
                "no such interface",
                "with its MAC",
            ],
        ),
        (
            "--partitioning",
            r#"extra=[{"mount": "/var", "size_mib": 1}, {"mount": "/var/", "size_mib": 2}]"#,
            &[
                "partitioning.extra.1.mount = `/var/`",
                "another partition has this mount point",
                "once",
            ],
        ),
        (
            "--users",
            "toor.uid=0",
            &["users.toor.uid = `0`", "0 is root's number", "root_password_hash"],
        ),
        (
            "--kernel-options",
            "quiet inst.ks=http://elsewhere/ks.cfg",
            &[
                "kernel_options.inst.ks = `http://elsewhere/ks.cfg`",
                "Muster writes this option itself",
                "leave it away",
            ],
        ),
        (
            "--kernel-options",
            "url=http://elsewhere/preseed",
            &["kernel_options.url"],
        ),
        (
            "--kernel-options",
            "autoyast=http://elsewhere/a.xml",
            &["kernel_options.autoyast"],
        ),
        (
            "--scripts",
            "post=redhat/network",
            &["scripts.post = `redhat/network`", "no script", "shell commands"],
        ),
    ] {
        site.refuses(&["host", "edit", "web1", field, value], parts);
    }
    // What layers come to together.
    site.does(&["profile", "edit", "base", "--network", "a.bond.members=eth0"]);
    site.refuses(
        &["profile", "edit", "web", "--network", "b.bond.members=eth0"],
        &["bond.members = `eth0`", "already, and a card is in one bond only"],
    );
    // A host may be given such a profile before its cards are written, and is installed when they are.
    let told = "network.interfaces.a.bond.members = `eth0`: there is no such interface";
    site.refuses(&["render", "--host", "web1", "--check"], &[told]);
    let card = format!("eth0.mac={MAC} a.dhcp");
    site.does(&["host", "edit", "web1", "--network", &card]);
    assert!(site.does(&["render", "--host", "web1"]).contains("--bondslaves=eth0"));
    // Of Ubuntu's installer `url` is the image.
    site.does(&[
        "host",
        "edit",
        "web1",
        "--kernel-options",
        "url=http://mirror/noble.iso",
    ]);
}

#[test]
fn a_kickstart_with_a_foreign_line_or_a_mount_point_twice_is_told() {
    let site = with_host();
    site.does(&[
        "host",
        "edit",
        "web1",
        "--partitioning",
        r#"extra=[{"mount": "/boot", "size_mib": 512}]"#,
    ]);
    let said = site.says(&["render", "--host", "web1", "--check"]);
    assert!(said.contains("`/boot` is made twice"), "{said}");
}

#[test]
fn the_address_that_is_written_into_files_is_one() {
    let site = with_host();
    for wrong in ["nonsense", "10.77.0.1:8081", "ftp://10.77.0.1", "http://", "http://a/b"] {
        site.refuses(
            &["render", "--host", "web1", "--base-url", wrong],
            &["--base-url", "expected http://HOST or http://HOST:PORT"],
        );
    }
    let said = site.does(&["render", "--host", "web1", "--base-url", "https://boot.example.org/"]);
    assert!(said.contains("https://boot.example.org/boot/"), "{said}");
}

#[test]
fn examples_of_the_help_do_what_they_say_when_a_shell_reads_them() {
    let site = with_host();
    let help = site.does(&["host", "edit", "--help"]);
    // As they are printed, over several lines where they are long: `--field 'words'`.
    let examples: Vec<String> = help
        .split("e.g. --")
        .skip(1)
        .map(|rest| rest.split('\'').take(2).collect::<Vec<_>>().join("'"))
        .map(|example| format!("--{example}'"))
        .collect();
    assert!(examples.len() >= 5, "{help}");
    for example in examples {
        let settings = site.path("muster.toml");
        let line = format!(
            "'{}' --config '{settings}' host edit web1 --dry-run {example}",
            env!("CARGO_BIN_EXE_muster")
        );
        let mut command = Command::new("sh");
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MUSTER_") {
                command.env_remove(name);
            }
        }
        let done = output(command.args(["-c", &line]));
        let told = text(&done.stderr);
        // What it is read as; whether it fits this site's subnets and cards is another matter.
        let fits = ["configured subnet", "disk", "no such snippet"]
            .iter()
            .any(|other| told.contains(other));
        let fits = fits || done.status.success();
        assert!(fits, "{line}: {told}");
    }
    let shape = r#"write {"interfaces": {"eth0":"#;
    site.refuses(
        &["host", "edit", "web1", "--network", r#"["eth0"]"#],
        &["network", shape],
    );
    site.does(&["host", "edit", "web1", "--network", r#"{"eth0": {"dhcp": true}}"#]);
    let said = site.json(&["host", "report", "web1", "--json"]);
    assert_eq!(said["values"]["network"]["interfaces"]["eth0"]["dhcp"], true);
}

#[test]
fn shell_is_no_part_of_a_kickstart() {
    let site = Site::with_profile();
    let own = site.path("own");
    std::fs::write(&own, "echo configuring the network\n").unwrap();
    let setting = format!("templates.dir={}", site.path("templates"));
    site.refuses(
        &["--set", &setting, "snippet", "add", "redhat/network", "--file", &own],
        &[
            "snippet `redhat/network` is not written",
            "site/snippets/redhat/network:1: `echo` is no command of a kickstart",
        ],
    );
}

#[test]
fn what_changes_nothing_says_so() {
    let site = with_host();
    site.does(&["rule", "add", "edge", "--when", "true", "--tags", "edge"]);
    for (arguments, said) in [
        (&["host", "edit", "web1", "--profile", "web"][..], "host web1"),
        (&["profile", "edit", "base", "--timezone", "UTC"], "profile base"),
        (&["distro", "edit", "rocky9", "--tags", "el"], "distro rocky9"),
        (&["rule", "edit", "edge", "--tags", "edge"], "rule edge"),
    ] {
        assert_eq!(
            site.does(arguments),
            format!("nothing has changed: {said} is as wanted already\n")
        );
    }
    // The order of kernel options means something.
    site.does(&["host", "edit", "web1", "--kernel-options", "a=1 b=2"]);
    let said = site.does(&["host", "edit", "web1", "--kernel-options", "b=2 a=1"]);
    assert_eq!(said, "changed what is wanted of host web1\n");
}

#[test]
fn a_trial_of_rules_tells_of_hosts_without_facts() {
    let site = with_host();
    let trial = ["rule", "dry-run", "--when", "true", "--tags", "edge"];
    let said = site.does(&trial);
    assert!(said.contains("1 host has not reported yet and was not tried"), "{said}");
    let of_one = site.does(&[&trial[..], &["--host", "web1"]].concat());
    assert!(of_one.contains("1 host has not reported yet"), "{of_one}");
    let json = site.json(&[&trial[..], &["--json"]].concat());
    assert_eq!((&json["looked_at"], &json["without_facts"]), (&0.into(), &1.into()));
}

#[test]
fn words_that_are_not_known_are_answered_with_those_that_are() {
    let site = Site::new();
    for (arguments, known) in [
        (
            &["distro", "add", "x", "--family", "windows"][..],
            "redhat, debian, ubuntu, suse",
        ),
        (&["hosts", "--state", "gone"], "discovered, inventoried, assigned"),
        (
            &["install", "list", "--outcome", "lost"],
            "open, done, failed, cancelled",
        ),
        (
            &["token", "add", "ci", "--user", "anna", "--role", "root"],
            "viewer, operator, admin",
        ),
    ] {
        site.refuses(arguments, &[known]);
    }
}

#[test]
fn an_empty_ledger_is_made_and_told_of() {
    let dir = folder("127.0.0.1:0", "");
    let first = output(muster(dir.path()).args(["hosts"]));
    assert!(first.status.success(), "{}", text(&first.stderr));
    assert!(
        text(&first.stderr).contains("was empty and has been made"),
        "{}",
        text(&first.stderr)
    );
    let second = output(muster(dir.path()).args(["hosts"]));
    assert_eq!(text(&second.stderr), "");
}

#[test]
fn a_database_server_that_is_down_is_told_at_once_and_by_its_address() {
    let dir = folder("127.0.0.1:0", "");
    // Port 1 is nobody's.
    let url = "database.url=postgres://anna:s3cret@127.0.0.1:1/muster";
    let began = Instant::now();
    for arguments in [&["hosts"][..], &["check", "--no-probe"]] {
        let done = output(muster(dir.path()).args(["--set", url]).args(arguments));
        let told = text(&done.stdout) + &text(&done.stderr);
        assert!(!done.status.success(), "{told}");
        assert!(told.contains("127.0.0.1:1") && told.contains("refused"), "{told}");
        assert!(!told.contains("s3cret"), "{told}");
    }
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn tokens_are_listed_and_ended() {
    let site = Site::new();
    let add_user = |name: &str| {
        let mut command = muster(std::path::Path::new(&site.path(".")));
        let command = command.args(["user", "add", name, "--role", "admin"]);
        let done = super::cli::with_input(command, "a long enough one\n");
        assert!(done.status.success(), "{}", text(&done.stderr));
    };
    add_user("anna");
    add_user("bert");
    let secret = site.does(&[
        "token", "add", "ci", "--user", "anna", "--role", "operator", "--days", "3",
    ]);
    site.does(&["token", "add", "ci", "--user", "bert"]);
    let listed = site.does(&["token", "list"]);
    assert!(listed.contains("ci    anna  operator"), "{listed}");
    assert!(!listed.contains(secret.trim()), "{listed}");
    let json = site.json(&["token", "list", "--user", "anna", "--json"]);
    let tokens = json["tokens"].as_array().unwrap();
    assert_eq!((tokens.len(), &tokens[0]["role"]), (1, &"operator".into()));
    site.refuses(&["token", "remove", "ci"], &["several tokens", "--user"]);
    site.refuses(&["token", "remove", "cd"], &["no token `cd`", "muster token list"]);
    site.refuses(&["token", "list", "--user", "carla"], &["no user `carla`"]);
    let id = tokens[0]["id"].as_str().unwrap();
    assert_eq!(site.does(&["token", "remove", id]), "removed token ci of user anna\n");
    assert_eq!(site.does(&["token", "remove", "ci"]), "removed token ci of user bert\n");
    assert_eq!(site.json(&["token", "list", "--json"])["tokens"], serde_json::json!([]));
}

#[test]
fn installations_are_started_cancelled_and_tried_again_by_the_server_that_runs() {
    let site = with_host();
    site.refuses(
        &["install", "cancel", "web1"],
        &["web1", "no installation is kept of it"],
    );
    site.refuses(&["install", "retry", "web9"], &["host = `web9`", "no such host"]);
    let mut command = muster(std::path::Path::new(&site.path(".")));
    command.arg("serve");
    let (_server, lines) = Running::start(command);
    Running::until_ready(&lines);
    let first = site.json(&["install", "start", "web1", "--json"]);
    assert_eq!(
        (&first["outcome"], &first["host_name"]),
        (&"open".into(), &"web1".into())
    );
    let ended = site.json(&["install", "cancel", "web1", "--json"]);
    assert_eq!((&ended["id"], &ended["outcome"]), (&first["id"], &"cancelled".into()));
    site.refuses(&["install", "cancel", "web1"], &["no such installation that runs"]);
    site.refuses(
        &["install", "retry", "web1", "--name", "web2"],
        &["install = `web1`", "a system on its disks", "--name 'web1'"],
    );
    let said = site.does(&["install", "retry", first["id"].as_str().unwrap(), "--name", "web1"]);
    assert!(
        said.starts_with("started installation ") && said.ends_with(" of host web1\n"),
        "{said}"
    );
    assert_eq!(site.json(&["install", "list", "--json"])["total"], 2);
}
