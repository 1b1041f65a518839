//! `muster render`: what it shows beside the file, and what it refuses.

use std::path::Path;

use super::{
    cli::{muster, output, text},
    cli_desired::Site,
};

#[test]
fn values_are_shown_with_who_said_them() {
    let site = Site::with_profile();
    site.does(&[
        "profile",
        "edit",
        "web",
        "--partitioning",
        "scheme=lvm",
        "--root-password-hash",
        "$6$abcdefgh$0123456789",
    ]);
    site.does(&[
        "host",
        "add",
        "web1",
        "--mac",
        "52:54:00:77:00:01",
        "--profile",
        "web",
        "--disk",
        "path=/dev/vda",
        "--users",
        "anna.groups=wheel,adm anna.sudo",
        "--network",
        "eth0.mac=52:54:00:77:00:01 eth0.addresses=10.77.0.31/24 eth0.gateway=10.77.0.1",
    ]);
    let said = site.does(&["render", "--host", "web1", "--explain"]);
    let row = |name: &str| {
        let words = said.lines().find(|line| line.split_whitespace().next() == Some(name));
        words
            .unwrap_or_else(|| panic!("no {name}: {said}"))
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(row("timezone"), "timezone UTC profile base");
    assert_eq!(row("partitioning.scheme"), "partitioning.scheme lvm profile web");
    assert_eq!(row("root_password_hash"), "root_password_hash (set) profile web");
    // Nobody said that.
    assert!(
        row("partitioning.swap_mib").ends_with("Muster's default"),
        "{}",
        row("partitioning.swap_mib")
    );
    assert!(!said.contains("0123456789"), "{said}");
    // By the listener of the settings.
    assert!(said.contains("http://127.0.0.1:0/boot/"), "{said}");
    let said = site.does(&["render", "--host", "web1", "--base-url", "http://other:81/"]);
    assert!(said.contains("http://other:81/boot/"), "{said}");

    site.refuses(
        &["render", "--host", "web1", "--to", &site.path("out")],
        &["--to <DIR>", "cannot be used with"],
    );
    let checked = output(
        muster(Path::new(&site.path("")))
            .args(["render", "--host", "web1", "--check"])
            .env("PATH", "/nonexistent")
            // `cargo xtask test` names the one it installed.
            .env_remove("KSVALIDATOR"),
    );
    let said = text(&checked.stdout);
    assert!(
        checked.status.success() && said.contains("note: ksvalidator is not installed"),
        "{said}"
    );
}

#[test]
fn words_of_installers_are_refused_where_they_are_entered() {
    let site = Site::with_profile();
    for (option, value, told) in [
        ("--timezone", "Europe/Berlim", "did you mean `Europe/Berlin`?"),
        ("--locale", "english", "en_US.UTF-8"),
        ("--keyboard", "US English", "de-latin1"),
        ("--packages", "vim;reboot", "packages = `vim;reboot`"),
        ("--users", "anna.group=wheel", "did you mean `groups`?"),
    ] {
        site.refuses(&["profile", "edit", "web", option, value], &[told]);
    }
    let help = site.does(&["profile", "edit", "--help"]);
    for part in [
        "USER.password_hash",
        "INTERFACE.vlan.id",
        "REPO.url",
        "post=motd,monitoring",
    ] {
        assert!(help.contains(part), "{part}: {help}");
    }
}
