use std::{fs, path::Path};

use super::{Settings, Sources, load};

/// Loads `muster.toml` and parts from a folder, with variables and flags; paths in messages are cut to their names.
fn load_from(files: &[(&str, &str)], environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Settings, String> {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("muster.d")).unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    let main = dir.path().join("muster.toml");
    if !main.exists() {
        fs::write(&main, "").unwrap();
    }
    load(&Sources {
        file: Some(main),
        environment: environment
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
        flags: flags
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned(), format!("--set {key}")))
            .collect(),
    })
    .map_err(|errors| short(&errors.to_string(), dir.path()))
}

fn short(text: &str, dir: &Path) -> String {
    text.replace(&format!("{}/", dir.display()), "")
}

fn shown(settings: &Settings, key: &str) -> String {
    let row = settings.rows().into_iter().find(|row| row.key == key).unwrap();
    let origin = row.origin.to_string();
    format!("{} ({})", row.value, origin.rsplit('/').next().unwrap())
}

#[test]
fn each_layer_lies_over_the_last() {
    let files = [
        (
            "muster.toml",
            "[http]\nlisten = \"10.0.0.1:1\"\n[log]\nfilter = \"warn\"\n[tftp]\nport = 6969\n[dhcp]\nport = 6767",
        ),
        ("muster.d/20-b.toml", "log.filter = \"debug\"\ntftp.port = 6970"),
        ("muster.d/10-a.toml", "log.filter = \"error\""),
        ("muster.d/notes.txt", "not read"),
    ];
    let environment = [
        ("MUSTER_TFTP__PORT", "6971"),
        ("MUSTER_BOOT__LOADERS__X64_UEFI", "ipxe.efi"),
        ("MUSTER_HTTP__PROXIES", "::ffff:10.0.0.5, 2001:db8::1"),
        ("MUSTER_SETUP_TOKEN", "secret"),
        ("HOME", "/root"),
    ];
    let settings = load_from(&files, &environment, &[("tftp.port", "6972")]).unwrap();
    for (key, expected) in [
        ("http.listen", "\"10.0.0.1:1\" (muster.toml:2:10)"),
        ("dhcp.port", "6767 (muster.toml:8:8)"),
        ("log.filter", "\"debug\" (20-b.toml:1:14)"),
        ("boot.loaders.x64-uefi", "\"ipxe.efi\" (MUSTER_BOOT__LOADERS__X64_UEFI)"),
        ("tftp.port", "6972 (--set tftp.port)"),
        ("dhcp.client_port", "68 (default)"),
        ("http.https", "false (default)"),
        ("http.proxies", "[\"10.0.0.5\", \"2001:db8::1\"] (MUSTER_HTTP__PROXIES)"),
    ] {
        assert_eq!(shown(&settings, key), expected, "{key}");
    }
}

#[test]
fn every_mistake_of_every_layer_is_told_at_once() {
    let files = [
        (
            "muster.toml",
            "[http]\nlistne = \"0.0.0.0:80\"\nlisten = 80\n\n[tftp]\nport = 70000\nenabled = \"yes\"\n\n[htpp]\nx = 1\n\n\
             [boot]\nunknown = \"colect\"\ntoken_lifetime = \"30\"\nrefuse = [\"52:54:00:aa:*\", \"all\"]\nloaders = 3\n",
        ),
        ("muster.d/10-bad.toml", "[log\nfilter = \"info\"\n"),
        (
            "muster.d/20.toml",
            "listen = \"x\"\n[database]\nurl = \"mysql://anna:s3cret@db/x\"\n",
        ),
    ];
    let environment = [("MUSTER_HTTP__LISTNE", "x"), ("MUSTER_DHCP__ENABLED", "maybe")];
    let errors = load_from(&files, &environment, &[("dhcp.prt", "1")]).unwrap_err();
    assert!(!errors.contains("s3cret"));
    insta::assert_snapshot!(errors);
}

#[test]
fn subnets_that_contradict_themselves_or_each_other_are_refused() {
    let text = r#"
[[dhcp.subnets]]
network = "10.77.0.0/24"
mode = "pool"
ranges = ["10.77.0.100-10.77.0.200", "10.77.0.150-10.77.0.210", "10.77.1.1-10.77.1.2"]
router = "10.78.0.1"
reservations = [
  { mac = "52:54:00:77:00:01", address = "10.77.0.50" },
  { mac = "52:54:00:77:00:01", address = "10.77.0.51" },
  { mac = "52:54:00:77:00:02", address = "10.77.0.50" },
  { mac = "52:54:00:77:00:03", address = "10.77.9.9" },
]

[[dhcp.subnets]]
network = "10.77.0.128/25"

[[dhcp.subnets]]
network = "10.80.0.0/24"
mode = "pool"

[[dhcp.subnets]]
network = "10.81.0.1/24"

[[dhcp.subnets]]
mode = "pol"

[[dhcp.subnets]]
network = "10.82.0.0/24"
mode = "pol"
lease = "1h"
reservations = [{ mac = "x", adress = "10.82.0.1" }]

[[dhcp.subnets]]
network = "10.80.0.0/24"
mode = "reserved"
"#;
    insta::assert_snapshot!(load_from(&[("muster.toml", text)], &[], &[]).unwrap_err());
}

#[test]
fn later_layers_add_subnets_and_change_keys_of_one() {
    let files = [
        (
            "muster.toml",
            "[[dhcp.subnets]]\nnetwork = \"10.77.0.0/24\"\nmode = \"pool\"\nranges = [\"10.77.0.100-10.77.0.200\"]\n\
             reservations = [{ mac = \"52:54:00:77:00:01\", address = \"10.77.0.50\", hostname = \"node1\" }]\n",
        ),
        (
            "muster.d/10.toml",
            "[[dhcp.subnets]]\nnetwork = \"10.78.0.0/24\"\n\n[[dhcp.subnets]]\nnetwork = \"10.77.0.0/24\"\nmode = \"reserved\"\n",
        ),
    ];
    let environment = [(
        "MUSTER_DHCP__SUBNETS",
        "[{ network = \"10.79.0.0/24\", mode = \"proxy\" }]",
    )];
    let settings = load_from(&files, &environment, &[]).unwrap();
    let networks: Vec<String> = settings
        .subnets
        .iter()
        .map(|subnet| subnet.network.value.to_string())
        .collect();
    assert_eq!(networks, ["10.77.0.0/24", "10.78.0.0/24", "10.79.0.0/24"]);
    for (key, expected) in [
        ("dhcp.subnets[10.77.0.0/24].mode", "\"reserved\" (10.toml:6:8)"),
        (
            "dhcp.subnets[10.77.0.0/24].ranges",
            "[\"10.77.0.100-10.77.0.200\"] (muster.toml:4:10)",
        ),
        ("dhcp.subnets[10.77.0.0/24].lease_time", "\"1h\" (default)"),
        ("dhcp.subnets[10.78.0.0/24].mode", "\"observe\" (default)"),
        ("dhcp.subnets[10.79.0.0/24].mode", "\"proxy\" (MUSTER_DHCP__SUBNETS)"),
    ] {
        assert_eq!(shown(&settings, key), expected, "{key}");
    }
    let plain = settings.subnets[0].plain();
    assert!(plain.ranges.is_empty(), "mode reserved gives only what is reserved");
    assert_eq!(plain.reservations[0].hostname.as_deref(), Some("node1"));
}

#[test]
fn a_subnet_can_be_written_as_the_contract_of_the_lab_has_it() {
    let text = r#"
[database]
url = "postgres://anna:s3cret@db.lab/muster"
[[dhcp.subnets]]
network = "10.77.0.0/24"
mode = "pool"
ranges = ["10.77.0.100-10.77.0.200"]
router = "10.77.0.1"
dns = ["10.77.0.1"]
domain = "lab"
lease_time = "1h"
"#;
    let settings = load_from(&[("muster.toml", text)], &[], &[]).unwrap();
    assert_eq!(
        shown(&settings, "database.url"),
        "\"postgres://anna:***@db.lab/muster\" (muster.toml:3:7)"
    );
    assert!(!format!("{settings:?}").contains("s3cret"));
    assert_eq!(settings.database_url().expose(), "postgres://anna:s3cret@db.lab/muster");
}
