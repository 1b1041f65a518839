//! Trees in the shape that the distributions publish them.

use std::collections::BTreeMap;

use super::*;

/// Files with their texts; what only has to be there is empty.
#[derive(Default)]
struct Files(BTreeMap<String, String>);

impl Files {
    fn new<const N: usize>(files: [(&str, &str); N]) -> Self {
        Self(files.map(|(path, text)| (path.to_owned(), text.to_owned())).into())
    }

    fn with(mut self, paths: &[&str]) -> Self {
        for path in paths {
            self.0.insert((*path).to_owned(), String::new());
        }
        self
    }
}

impl TreeView for Files {
    fn text(&self, path: &str) -> Option<String> {
        self.0.get(path).cloned()
    }

    fn has(&self, path: &str) -> bool {
        self.0.contains_key(path)
    }

    fn names(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = self
            .0
            .keys()
            .filter_map(|path| path.strip_prefix(folder)?.strip_prefix('/')?.split('/').next())
            .map(str::to_owned)
            .collect();
        names.dedup();
        names
    }
}

/// As productmd writes it for RHEL 8 and later and Fedora.
fn treeinfo(family: &str, version: &str, arch: &str, repository: &str) -> String {
    format!(
        "[checksums]\nimages/pxeboot/vmlinuz = sha256:feb72d41\n\n[general]\n; WARNING.0 = This section provides compatibility \
         with pre-productmd treeinfos.\narch = {arch}\nfamily = {family}\nname = {family} {version}\npackagedir = \nplatforms = \
         {arch},xen\nrepository = {repository}\ntimestamp = 1714000000\nvariant = BaseOS\nversion = {version}\n\n[header]\ntype = \
         productmd.treeinfo\nversion = 1.2\n\n[images-{arch}]\nboot.iso = images/boot.iso\ninitrd = \
         images/pxeboot/initrd.img\nkernel = images/pxeboot/vmlinuz\n\n[release]\nname = {family}\nshort = X\nversion = \
         {version}\n\n[stage2]\nmainimage = images/install.img\n\n[variant-BaseOS]\nid = BaseOS\nrepository = {repository}\n"
    )
}

fn anaconda(name: &str, text: &str, repository: &str) -> Files {
    Files::new([(name, text)]).with(&[
        "images/pxeboot/vmlinuz",
        "images/pxeboot/initrd.img",
        "images/install.img",
        &format!("{repository}repodata/repomd.xml"),
    ])
}

fn see(files: &Files) -> Recognised {
    recognise(files, &Choice::default()).unwrap_or_else(|fault| panic!("{fault}"))
}

fn refused(files: &Files) -> String {
    recognise(files, &Choice::default()).expect_err("refused").to_string()
}

fn named(found: &Recognised) -> (&str, &str, &str, &str) {
    (found.family.as_str(), &found.id, &found.version, found.arch.as_str())
}

#[test]
fn trees_of_anaconda_say_what_they_are() {
    for (family, version, arch, id, is) in [
        ("Red Hat Enterprise Linux", "8.10", "x86_64", "rhel", "8.10"),
        ("Red Hat Enterprise Linux", "10.0", "aarch64", "rhel", "10.0"),
        ("Rocky Linux", "9.4", "x86_64", "rocky", "9.4"),
        ("Rocky Linux Minimal", "9.7", "aarch64", "rocky", "9.7"),
        ("AlmaLinux", "8.10", "x86_64", "alma", "8.10"),
        ("CentOS Stream", "9", "x86_64", "centos-stream", "9"),
        ("CentOS Stream", "10", "aarch64", "centos-stream", "10"),
        ("CentOS Linux", "8", "x86_64", "centos", "8"),
        ("Fedora", "42", "x86_64", "fedora", "42"),
        ("openEuler", "24.03-LTS", "aarch64", "openeuler", "24.03"),
        ("Anolis OS", "8.9", "x86_64", "anolis", "8.9"),
        ("Anolis OS", "23.1", "x86_64", "anolis", "23.1"),
    ] {
        let files = anaconda(".treeinfo", &treeinfo(family, version, arch, "BaseOS"), "BaseOS/");
        let found = see(&files);
        assert_eq!(named(&found), ("redhat", id, is, arch), "{family}");
        assert_eq!(found.kernel, "images/pxeboot/vmlinuz");
        assert_eq!(found.initrd, "images/pxeboot/initrd.img");
        assert_eq!(found.cautions, Vec::<String>::new(), "{family}");
        assert_eq!(found.reasons[0].file, ".treeinfo");
        assert_eq!(found.reasons[0].says, format!("{family} {version} for {arch}"));
    }
    let euler = see(&anaconda(
        "treeinfo",
        &treeinfo("openEuler", "22.03-LTS-SP4", "x86_64", ""),
        "",
    ));
    assert_eq!(
        (euler.version.as_str(), euler.codename.as_deref()),
        ("22.03", Some("LTS-SP4"))
    );
}

#[test]
fn older_trees_are_known_too() {
    let centos = "[general]\nname = CentOS-7\nfamily = CentOS\ntimestamp = 1604001756.77\nvariant = \nversion = 7\npackagedir = \
                  \narch = x86_64\n\n[stage2]\nmainimage = LiveOS/squashfs.img\n\n[images-x86_64]\nkernel = \
                  images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\nboot.iso = images/boot.iso\n\n[images-xen]\nkernel \
                  = images/pxeboot/vmlinuz\ninitrd = images/pxeboot/initrd.img\n";
    let files = anaconda(".treeinfo", centos, "");
    assert_eq!(named(&see(&files)), ("redhat", "centos", "7", "x86_64"));

    // Only .discinfo: RHEL 7 names itself there, later ones beside it.
    let rhel = anaconda(
        ".discinfo",
        "1593510010.146014\nRed Hat Enterprise Linux 7.9\nx86_64\n",
        "",
    );
    assert_eq!(named(&see(&rhel)), ("redhat", "rhel", "7.9", "x86_64"));
    let mut nameless = anaconda(".discinfo", "1714000000.13\n9.4\nx86_64\nALL\n", "");
    assert!(
        refused(&nameless).contains("nothing in it names the system"),
        "{}",
        refused(&nameless)
    );
    nameless.0.insert(
        "media.repo".into(),
        "[InstallMedia]\nname=Red Hat Enterprise Linux 9.4.0\nmediaid=None\n".into(),
    );
    assert_eq!(named(&see(&nameless)), ("redhat", "rhel", "9.4", "x86_64"));
}

#[test]
fn half_a_tree_is_told_of() {
    let text = treeinfo("Rocky Linux", "9.4", "x86_64", "BaseOS");
    // boot.iso: an installer without packages.
    let boot =
        Files::new([(".treeinfo", text.as_str())]).with(&["images/pxeboot/vmlinuz", "images/pxeboot/initrd.img"]);
    let cautions = see(&boot).cautions.join("\n");
    assert!(
        cautions.contains("no packages here") && cautions.contains("second stage"),
        "{cautions}"
    );

    let no_kernel = Files::new([(".treeinfo", text.as_str())]).with(&["images/pxeboot/initrd.img"]);
    let fault = refused(&no_kernel);
    for part in [
        "has no kernel",
        "found .treeinfo",
        "looked for images/pxeboot/vmlinuz",
        "muster distro add",
    ] {
        assert!(fault.contains(part), "{part}: {fault}");
    }
    let no_initrd = Files::new([(".treeinfo", text.as_str())]).with(&["images/pxeboot/vmlinuz"]);
    assert!(refused(&no_initrd).contains("has no initrd"), "{}", refused(&no_initrd));
    let fault = refused(&Files::new([(".treeinfo", text.as_str())]));
    assert!(fault.contains("neither kernel nor initrd"), "{fault}");
    // A tree that leads out of itself has no kernel.
    let outside = text.replace("images/pxeboot/vmlinuz\n", "../../boot/vmlinuz\n");
    assert!(refused(&Files::new([(".treeinfo", outside.as_str())])).contains("neither kernel nor initrd"));
}

#[test]
fn what_is_not_known_is_refused_with_what_was_looked_for() {
    let fault = refused(&Files::default());
    for part in [
        "no installation tree that Muster knows",
        ".treeinfo",
        ".disk/info",
        "media.1/media",
        ".discinfo",
        "version.info",
        "dists/RELEASE/main/installer-amd64/current/images/netboot/debian-installer/amd64/linux",
        "muster distro add",
    ] {
        assert!(fault.contains(part), "{part}: {fault}");
    }
    let kylin = treeinfo("Kylin Linux Advanced Server", "V10", "x86_64", "");
    assert!(refused(&anaconda(".treeinfo", &kylin, "")).contains("does not know"));
    let power = treeinfo("Rocky Linux", "9.4", "ppc64le", "");
    assert!(refused(&anaconda(".treeinfo", &power, "")).contains("ppc64le"));
    let other = Choice {
        arch: Some(Arch::Aarch64),
        codename: None,
    };
    let rocky = anaconda(".treeinfo", &treeinfo("Rocky Linux", "9.4", "x86_64", ""), "");
    let fault = recognise(&rocky, &other).expect_err("another processor").to_string();
    assert!(fault.contains("for x86_64, not for aarch64"), "{fault}");
}

#[test]
fn debian_is_known_as_mirror_image_and_netboot_folder() {
    let folder = "dists/bookworm/main/installer-amd64/current/images/netboot/debian-installer/amd64";
    let release = "Origin: Debian\nLabel: Debian\nSuite: oldstable\nVersion: 12.11\nCodename: bookworm\nArchitectures: all amd64 \
                   arm64\nMD5Sum:\n 0123 1 main/x\n";
    let mirror = || {
        Files::new([
            ("dists/bookworm/Release", release),
            ("dists/oldstable/Release", release),
        ])
        .with(&[&format!("{folder}/linux"), &format!("{folder}/initrd.gz")])
    };
    let found = see(&mirror());
    assert_eq!(named(&found), ("debian", "debian", "12", "x86_64"));
    assert_eq!(
        (found.codename.as_deref(), found.kernel),
        (Some("bookworm"), format!("{folder}/linux"))
    );

    // A whole mirror holds several; one is chosen.
    let arm = folder.replace("bookworm", "trixie").replace("amd64", "arm64");
    let trixie = release.replace("bookworm", "trixie").replace("12.11", "13.1");
    let mut both = mirror().with(&[&format!("{arm}/linux"), &format!("{arm}/initrd.gz")]);
    both.0.insert("dists/trixie/Release".into(), trixie);
    let fault = refused(&both);
    assert!(
        fault.contains("bookworm for x86_64, trixie for aarch64; ") || fault.contains("--codename"),
        "{fault}"
    );
    let choice = Choice {
        arch: None,
        codename: Some("trixie".into()),
    };
    let found = recognise(&both, &choice).expect("chosen");
    assert_eq!(named(&found), ("debian", "debian", "13", "aarch64"));

    let netinst = "Debian GNU/Linux 13.1.0 \"Trixie\" - Official arm64 NETINST with firmware 20250906-10:22\n";
    let found = see(&Files::new([(".disk/info", netinst)]).with(&["install.a64/vmlinuz", "install.a64/initrd.gz"]));
    assert_eq!(named(&found), ("debian", "debian", "13", "aarch64"));
    assert_eq!(found.kernel, "install.a64/vmlinuz");
    assert!(found.cautions[0].contains("looks for its disc"), "{:?}", found.cautions);

    let info = "Debian version:  11 (bullseye)\nInstaller build: 20210731+deb11u11\n";
    let found = see(&Files::new([("version.info", info)])
        .with(&["debian-installer/amd64/linux", "debian-installer/amd64/initrd.gz"]));
    assert_eq!(named(&found), ("debian", "debian", "11", "x86_64"));
    assert_eq!(
        found.on_mirror.map(|(kernel, _)| kernel),
        Some(format!("{}/linux", folder.replace("bookworm", "bullseye")))
    );
    let fault = refused(&Files::new([("version.info", info)]).with(&["debian-installer/amd64/linux"]));
    assert!(
        fault.contains("no initrd") && fault.contains("debian-installer/amd64/initrd.gz"),
        "{fault}"
    );
}

#[test]
fn ubuntu_is_known_by_its_live_image() {
    for (info, version, codename, arch) in [
        (
            "Ubuntu-Server 22.04.5 LTS \"Jammy Jellyfish\" - Release amd64 (20240911)",
            "22.04",
            "jammy",
            "x86_64",
        ),
        (
            "Ubuntu-Server 24.04.1 LTS \"Noble Numbat\" - Release arm64 (20240827)",
            "24.04",
            "noble",
            "aarch64",
        ),
        (
            "Ubuntu-Server 26.04 LTS \"Resolute Raccoon\" - Release amd64 (20260423)",
            "26.04",
            "resolute",
            "x86_64",
        ),
    ] {
        let files = Files::new([(".disk/info", info)]).with(&[
            "casper/vmlinuz",
            "casper/initrd",
            "casper/install-sources.yaml",
            "installer.iso",
        ]);
        let found = see(&files);
        assert_eq!(named(&found), ("ubuntu", "ubuntu", version, arch));
        assert_eq!(
            (found.codename.as_deref(), found.kernel.as_str()),
            (Some(codename), "casper/vmlinuz")
        );
        assert_eq!(found.cautions, Vec::<String>::new());
    }
    let bare = Files::new([(
        ".disk/info",
        "Ubuntu 24.04 LTS \"Noble Numbat\" - Release amd64 (20240424)",
    )])
    .with(&["casper/vmlinuz", "casper/initrd"]);
    let cautions = see(&bare).cautions.join("\n");
    assert!(
        cautions.contains("installer.iso") && cautions.contains("subiquity"),
        "{cautions}"
    );
    let empty = Files::new([(
        ".disk/info",
        "Ubuntu-Server 24.04 LTS \"Noble Numbat\" - Release amd64 (20240424)",
    )]);
    assert!(
        refused(&empty).contains("looked for casper/hwe-initrd"),
        "{}",
        refused(&empty)
    );
}

#[test]
fn suse_is_known_by_its_media() {
    let loader = ["boot/x86_64/loader/linux", "boot/x86_64/loader/initrd"];
    let leap = Files::new([
        (
            "media.1/media",
            "openSUSE - openSUSE-Leap-15.6-NET-x86_64-Build710.3-Media\nopenSUSE-Leap-15.6-NET-x86_64-Build710.3\n1\n",
        ),
        ("media.1/products", "/ openSUSE-Leap 15.6-1\n"),
    ])
    .with(&loader);
    let found = see(&leap);
    assert_eq!(named(&found), ("suse", "opensuse-leap", "15.6", "x86_64"));
    assert_eq!(found.kernel, loader[0]);
    assert_eq!(found.reasons[1].says, "`openSUSE-Leap 15.6-1`");

    let sles = Files::new([(
        "media.1/media",
        "SUSE - SLE-15-SP5-Full-aarch64-Build101.1-Media\nSLE-15-SP5-Full-aarch64-Build101.1\n1\n",
    )])
    .with(&["boot/aarch64/linux", "boot/aarch64/initrd"]);
    let found = see(&sles);
    assert_eq!(named(&found), ("suse", "sles", "15.5", "aarch64"));
    assert_eq!(found.initrd, "boot/aarch64/initrd");

    let info = "[release]\nname = openSUSE Leap\nversion = 15.6\n\n[general]\narch = x86_64\nfamily = openSUSE Leap\nname = \
                openSUSE Leap 15.6\nversion = 15.6\nplatforms = x86_64,xen\n\n[images-x86_64]\nkernel = \
                boot/x86_64/loader/linux\ninitrd = boot/x86_64/loader/initrd\n";
    assert_eq!(
        named(&see(&Files::new([(".treeinfo", info)]).with(&loader))),
        ("suse", "opensuse-leap", "15.6", "x86_64")
    );
    let rolling = Files::new([(
        "media.1/media",
        "openSUSE - openSUSE-Tumbleweed-DVD-x86_64-Build2147.2-Media\n",
    )])
    .with(&loader);
    assert!(refused(&rolling).contains("does not know"), "{}", refused(&rolling));
    let empty = Files::new([("media.1/media", "SUSE - SLE-15-SP5-Full-x86_64-Build101.1-Media\n")]);
    assert!(
        refused(&empty).contains("boot/x86_64/loader/linux"),
        "{}",
        refused(&empty)
    );
}
