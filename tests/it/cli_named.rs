//! What is named where something is wanted has to be there: trees, templates, snippets.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::Path,
};

use super::cli_desired::Site;

fn write(path: &str, text: &str) {
    let path = Path::new(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn distro<'a>(name: &'a str, tree: &'a str, kernel: &'a str, arch: &'a str) -> Vec<&'a str> {
    vec![
        "distro",
        "add",
        name,
        "--family",
        "debian",
        "--os",
        "debian",
        "--os-version",
        "13",
        "--arch",
        arch,
        "--tree",
        tree,
        "--kernel",
        kernel,
        "--initrd",
        "initrd.gz",
    ]
}

#[test]
fn a_distro_that_cannot_be_installed_is_refused_where_it_is_entered() {
    let site = Site::new();
    let (tree, outside) = (site.path("trees/debian13"), site.path("elsewhere"));
    write(&format!("{outside}/linux"), "kernel");
    write(&format!("{outside}/initrd.gz"), "initrd");
    site.refuses(
        &distro("debian13", &tree, "linux", "x86_64"),
        &["tree = `", "there is no such folder on this server", "or its URL"],
    );
    write(&format!("{tree}/initrd.gz"), "initrd");
    site.refuses(
        &distro("debian13", &tree, "linux", "x86_64"),
        &[
            "kernel = `linux`",
            "there is no such file in the tree",
            "muster distro import",
        ],
    );
    write(&format!("{tree}/linux"), "kernel");
    site.refuses(
        &distro("debian13", &tree, "linux", "amd64"),
        &["arch = `amd64`", "write x86_64"],
    );
    site.refuses(
        &distro("debian13", &tree, "linux", "riscv64"),
        &["arch = `riscv64`", "write x86_64 or aarch64"],
    );
    let mut etc = distro("debian13", "/etc", "passwd", "x86_64");
    if let Some(initrd) = etc.last_mut() {
        *initrd = "group";
    }
    site.refuses(&etc, &["tree = `/etc`", "outside of the folders"]);
    site.refuses(
        &distro("debian13", &outside, "linux", "x86_64"),
        &[
            "tree = `",
            "outside of the folders that trees are served from",
            "boot.tree_roots",
        ],
    );
    // Where the site says so, and everybody may read it.
    for folder in [site.path(""), outside.clone()] {
        fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let roots = format!("boot.tree_roots=[\"{outside}\"]");
    let mut set = vec!["--set", roots.as_str()];
    set.extend(distro("far", &outside, "linux", "x86_64"));
    site.does(&set);
    site.does(&distro("debian13", &tree, "linux", "x86_64"));
    symlink(&outside, site.path("trees/linked")).unwrap();
    site.does(&distro("linked", &site.path("trees/linked"), "linux", "x86_64"));
    // A mount that is away for a while is no reason to refuse another word.
    fs::remove_file(format!("{tree}/linux")).unwrap();
    site.does(&["distro", "edit", "debian13", "--timezone", "UTC"]);
    let said = site.says(&["check", "--no-probe"]);
    for part in ["debian13: kernel = `linux`: there is no such file", "far: tree = `"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    assert!(!said.contains("linked:"), "{said}");
}

#[test]
fn snippets_and_templates_that_are_named_have_to_be_there() {
    let site = Site::with_profile();
    let setting = format!("templates.dir={}", site.path("templates"));
    let with = |arguments: &[&'static str]| -> Vec<String> {
        let mut all = vec!["--set".to_owned(), setting.clone()];
        all.extend(arguments.iter().map(|word| (*word).to_owned()));
        all
    };
    let words = |all: &[String]| all.iter().map(String::as_str).map(str::to_owned).collect::<Vec<_>>();
    let does = |arguments: &[&'static str]| {
        let all = words(&with(arguments));
        site.does(&all.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let refuses = |arguments: &[&'static str], parts: &[&str]| {
        let all = words(&with(arguments));
        site.refuses(&all.iter().map(String::as_str).collect::<Vec<_>>(), parts);
    };
    refuses(
        &["profile", "edit", "web", "--scripts", r#"{"post": ["motd"]}"#],
        &[
            "scripts.post = `motd`",
            "there is no such snippet",
            "muster snippet add",
        ],
    );
    refuses(
        &["profile", "edit", "web", "--template", "redhat/defualt.ks"],
        &["template = `redhat/defualt.ks`", "did you mean `redhat/default.ks`?"],
    );
    write(&site.path("templates/snippets/motd"), "echo welcome > /etc/motd\n");
    write(&site.path("templates/snippets/own"), "echo own\n");
    does(&["profile", "edit", "web", "--scripts", r#"{"post": ["motd"]}"#]);
    does(&[
        "host",
        "add",
        "web1",
        "--mac",
        "52:54:00:77:00:01",
        "--profile",
        "web",
        "--scripts",
        r#"{"pre": ["own"]}"#,
    ]);
    refuses(
        &["snippet", "remove", "motd"],
        &["snippet `motd` is not removed", "profile web (scripts.post)"],
    );
    refuses(&["snippet", "remove", "own"], &["host web1 (scripts.pre)"]);
    write(&site.path("templates/snippets/inner"), "echo inner\n");
    write(
        &site.path("templates/redhat/own.ks"),
        "{% include snippet(\"inner\") %}\n",
    );
    refuses(&["snippet", "remove", "inner"], &["template site/redhat/own.ks"]);
    // Another one of the name is found then.
    write(&site.path("templates/snippets/redhat/motd"), "echo red > /etc/motd\n");
    does(&["snippet", "remove", "motd"]);
    does(&["host", "edit", "web1", "--scripts", ""]);
    does(&["snippet", "remove", "own"]);
    fs::remove_file(site.path("templates/snippets/inner")).unwrap();
    let all = with(&["template", "check", "--quick"]);
    let said = site.says(&all.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(
        said.contains("site/redhat/own.ks:1: there is no snippet `inner`"),
        "{said}"
    );
}

#[test]
fn lists_change_in_place_and_rules_are_copied_and_renamed() {
    let site = Site::with_profile();
    site.does(&["profile", "edit", "web", "--packages", "vim git"]);
    site.does(&["profile", "edit", "web", "--packages", "curl ~git", "--in-place"]);
    let report = site.json(&["profile", "report", "web", "--json"]);
    assert_eq!(report["values"]["packages"], serde_json::json!(["vim", "curl"]));
    assert_eq!(
        (&report["stands_on"], &report["distro"]),
        (&"profile base".into(), &"rocky9".into())
    );
    site.refuses(
        &["profile", "edit", "web", "--packages", "~vim"],
        &["packages = `~vim`", "--in-place"],
    );
    let own = site.does(&["distro", "report", "rocky9"]);
    assert!(
        own.contains("(kernel)") && own.contains("images/pxeboot/vmlinuz"),
        "{own}"
    );

    site.does(&[
        "rule",
        "add",
        "dell",
        "--when",
        "vendor is like(\"Dell*\")",
        "--tags",
        "{{ vendor | lower }} web",
    ]);
    site.does(&["rule", "copy", "dell", "lenovo"]);
    site.refuses(
        &["rule", "rename", "lenovo", "dell"],
        &["name = `dell`", "there is a rule of this name"],
    );
    site.does(&["rule", "rename", "lenovo", "thinkpads"]);
    assert_eq!(site.names(&["rule", "list"]), ["dell", "thinkpads"]);
    site.refuses(&["rule", "edit", "dell", "--tags", "{{ vendr }}"], &["tags", "vendor"]);
}
