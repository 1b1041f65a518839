//! The archive as other programs see it.
#![expect(clippy::unwrap_used, reason = "tests may panic")]

use std::{
    io::{ErrorKind, Write},
    process::{Command, Stdio},
};

use muster_wire::cpio::{CpioError, Writer};

fn archive() -> Vec<u8> {
    let mut writer = Writer::new();
    writer.directory("dev", 0o755).unwrap();
    writer.character_device("dev/console", 0o600, 5, 1).unwrap();
    writer.file("init", 0o755, b"#!/bin/sh\n").unwrap();
    writer.symlink("linuxrc", "/init").unwrap();
    writer.file("empty", 0o644, b"").unwrap();
    writer.file("odd", 0o640, b"12345").unwrap();
    writer.finish()
}

#[test]
fn the_same_entries_give_the_same_bytes() {
    let bytes = archive();
    assert_eq!(bytes, archive());
    assert_eq!(bytes.len() % 512, 0);
    let head = b"07070100000001000041ED0000000000000000000000020000000000000000\
        000000000000000000000000000000000000000400000000dev\0";
    assert!(bytes.starts_with(head));
}

#[test]
fn cpio_lists_it() {
    let child = Command::new("cpio")
        .args(["-itv", "--numeric-uid-gid", "--quiet"])
        .env("TZ", "UTC")
        .env("LC_ALL", "C")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = match child {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("skipped: cpio is not installed");
            return;
        }
        child => child.unwrap(),
    };
    child.stdin.take().unwrap().write_all(&archive()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let listed = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<String> = listed
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        lines,
        [
            "drwxr-xr-x 2 0 0 0 Jan 1 1970 dev",
            "crw------- 1 0 0 5, 1 Jan 1 1970 dev/console",
            "-rwxr-xr-x 1 0 0 10 Jan 1 1970 init",
            "lrwxrwxrwx 1 0 0 5 Jan 1 1970 linuxrc -> /init",
            "-rw-r--r-- 1 0 0 0 Jan 1 1970 empty",
            "-rw-r----- 1 0 0 5 Jan 1 1970 odd",
        ]
    );
}

#[test]
fn names_stay_inside_the_archive() {
    for name in ["", "/init", "a//b", "../a", "a/..", ".", "a\0b", "TRAILER!!!"] {
        let refused = Writer::new().file(name, 0o644, b"");
        assert_eq!(refused, Err(CpioError::Name { name: name.to_owned() }));
    }
}
