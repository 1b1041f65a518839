//! RHEL and its kin, Fedora, openEuler, Anolis: Anaconda's trees.

use super::{Arch, Found, Look, NotRecognised, Recognised, major, number, treeinfo::TreeInfo};
use crate::desired::Family;

/// How these systems name themselves, in lower case, what Muster calls them, and the versions its templates are made
/// for. The first that fits counts.
const SYSTEMS: &[(&str, &str, u32, u32)] = &[
    ("rocky", "rocky", 8, 10),
    ("alma", "alma", 8, 10),
    ("centos stream", "centos-stream", 8, 10),
    ("centos-stream", "centos-stream", 8, 10),
    ("centos", "centos", 7, 8),
    ("red hat enterprise linux", "rhel", 7, 10),
    ("rhel", "rhel", 7, 10),
    ("fedora", "fedora", 40, 44),
    ("openeuler", "openeuler", 22, 24),
    ("anolis", "anolis", 8, 23),
];

fn system(name: &str) -> Option<(&'static str, u32, u32)> {
    let name = name.to_lowercase();
    SYSTEMS
        .iter()
        .find(|(word, ..)| name.contains(word))
        .map(|(_, id, from, to)| (*id, *from, *to))
}

pub(super) fn of_treeinfo(
    look: &mut Look<'_>,
    file: &str,
    info: &TreeInfo,
    family: &str,
    version: &str,
    arch: Arch,
) -> Result<Recognised, NotRecognised> {
    let Some(known) = system(family) else {
        return Err(look.refuse(
            &format!("{file} names `{family}`, which Muster does not know"),
            "if it is installed by a kickstart, enter it with `muster distro add --family redhat`",
        ));
    };
    let pairs: Vec<(String, String)> = info.images(arch.as_str()).into_iter().chain([usual()]).collect();
    let repositories: Vec<String> = info.repositories().into_iter().map(str::to_owned).collect();
    let mut found = finish(look, known, version, arch, &pairs, &repositories)?;
    // A tree of CentOS Linux names its major version as its system does; some others name theirs in .discinfo only.
    if !found.version.contains('.')
        && known.0 == "rhel"
        && let Some((file, text)) = look.text(&[".discinfo"])
        && let Some(finer) = text.lines().nth(1).and_then(release_number)
        && major(finer) == found.version
    {
        look.saw(&file, format!("release {finer}"));
        finer.clone_into(&mut found.version);
        found.reasons.append(&mut look.reasons);
    }
    Ok(found)
}

/// `.discinfo`: when it was made, which release, for which processor. Only some name the system there, so what lies
/// beside it is asked too.
pub(super) fn look_at_discinfo(look: &mut Look<'_>) -> Found {
    let Some((file, text)) = look.text(&[".discinfo"]) else {
        return Ok(None);
    };
    let mut lines = text.lines().map(str::trim);
    let (Some(made), Some(release), Some(arch)) = (lines.next(), lines.next(), lines.next()) else {
        return Ok(None);
    };
    if made.parse::<f64>().is_err() {
        return Ok(None);
    }
    look.saw(&file, format!("release `{release}` for {arch}"));
    let named = system(release).map(|known| (known, release.to_owned())).or_else(|| {
        let (file, text) = look.text(&["media.repo"])?;
        let name = TreeInfo::read(&text).get("InstallMedia", "name")?.to_owned();
        let known = system(&name)?;
        look.saw(&file, format!("`{name}`"));
        Some((known, name))
    });
    let Some((known, name)) = named else {
        return Err(look.refuse(
            "the tree is one of Anaconda's, and nothing in it names the system",
            "enter it with `muster distro add --family redhat --os rocky --os-version 9.4 …`",
        ));
    };
    let Some(version) = release_number(release).or_else(|| release_number(&name)) else {
        return Err(look.refuse(
            "nothing in the tree names the version",
            "enter it with `muster distro add --os-version …`",
        ));
    };
    let version = version.to_owned();
    let arch = look.arch(&file, arch)?;
    finish(look, known, &version, arch, &[usual()], &[".".to_owned()]).map(Some)
}

/// Where Anaconda's trees have kernel and initrd when they do not say so.
fn usual() -> (String, String) {
    (
        "images/pxeboot/vmlinuz".to_owned(),
        "images/pxeboot/initrd.img".to_owned(),
    )
}

/// The number in `Red Hat Enterprise Linux 7.9`.
fn release_number(text: &str) -> Option<&str> {
    text.split_whitespace()
        .map(|word| number(word).0)
        .find(|number| !number.is_empty())
}

fn finish(
    look: &mut Look<'_>,
    (id, from, to): (&'static str, u32, u32),
    version: &str,
    arch: Arch,
    pairs: &[(String, String)],
    repositories: &[String],
) -> Result<Recognised, NotRecognised> {
    let (numbered, rest) = number(version);
    if numbered.is_empty() {
        return Err(look.refuse(
            &format!("version `{version}` does not begin with a number"),
            "enter the system with `muster distro add --os-version …`",
        ));
    }
    let (kernel, initrd) = look.pair(pairs)?;
    let packages = repositories.iter().find_map(|folder| {
        let file = match folder.trim_start_matches("./").trim_end_matches('/') {
            "" | "." => "repodata/repomd.xml".to_owned(),
            folder => format!("{folder}/repodata/repomd.xml"),
        };
        look.view.has(&file).then_some(file)
    });
    match packages {
        Some(file) => look.saw(&file, "packages"),
        None => look.caution(
            "there are no packages here (repodata/repomd.xml): this boots the installer and installs nothing; give a whole \
             tree, or the URL of one with --url",
        ),
    }
    if !["images/install.img", "LiveOS/squashfs.img"]
        .iter()
        .any(|file| look.view.has(file))
    {
        look.caution(
            "the installer itself (images/install.img) is not in the tree: Anaconda will not find its second stage",
        );
    }
    look.check_claimed(id, major(numbered), from, to);
    Ok(Recognised {
        family: Family::Redhat,
        id: id.to_owned(),
        version: numbered.to_owned(),
        codename: (id == "openeuler" && !rest.is_empty()).then(|| rest.to_owned()),
        arch,
        kernel,
        initrd,
        reasons: std::mem::take(&mut look.reasons),
        cautions: std::mem::take(&mut look.cautions),
        on_mirror: None,
    })
}
