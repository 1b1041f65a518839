use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use similar::TextDiff;

use super::{sample::samples, *};

fn one(name: &str) -> sample::Sample {
    samples()
        .into_iter()
        .find(|sample| sample.name == name)
        .unwrap_or_else(|| panic!("no sample {name}"))
}

fn site(files: &[(&str, &str)]) -> (tempfile::TempDir, Library) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    let library = Library::open(folder.path()).unwrap();
    (folder, library)
}

fn render_text(text: &str, input: &AnswerInput) -> Result<Answer, AnswerFault> {
    let (_folder, library) = site(&[("t/x.txt", text)]);
    render_answer(&library, "t/x.txt", input)
}

#[test]
fn every_sample_renders_and_passes_its_checks() {
    let library = Library::built_in();
    let mut wrong = Vec::new();
    for sample in samples() {
        match render_answer(&library, sample.template, &sample.input) {
            Ok(answer) => {
                assert_eq!(answer.lines.len(), answer.text.lines().count(), "{}", sample.name);
                // pykickstart has a test of its own: started for each file it takes minutes.
                for finding in check_with(&answer, None) {
                    wrong.push(format!("{}: {finding:?}", sample.name));
                }
            }
            Err(fault) => wrong.push(format!("{}: {fault}", sample.name)),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn without_origins_the_file_is_the_same() {
    let library = Library::built_in();
    for sample in samples() {
        let whole = render_answer(&library, sample.template, &sample.input).unwrap();
        let plain = render_plain(&library, sample.template, sample.input).unwrap();
        assert_eq!(plain.text, whole.text, "{}", sample.name);
        assert_eq!(plain.secrets, whole.secrets, "{}", sample.name);
    }
    let (_folder, library) = site(&[
        (
            "t/maps.txt",
            "{% for name in vars.m %}{{ name }}={{ vars.m[name].x }} {% endfor %}{{ vars.m | length }}",
        ),
        ("t/wrong.txt", "{{ vars.m.a.y }}"),
    ]);
    let mut input = one("rocky-9.6 plain bios dhcp").input;
    input
        .values
        .insert("vars".into(), json!({"m": {"b": {"x": 1}, "a": {"x": 2}}}));
    for template in ["t/maps.txt", "t/wrong.txt"] {
        let whole = render_answer(&library, template, &input).map(|answer| answer.text);
        let plain = render_plain(&library, template, input.clone()).map(|answer| answer.text);
        assert_eq!(plain, whole, "{template}");
    }
}

/// `cargo xtask test` installs pykickstart and names its Python here.
#[test]
fn anaconda_reads_every_kickstart() {
    let Some(python) = std::env::var_os("MUSTER_PYKICKSTART") else {
        println!("left out: MUSTER_PYKICKSTART names no Python with pykickstart");
        return;
    };
    let library = Library::built_in();
    let folder = tempfile::tempdir().unwrap();
    let mut arguments = Vec::new();
    for (at, sample) in samples().into_iter().enumerate() {
        let answer = render_answer(&library, sample.template, &sample.input).unwrap();
        if let Some(version) = ksvalidator_version(&answer.platform) {
            let path = folder.path().join(format!("{at} {}.ks", sample.name.replace('/', "_")));
            fs::write(&path, answer.text).unwrap();
            arguments.push(format!("{version}={}", path.display()));
        }
    }
    assert!(arguments.len() > 300);
    let said = std::process::Command::new(python)
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/tools/read_kickstarts.py"))
        .args(arguments)
        .output()
        .unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stdout));
}

#[test]
fn ksvalidator_finds_a_wrong_command_in_its_line() {
    let Some(ksvalidator) = Ksvalidator::find() else {
        println!("left out: there is no ksvalidator");
        return;
    };
    let sample = one("rocky-9.6 plain bios dhcp");
    let mut answer = render_answer(&Library::built_in(), sample.template, &sample.input).unwrap();
    assert_eq!(check_with(&answer, Some(&ksvalidator)), []);
    answer.text = answer.text.replacen("text\n", "text --nonsense\n", 1);
    let findings = check_with(&answer, Some(&ksvalidator));
    assert_eq!(findings.len(), 1);
    assert_eq!((findings[0].checker, findings[0].line), ("ksvalidator", 2));
}

/// One snapshot for each distribution and template: the plainest machine whole, every other as its difference.
#[test]
fn every_answer_is_as_a_person_read_it() {
    let library = Library::built_in();
    let mut by_distro: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for sample in samples() {
        let answer = render_answer(&library, sample.template, &sample.input).unwrap();
        let template = sample.template.rsplit('/').next().unwrap();
        by_distro
            .entry(format!("{}-{template}", sample.input.search.distro))
            .or_default()
            .push((sample.name, readable(&answer.text)));
    }
    for (name, cases) in by_distro {
        let (first, plain) = &cases[0];
        let mut shown = format!("=== {first}\n{plain}");
        for (case, text) in &cases[1..] {
            let difference = TextDiff::from_lines(plain, text);
            shown.push_str(&format!(
                "\n=== {case}\n{}",
                difference.unified_diff().context_radius(0)
            ));
        }
        insta::assert_snapshot!(name, shown);
    }
}

/// Scripts that are written in base64, as text.
fn readable(text: &str) -> String {
    let mut out = String::new();
    for line in text.split_inclusive('\n') {
        out.push_str(line);
        for word in line.split([' ', '"', '\'']).filter(|word| word.len() > 60) {
            let inner = STANDARD
                .decode(word.trim())
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok());
            if let Some(inner) = inner {
                let end = out.len() - line.len() + line.find(word).unwrap();
                out.replace_range(end..end + word.trim_end().len(), "BASE64");
                for line in readable(&inner).lines() {
                    out.push_str(&format!("    | {line}\n"));
                }
            }
        }
    }
    out
}

#[test]
fn scripts_are_read_by_a_shell() {
    let library = Library::built_in();
    let mut scripts: BTreeSet<String> = BTreeSet::new();
    for sample in samples() {
        let answer = render_answer(&library, sample.template, &sample.input).unwrap();
        for word in answer.text.split([' ', '"', '\'', '\n']).filter(|word| word.len() > 60) {
            if let Some(script) = STANDARD
                .decode(word)
                .ok()
                .and_then(|bytes| String::from_utf8(bytes).ok())
            {
                scripts.insert(script);
            }
        }
    }
    assert!(scripts.len() >= 5, "{}", scripts.len());
    let folder = tempfile::tempdir().unwrap();
    for (at, script) in scripts.iter().enumerate() {
        let path = folder.path().join(at.to_string());
        fs::write(&path, script).unwrap();
        let said = std::process::Command::new("sh").arg("-n").arg(&path).output().unwrap();
        assert!(
            said.status.success(),
            "{}\n{script}",
            String::from_utf8_lossy(&said.stderr)
        );
    }
}

#[test]
fn a_mistyped_name_is_pointed_at() {
    let input = one("rocky-9.6 plain bios dhcp").input;
    let fault = render_text("first\n\tnetwork {{ host.nmae }}\n", &input).unwrap_err();
    assert_eq!(
        fault.to_string(),
        "site/t/x.txt:2:13: `host.nmae` is undefined; did you mean `host.name`?\n    2 | \tnetwork {{ host.nmae }}\n      \
         | \t           ^^^^^^^^^"
    );
}

#[test]
fn the_site_comes_before_the_built_in_and_the_host_before_all() {
    let input = one("rocky-9.6 plain bios dhcp").input;
    let (_folder, library) = site(&[
        ("t/x.ks", "{% include snippet('network') %}"),
        ("snippets/network", "shared\n"),
        ("snippets/per_profile/network/base", "base\n"),
    ]);
    let answer = render_answer(&library, "t/x.ks", &input).unwrap();
    assert_eq!(answer.text, "base\n");
    assert_eq!(&*answer.lines[0].template, "site/snippets/per_profile/network/base");
    let (_folder, library) = site(&[
        ("t/x.ks", "{% include snippet('network') %}"),
        ("snippets/per_profile/network/base", "base\n"),
        ("snippets/per_host/network/web1", "mine\n"),
    ]);
    assert_eq!(render_answer(&library, "t/x.ks", &input).unwrap().text, "mine\n");
}

#[test]
fn a_changed_template_is_seen() {
    let input = one("rocky-9.6 plain bios dhcp").input;
    let (folder, library) = site(&[("t/x.txt", "one")]);
    assert_eq!(render_answer(&library, "t/x.txt", &input).unwrap().text, "one\n");
    fs::write(folder.path().join("t/x.txt"), "second").unwrap();
    std::thread::sleep(std::time::Duration::from_millis(250));
    assert_eq!(render_answer(&library, "t/x.txt", &input).unwrap().text, "second\n");
}

#[test]
fn nothing_outside_the_folder_is_read() {
    let input = one("rocky-9.6 plain bios dhcp").input;
    let (folder, _) = site(&[
        ("t/a.txt", "{% include '../../../../../etc/passwd' %}"),
        ("t/b.txt", "{% include '/etc/passwd' %}"),
        ("t/c.txt", "{% include 't/link' %}"),
        ("t/d.txt", "{% include snippet('../../../../etc/passwd') %}"),
    ]);
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("t/link")).unwrap();
    let library = Library::open(folder.path()).unwrap();
    assert_eq!(library.skipped().len(), 1);
    for name in [
        "t/a.txt",
        "t/b.txt",
        "t/c.txt",
        "t/d.txt",
        "t/link",
        "../t/a.txt",
        "/etc/passwd",
    ] {
        assert!(render_answer(&library, name, &input).is_err(), "{name}");
    }
}

#[test]
fn what_never_ends_is_ended() {
    let input = one("rocky-9.6 plain bios dhcp").input;
    for text in [
        "{% for a in range(9999) %}{% for b in range(9999) %}x{% endfor %}{% endfor %}",
        "{{ 'x' * 900000000 }}",
        "{% include 't/x.txt' %}",
        "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
        "{% for a in range(90000) %}{{ 'x' * 1000 }}{% endfor %}",
    ] {
        assert!(render_text(text, &input).is_err(), "{text}");
    }
}

#[test]
fn nothing_looks_like_python_or_json() {
    let input = one("rocky-9.6 plain bios dhcp").input;
    assert_eq!(
        render_text("[{{ none }}][{{ 7 }}][{{ '是' }}]", &input).unwrap().text,
        "[][7][是]\n"
    );
    for text in ["{{ true }}", "{{ packages }}", "{{ host }}", "{{ packages | tojson }}"] {
        assert!(render_text(text, &input).is_err(), "{text}");
    }
}

#[test]
fn a_fault_shows_no_secret() {
    let mut input = one("rocky-9.6 plain bios dhcp").input;
    input.values.insert("root_password_hash".into(), json!("$6$verysecret"));
    for text in [
        "{{ refuse('x' ~ root_password_hash) }}",
        "{{ root_password_hash.foo.bar }}",
        "{{ root_password_hash + 1 }}",
    ] {
        let fault = render_text(text, &input).unwrap_err().to_string();
        assert!(!fault.contains("verysecret"), "{fault}");
    }
}

#[test]
fn what_was_used_comes_with_its_layer() {
    let input = one("rocky-9.6 plain bios dhcp").input;
    let answer = render_text("{{ timezone }} {{ host.name }} {{ locale }}", &input).unwrap();
    let used: Vec<(&str, &str)> = answer
        .used
        .iter()
        .map(|used| (used.name.as_str(), used.layer.as_str()))
        .collect();
    assert_eq!(
        used,
        [
            ("host.name", "known to Muster"),
            ("locale", "Muster's default"),
            ("timezone", "profile base")
        ]
    );
}

#[test]
fn a_shell_gets_back_what_was_quoted() {
    let input = one("rocky-9.6 plain bios dhcp").input;
    for value in [
        "a b",
        "it's",
        "$(reboot)`x`",
        "a\n%end\nb",
        "# no",
        "\\",
        "中文 \"x\"",
        "",
        "-n",
        "!",
    ] {
        let mut input = input.clone();
        input.values.insert("vars".into(), json!({"v": value}));
        let answer = render_text("printf '%s' {{ v | sh }}", &input).unwrap();
        assert!(
            !answer.text.lines().any(|line| line.trim_start().starts_with('%')),
            "{}",
            answer.text
        );
        let said = std::process::Command::new("sh")
            .args(["-c", &answer.text])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8_lossy(&said.stdout), value);
    }
}

#[test]
fn what_cannot_arrive_is_refused() {
    let input = one("rocky-9.6 plain bios dhcp").input;
    for (filter, value) in [
        ("ks", "a\nb"),
        ("ks", "a\u{2028}b"),
        ("preseed", "a\nb"),
        ("preseed", "a\\"),
        ("preseed", " a"),
        ("sh", "a\0b"),
        ("xml", "a\u{1}b"),
        ("word", "a b"),
        ("word", "%end"),
        ("kickseed", "a`b`"),
    ] {
        let mut input = input.clone();
        input.values.insert("vars".into(), json!({"v": value}));
        assert!(
            render_text(&format!("{{{{ v | {filter} }}}}"), &input).is_err(),
            "{filter} {value:?}"
        );
    }
}

#[test]
fn a_disk_to_keep_is_never_installed_to() {
    for family in ["rocky-9.6", "debian-13", "ubuntu-24.04", "sles-15.6"] {
        let mut sample = one(&format!("{family} plain bios dhcp"));
        sample.input.values.insert("keep_disks".into(), json!(["A"]));
        let fault = render_answer(&Library::built_in(), sample.template, &sample.input).unwrap_err();
        assert!(fault.message.contains("keep_disks"), "{fault}");
        sample.input.values.insert("keep_disks".into(), json!([]));
        sample.input.context.insert("install_disk".into(), json!(null));
        assert!(render_answer(&Library::built_in(), sample.template, &sample.input).is_err());
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(96))]

    #[test]
    fn no_template_hangs_or_panics(text in "(\\{\\{|\\}\\}|\\{%|%\\}|[a-z.|'() \n\\[\\]~*0-9]|for |in |if |include |snippet|range|end){0,60}") {
        let input = one("rocky-9.6 plain bios dhcp").input;
        let _ = render_text(&text, &input);
    }

    #[test]
    fn any_value_survives_a_shell_line_by_line(value in "[^\0]{0,40}") {
        let mut input = one("rocky-9.6 plain bios dhcp").input;
        input.values.insert("vars".into(), json!({"v": value}));
        let answer = render_text("{{ v | sh }}", &input).unwrap();
        proptest::prop_assert!(answer.text.lines().skip(1).all(|line| line.is_empty() || line.starts_with("''") || !line.starts_with('%')));
    }
}

/// Subiquity knows a disk by the kernel's name alone: the link is followed in the installer, and a disk that is not there
/// leaves a name that is none.
#[test]
fn ubuntu_s_disk_is_found_in_the_installer() {
    let mut input = one("ubuntu-24.04 raid uefi dhcp").input;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    fs::write(at("sdb"), "").unwrap();
    std::os::unix::fs::symlink(at("sdb"), at("wwn-0x5000c500a1b2c3d4")).unwrap();
    input.context["raid_disks"][0]["path"] = at("wwn-0x5000c500a1b2c3d4").into();
    input.context["raid_disks"][1]["path"] = at("gone").into();
    let answer = render_answer(&Library::built_in(), "ubuntu/user-data", &input).unwrap();
    assert!(
        !answer.text.contains("match: {serial") && !answer.text.contains("match: {wwn"),
        "{}",
        answer.text
    );
    fs::write(at("autoinstall.yaml"), &answer.text).unwrap();
    let commands: Vec<String> = answer
        .text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- "))
        .filter(|line| line.contains("readlink"))
        .map(|line| serde_json::from_str::<String>(line).unwrap())
        .collect();
    assert_eq!(commands.len(), 2);
    for command in commands {
        let command = command.replace("/autoinstall.yaml", &at("autoinstall.yaml"));
        assert!(
            std::process::Command::new("sh")
                .args(["-c", &command])
                .status()
                .unwrap()
                .success()
        );
    }
    let after = fs::read_to_string(at("autoinstall.yaml")).unwrap();
    assert!(after.contains(&format!("path: \"{}\"", at("sdb"))), "{after}");
    assert!(after.contains("path: \"/dev/muster-disk1\""), "{after}");
}
