//! `--dry-run`: what a change would do to installations, told before it is saved.

use super::cli_desired::Site;

/// A site with two hosts of profile `web`, whose disks are named.
fn site() -> Site {
    let site = Site::with_profile();
    for (name, mac) in [("web1", "52:54:00:77:00:01"), ("web2", "52:54:00:77:00:02")] {
        site.does(&[
            "host",
            "add",
            name,
            "--mac",
            mac,
            "--profile",
            "web",
            "--disk",
            "path=/dev/vda",
        ]);
    }
    site.does(&["host", "add", "bare", "--mac", "52:54:00:77:00:03"]);
    site
}

#[test]
fn the_boot_line_is_part_of_what_changes() {
    let site = site();
    let said = site.does(&[
        "profile",
        "edit",
        "web",
        "--kernel-options",
        "console=ttyS1 quiet",
        "--dry-run",
    ]);
    for part in [
        "host web1\n",
        "host web2\n",
        "-options ",
        "+options ",
        "console=ttyS1 quiet",
        "2 installations would change",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("bare"), "{said}");
    // The same words in another order are another line.
    let said = site.does(&[
        "profile",
        "edit",
        "web",
        "--kernel-options",
        "quiet console=ttyS0,115200",
        "--dry-run",
    ]);
    assert!(said.contains("quiet console=ttyS0,115200"), "{said}");
    let said = site.does(&["distro", "edit", "rocky9", "--kernel", "images/other", "--dry-run"]);
    assert!(
        said.contains("-kernel http://mirror/rocky9/images/pxeboot/vmlinuz")
            && said.contains("+kernel http://mirror/rocky9/images/other"),
        "{said}"
    );
    let said = site.does(&["host", "edit", "web2", "--timezone", "Asia/Shanghai", "--dry-run"]);
    assert!(
        said.contains("+timezone")
            && said.contains("host web2")
            && said.contains("1 installation would change; nothing"),
        "{said}"
    );
    let said = site.does(&["host", "edit", "web2", "--owners", "anna", "--dry-run"]);
    assert!(said.contains("0 installations would change"), "{said}");
    // Nothing of it was kept.
    let report = site.does(&["host", "report", "web2"]);
    assert!(
        !report.contains("Asia/Shanghai") && !report.contains("ttyS1"),
        "{report}"
    );
}

#[test]
fn who_could_not_be_installed_is_told_by_name() {
    let site = site();
    site.does(&["host", "add", "many", "--mac", "52:54:00:77:00:04", "--profile", "web"]);
    let said = site.does(&[
        "profile",
        "edit",
        "web",
        "--disk",
        "serial=S1",
        "--in-place",
        "--dry-run",
    ]);
    for part in [
        "host many: there would be no answer file: disk.serial",
        "1 host could not be installed",
    ] {
        assert!(said.contains(part) || said.contains("now as then"), "{part}: {said}");
    }
    let said = site.does(&["profile", "edit", "web", "--timezone", "Asia/Shanghai", "--dry-run"]);
    assert!(
        said.contains("host many: there is no answer file, now as then: disk:") && said.contains("2 installations"),
        "{said}"
    );
    // What would be refused is refused now.
    site.refuses(
        &["profile", "edit", "base", "--parent", "web", "--dry-run"],
        &["would stand on itself"],
    );
    site.refuses(
        &["host", "edit", "web1", "--hostname", "web2", "--dry-run"],
        &["host web2 is called that"],
    );
    site.refuses(
        &["profile", "add", "web", "--parent", "base", "--dry-run"],
        &["there is a profile of this name"],
    );
    let said = site.does(&["profile", "add", "db", "--parent", "base", "--dry-run"]);
    assert!(said.contains("nothing was changed"), "{said}");
    assert_eq!(site.names(&["profile", "list"]), ["base", "web"]);
}
