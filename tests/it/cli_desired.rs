//! Distros, profiles, hosts and snippets from the command line, and what is refused there.

use std::{fs, path::Path};

use tempfile::TempDir;

use super::cli::{folder, muster, output, text};

/// A site with a ledger, two subnets and, where told, a distro and a profile.
pub(crate) struct Site(TempDir);

impl Site {
    pub(crate) fn new() -> Self {
        let subnets = "[[dhcp.subnets]]\nnetwork = \"10.77.0.0/24\"\nmode = \"pool\"\nrouter = \"10.77.0.1\"\nranges = \
                       [\"10.77.0.100-10.77.0.199\"]\nreservations = [{ mac = \"52:54:00:77:00:99\", address = \
                       \"10.77.0.99\" }]\n";
        let dir = folder("127.0.0.1:0", subnets);
        let settings = dir.path().join("muster.toml");
        let text = fs::read_to_string(&settings).unwrap().replace(
            "[boot]\n",
            &format!("[boot]\ntree_dir = \"{}/trees\"\n", dir.path().display()),
        );
        fs::write(settings, text).unwrap();
        let site = Self(dir);
        site.does(&["migrate"]);
        site
    }

    pub(crate) fn with_profile() -> Self {
        let site = Self::new();
        site.does(&[
            "distro",
            "add",
            "rocky9",
            "--family",
            "redhat",
            "--os",
            "rocky",
            "--os-version",
            "9.4",
            "--arch",
            "x86_64",
            "--tree",
            "http://mirror/rocky9",
            "--kernel",
            "images/pxeboot/vmlinuz",
            "--initrd",
            "images/pxeboot/initrd.img",
            "--tags",
            "el",
        ]);
        site.does(&["profile", "add", "base", "--distro", "rocky9", "--timezone", "UTC"]);
        site.does(&[
            "profile",
            "add",
            "web",
            "--parent",
            "base",
            "--kernel-options",
            "console=ttyS0,115200 quiet",
        ]);
        site
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.path().join(name).to_string_lossy().into_owned()
    }

    /// What a command says that must do what it is told.
    pub(crate) fn does(&self, arguments: &[&str]) -> String {
        let done = output(muster(self.0.path()).args(arguments));
        assert!(done.status.success(), "{arguments:?}: {}", text(&done.stderr));
        text(&done.stdout)
    }

    /// What a command says, whatever comes of it.
    pub(crate) fn says(&self, arguments: &[&str]) -> String {
        text(&output(muster(self.0.path()).args(arguments)).stdout)
    }

    /// What a command says that must be refused, with each of `parts`.
    pub(crate) fn refuses(&self, arguments: &[&str], parts: &[&str]) {
        let done = output(muster(self.0.path()).args(arguments));
        let told = text(&done.stderr);
        assert!(!done.status.success(), "{arguments:?} was done: {}", text(&done.stdout));
        for part in parts {
            assert!(told.contains(part), "{arguments:?}: `{part}` is not in: {told}");
        }
    }

    pub(crate) fn json(&self, arguments: &[&str]) -> serde_json::Value {
        serde_json::from_str(&self.does(arguments)).unwrap()
    }

    /// The names that a command lists.
    pub(crate) fn names(&self, arguments: &[&str]) -> Vec<String> {
        let mut arguments = arguments.to_vec();
        arguments.push("--json");
        let found = self.json(&arguments);
        let name = |object: &serde_json::Value| object["name"].as_str().unwrap_or_default().to_owned();
        found.as_array().unwrap().iter().map(name).collect()
    }
}

#[test]
fn what_cannot_be_is_refused_where_it_is_entered() {
    let site = Site::with_profile();
    site.refuses(
        &["profile", "edit", "base", "--parent", "web"],
        &["parent = `profile web`", "would stand on itself", "choose a parent"],
    );
    site.refuses(
        &["profile", "add", "db", "--parent", "bass"],
        &["profile = `bass`", "there is no such profile", "did you mean `base`?"],
    );
    site.refuses(
        &["profile", "add", "db", "--distro", "rocky8"],
        &["distro = `rocky8`", "there is no such distro", "did you mean `rocky9`?"],
    );
    site.refuses(&["profile", "add", "db"], &["parent", "add --distro or --parent"]);
    site.refuses(
        &["profile", "add", "..", "--distro", "rocky9"],
        &["name = `..`", "the name cannot be used"],
    );
    site.refuses(
        &[
            "distro",
            "add",
            "x",
            "--family",
            "redhat",
            "--os",
            "rocky",
            "--os-version",
            "9",
            "--arch",
            "x86_64",
            "--tree",
            "srv/rocky",
            "--kernel",
            "vmlinuz",
            "--initrd",
            "../initrd",
        ],
        &["initrd = `../initrd`", "no path below the tree"],
    );

    for (mac, why) in [
        ("52:54:00:77:00", "it is no MAC address"),
        ("52:54:00:77:00:zz", "it is no MAC address"),
        ("ff:ff:ff:ff:ff:ff", "no interface has such an address"),
        ("01:00:5e:00:00:01", "no interface has such an address"),
    ] {
        site.refuses(
            &["host", "add", "web1", "--mac", mac],
            &[&format!("mac = `{mac}`"), why, "; write"],
        );
    }
    site.does(&["host", "add", "web1", "--mac", "52-54-00-77-00-01", "--profile", "web"]);
    site.refuses(
        &["host", "add", "web2", "--mac", "5254.0077.0001"],
        &["mac = `5254.0077.0001`", "an interface of host web1", "muster host"],
    );
    site.refuses(
        &["host", "add", "web1", "--mac", "52:54:00:77:00:02"],
        &["name = `web1`", "has this name", "choose another"],
    );
    site.refuses(
        &["host", "add", "52:54:00:77:00:02", "--mac", "52:54:00:77:00:02"],
        &["reads as a MAC or an id"],
    );
    site.refuses(
        &["host", "add", "web2", "--mac", "52:54:00:77:00:02", "--profile", "wep"],
        &["profile = `wep`", "did you mean `web`?"],
    );
    let address =
        |host: &str, address: &str| format!(r#"{{"interfaces": {{"{host}": {{"addresses": ["{address}"]}}}}}}"#);
    site.does(&[
        "host",
        "add",
        "web2",
        "--mac",
        "52:54:00:77:00:02",
        "--network",
        &address("eth0", "10.77.0.20/24"),
    ]);
    let path = "network.interfaces.eth0.addresses.0";
    for (wrong, why) in [
        ("10.78.0.5/24", "it lies in no configured subnet"),
        ("10.77.0.5/16", "does not fit the configured subnet 10.77.0.0/24"),
        ("10.77.0.255/24", "does not fit the configured subnet 10.77.0.0/24"),
        ("10.77.0.20/24", "the address is used by host web2"),
        ("10.77.0.1/24", "used by the router of subnet 10.77.0.0/24"),
        ("10.77.0.99/24", "used by the reservation of 52:54:00:77:00:99"),
    ] {
        let field = format!("{path} = `{wrong}`");
        site.refuses(
            &["host", "edit", "web1", "--network", &address("eth0", wrong)],
            &[&field, why, "; write"],
        );
    }
    for (gateway, why) in [
        ("10.77.1.1", "no address of a router in 10.77.0.0/24"),
        ("10.77.0.255", "no address of a router in 10.77.0.0/24"),
        ("10.77.0.31", "the interface's own address"),
    ] {
        let network =
            format!(r#"{{"interfaces": {{"eth0": {{"addresses": ["10.77.0.31/24"], "gateway": "{gateway}"}}}}}}"#);
        site.refuses(
            &["host", "edit", "web1", "--network", &network],
            &[
                &format!("network.interfaces.eth0.gateway = `{gateway}`"),
                why,
                "; write",
            ],
        );
    }
    for (host, name) in [("web1", "web2"), ("web2", "WEB1")] {
        site.refuses(
            &["host", "edit", host, "--hostname", name],
            &["hostname = `web", "is called that", "another domain"],
        );
    }
    site.does(&["host", "edit", "web1", "--hostname", "www", "--domain", "a.example.org"]);
    site.refuses(
        &["host", "edit", "web2", "--hostname", "www.a.example.org"],
        &["host web1 is called that"],
    );
    site.does(&["host", "edit", "web2", "--hostname", "www", "--domain", "b.example.org"]);
    site.does(&["host", "edit", "web1", "--hostname", "", "--domain", ""]);
    let twice =
        r#"{"interfaces": {"eth0": {"addresses": ["10.77.0.30/24"]}, "eth1": {"addresses": ["10.77.0.30/24"]}}}"#;
    site.refuses(
        &["host", "edit", "web1", "--network", twice],
        &["used by another interface of this host"],
    );
    site.refuses(
        &[
            "host",
            "edit",
            "web1",
            "--network",
            r#"{"interfaces": {"eth0": {"mac": "52:54:00:77"}}}"#,
        ],
        &[
            "network.interfaces.eth0.mac = `52:54:00:77`",
            "it is no MAC address",
            "six hex pairs",
        ],
    );
    site.refuses(
        &[
            "host",
            "edit",
            "web1",
            "--network",
            r#"{"interfaces": {"eth0": {"mac": "52:54:00:77:00:02"}}}"#,
        ],
        &["network.interfaces = `52:54:00:77:00:02`", "an interface of host web2"],
    );
    // Nothing of all that was kept.
    assert_eq!(site.names(&["host", "list"]), ["web1", "web2"]);
    assert_eq!(site.names(&["profile", "list"]), ["base", "web"]);
    assert!(!site.does(&["host", "report", "web1"]).contains("10.77.0"));
}

#[test]
fn hosts_are_entered_found_copied_renamed_and_removed() {
    let site = Site::with_profile();
    site.does(&["host", "add", "web1", "--mac", "52:54:00:77:00:01", "--mac", "52:54:00:77:00:11", "--profile", "web",
        "--hostname", "www", "--tags", "rack7 blue", "--network",
        r#"{"interfaces": {"eth0": {"mac": "52:54:00:77:00:01", "addresses": ["10.77.0.20/24"], "gateway": "10.77.0.1"}}}"#]);
    let said = site.does(&["host", "copy", "web1", "web2", "--mac", "52:54:00:77:00:02"]);
    assert!(
        said.contains("not copied")
            && said.contains(
                "hostname, network.interfaces.eth0.mac, network.interfaces.eth0.addresses, \
                 network.interfaces.eth0.gateway"
            ),
        "{said}"
    );
    let copied = site.json(&["host", "report", "web2", "--json"]);
    assert_eq!(copied["values"]["network"]["interfaces"]["eth0"], serde_json::json!({}));
    assert_eq!(copied["macs"], serde_json::json!(["52:54:00:77:00:02"]));
    assert_eq!((&copied["name"], &copied["distro"]), (&"web2".into(), &"rocky9".into()));
    assert_eq!(copied["values"]["tags"].as_array().unwrap().len(), 3, "{copied:#}");
    site.does(&["host", "add", "db1", "--mac", "52:54:00:77:00:03"]);

    for (conditions, found) in [
        (vec!["name=web*"], vec!["web1", "web2"]),
        (vec!["profile=base"], vec!["web1", "web2"]),
        (vec!["distro=rocky*", "hostname=www"], vec!["web1"]),
        (vec!["mac=*:11"], vec!["web1"]),
        (vec!["kernel_options.console=ttys0*"], vec!["web1", "web2"]),
        (vec!["kernel-options=quiet", "name=web2"], vec!["web2"]),
        (vec!["tags=rack7"], vec!["web1", "web2"]),
        (vec!["profile="], vec!["db1"]),
        (vec!["state=discovered", "timezone="], vec!["db1"]),
        (vec!["name=x*"], vec![]),
        (vec!["tag:rack7", "or", "db1"], vec!["web1", "web2", "db1"]),
        (vec!["profile:web -tag:el hostname"], vec![]),
        (vec!["(tag:blue mac:*:02) or name:db?"], vec!["web2", "db1"]),
        (vec!["hostname=www", "profile:web tag:blue"], vec!["web1"]),
    ] {
        let mut arguments = vec!["host", "find"];
        arguments.extend(&conditions);
        assert_eq!(site.names(&arguments), found, "{conditions:?}");
    }
    site.refuses(
        &["host", "find", "profil=web"],
        &[
            "profil=web",
            "^^^^^^",
            "no field is called `profil`; did you mean `profile`?",
        ],
    );
    assert_eq!(site.names(&["profile", "find", "timezone=UTC", "parent=base"]), ["web"]);
    assert_eq!(
        site.names(&["distro", "find", "os=rocky", "tags=el", "tree=http*"]),
        ["rocky9"]
    );
    assert!(
        site.does(&["host", "list"])
            .contains("web1  web      assigned    52:54:00:77:00:01 52:54:00:77:00:11")
    );

    site.refuses(&["host", "rename", "web1", "web2"], &["name = `web2`", "has this name"]);
    site.does(&["host", "rename", "52:54:00:77:00:11", "www1"]);
    assert_eq!(site.names(&["host", "find", "hostname=www"]), ["www1"]);
    assert!(site.does(&["host", "report", "www1"]).contains("host www1"));
    assert!(site.does(&["hosts", "www1"]).contains("www1"));
    // A host that was only entered ends with its plan; its interface can be entered again.
    assert!(site.does(&["host", "remove", "web2"]).contains("never heard of"));
    site.does(&["host", "add", "web3", "--mac", "52:54:00:77:00:02"]);
    assert_eq!(site.names(&["host", "list"]), ["www1", "db1", "web3"]);
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

#[test]
fn a_tree_is_imported_or_refused_with_what_is_missing() {
    let site = Site::new();
    let tree = site.0.path().join("trees/rocky9");
    site.refuses(
        &["distro", "import", &site.path("nowhere"), "--name", "x"],
        &["nowhere cannot be read"],
    );
    fs::create_dir_all(&tree).unwrap();
    let folder = site.path("trees/rocky9");
    site.refuses(
        &["distro", "import", &folder, "--name", "rocky9"],
        &[
            "no installation tree that Muster knows",
            ".treeinfo",
            "media.1/media",
            "muster distro add",
        ],
    );
    let info = "[general]\nfamily = Rocky Linux\nversion = 9.4\narch = x86_64\n";
    write(&tree.join(".treeinfo"), info);
    write(&tree.join("images/pxeboot/initrd.img"), "initrd");
    site.refuses(
        &["distro", "import", &folder, "--name", "rocky9"],
        &[
            "the tree has no kernel",
            "looked for images/pxeboot/vmlinuz",
            "muster distro add",
        ],
    );
    assert_eq!(site.names(&["distro", "list"]), Vec::<String>::new());
    write(&tree.join("images/pxeboot/vmlinuz"), "kernel");
    let said = site.does(&["distro", "import", &folder, "--name", "rocky9"]);
    for part in [
        ".treeinfo                  Rocky Linux 9.4 for x86_64",
        "made distro rocky9: rocky 9.4 for x86_64, family redhat",
        "is served as /boot/tree/rocky9",
        "note: there are no packages here",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    site.refuses(
        &["distro", "import", &folder, "--name", "rocky9"],
        &["name = `rocky9`", "there is a distro of this name"],
    );
    let known = site.json(&["distro", "list", "--json"]);
    assert_eq!(known[0]["kernel"], "images/pxeboot/vmlinuz");
    write(&site.0.path().join("notes.txt"), "no image");
    site.refuses(
        &["distro", "import", &site.path("notes.txt"), "--name", "x"],
        &["neither a folder nor an ISO 9660 image"],
    );
    site.refuses(
        &["distro", "import", &folder, "--name", "../x"],
        &["name = `../x`", "the name cannot be used"],
    );
}

#[test]
fn a_snippet_of_the_site_is_written_when_it_renders() {
    let site = Site::with_profile();
    site.does(&["profile", "edit", "web", "--vars", "role=web"]);
    let setting = format!("templates.dir={}", site.path("templates"));
    let with = |arguments: &[&str]| {
        let mut all = vec!["--set", &setting, "snippet"];
        all.extend(arguments);
        all.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let run = |arguments: &[&str]| with(arguments);
    let does = |arguments: &[&str]| site.does(&run(arguments).iter().map(String::as_str).collect::<Vec<_>>());
    let refuses = |arguments: &[&str], parts: &[&str]| {
        site.refuses(&run(arguments).iter().map(String::as_str).collect::<Vec<_>>(), parts);
    };
    assert!(does(&["list"]).contains("redhat/partitions"));
    let own = site.path("own");
    fs::write(&own, "# {{ role }} of {{ hostnam }}\n").unwrap();
    refuses(
        &["add", "redhat/motd", "--file", &own],
        &[
            "snippet `redhat/motd` is not written",
            "site/snippets/redhat/motd",
            "hostname",
        ],
    );
    fs::write(&own, "# {{ role }} of {{ hostname }}\n").unwrap();
    does(&["add", "redhat/motd", "--file", &own]);
    assert_eq!(does(&["show", "redhat/motd"]), "# {{ role }} of {{ hostname }}\n");
    refuses(
        &["add", "../motd", "--file", &own],
        &["snippet `../motd`", "the name cannot be used"],
    );
    refuses(
        &["show", "redhat/motd", "--built-in"],
        &["there is none that comes with Muster"],
    );

    // Over one that comes with Muster.
    let shipped = does(&["show", "redhat/partitions"]);
    fs::write(&own, format!("# ours\n{shipped}")).unwrap();
    does(&["add", "redhat/partitions", "--file", &own]);
    let listed = does(&["list"]);
    assert!(
        listed.contains("redhat/partitions") && listed.contains("built-in (the site's is used)"),
        "{listed}"
    );
    assert!(does(&["show", "redhat/partitions"]).starts_with("# ours"));
    assert_eq!(does(&["show", "redhat/partitions", "--built-in"]), shipped);
    fs::write(&own, "{{ refuse('broken') }}\n").unwrap();
    refuses(
        &["add", "redhat/partitions", "--file", &own],
        &["is not written", "fails"],
    );
    assert!(does(&["show", "redhat/partitions"]).starts_with("# ours"));
    let said = does(&["remove", "redhat/partitions"]);
    assert!(said.contains("comes with Muster is used"), "{said}");
    does(&["remove", "redhat/motd"]);
    refuses(&["remove", "redhat/motd"], &["there is none of the site"]);
    assert_eq!(
        fs::read_dir(site.0.path().join("templates/snippets/redhat"))
            .unwrap()
            .count(),
        0
    );
}
