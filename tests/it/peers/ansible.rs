//! Ansible reads its inventory here, and reaches the hosts.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use super::{Ended, Server, free_port, installed, prints, until};

/// What a person would copy to the machine that Ansible runs on.
fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("packaging/muster-inventory")
}

/// An Ansible that keeps everything below the test's folder and takes no half-read inventory.
fn ansible(server: &Server, program: &str) -> Command {
    let settings = server.path("ansible.cfg");
    let home = server.path("home");
    fs::create_dir_all(&home).unwrap();
    fs::write(
        &settings,
        format!(
            "[defaults]\nhost_key_checking = False\nlocal_tmp = {0}/local\nremote_tmp = {0}/remote\nretry_files_enabled = False\n\
             [ssh_connection]\nssh_args = -F none -o UserKnownHostsFile=/dev/null -o ControlMaster=no\n\
             [inventory]\nany_unparsed_is_failed = True\n",
            home.display()
        ),
    )
    .unwrap();
    let mut command = Command::new(program);
    // What is set for the tests themselves is no setting of the program.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("MUSTER_")) {
        command.env_remove(name);
    }
    command.env("ANSIBLE_CONFIG", settings).env("HOME", home);
    command.arg("-i").arg(script());
    command
}

/// The same, asking the server by HTTP.
fn by_http(server: &Server, program: &str) -> Command {
    let mut command = ansible(server, program);
    command
        .env("MUSTER_URL", server.url("/"))
        .env("MUSTER_TOKEN_FILE", server.path("token"));
    command
}

/// The same on the server itself, by the program.
fn here(server: &Server) -> Command {
    let programs = Path::new(env!("CARGO_BIN_EXE_muster")).parent().unwrap();
    let path = std::env::var("PATH").unwrap_or_default();
    let mut command = ansible(server, "ansible-inventory");
    command
        .env("PATH", format!("{}:{path}", programs.display()))
        .env("MUSTER_CONFIG", server.path("muster.toml"));
    command
}

#[test]
fn ansible_reads_the_inventory_from_the_ledger_and_by_http() {
    if !installed(&["ansible-inventory", "curl"]) {
        return;
    }
    let server = Server::start();
    server.host(
        "web1",
        "52:54:00:77:00:01",
        "127.0.0.1/8",
        &["--vars", "role=web", "--place", "bj1/r07"],
    );
    server.host("web2", "52:54:00:77:00:02", "127.0.0.2/8", &[]);
    let read = |mut command: Command| -> Value { serde_json::from_str(&prints(command.arg("--list"))).expect("JSON") };
    let told = read(by_http(&server, "ansible-inventory"));
    assert_eq!(told["profile_web"]["hosts"], json!(["web1", "web2"]), "{told:#}");
    assert_eq!(told["site_bj1"]["hosts"], json!(["web1"]));
    let variables = &told["_meta"]["hostvars"]["web1"];
    assert_eq!(
        (&variables["ansible_host"], &variables["role"]),
        (&json!("127.0.0.1"), &json!("web"))
    );
    assert_eq!(variables["muster"]["fqdn"], "web1.example.org");

    assert_eq!(read(here(&server)), told);

    let mut found = by_http(&server, "ansible-inventory");
    found.env("MUSTER_QUERY", "role:web");
    assert_eq!(read(found)["profile_web"]["hosts"], json!(["web1"]));
    let mut found = here(&server);
    found.env("MUSTER_QUERY", "-role:web");
    assert_eq!(read(found)["profile_web"]["hosts"], json!(["web2"]));
    let mut one = by_http(&server, "ansible-inventory");
    let host: Value = serde_json::from_str(&prints(one.args(["--host", "web1"]))).expect("JSON");
    assert_eq!(&host["role"], "web");

    let mut wrong = by_http(&server, "ansible-inventory");
    let refused = wrong.env("MUSTER_QUERY", "rol:web").arg("--list").output().unwrap();
    assert!(!refused.status.success(), "a wrong search is no empty inventory");
}

#[test]
fn ansible_pings_what_the_inventory_names() {
    if !installed(&["ansible", "curl", "/usr/sbin/sshd", "ssh-keygen"]) {
        return;
    }
    if !nix::unistd::geteuid().is_root() {
        println!("NOT RUN: sshd needs root");
        return;
    }
    let server = Server::start();
    let marked = server.path("run-by-a-template");
    let evil = format!("{{{{ lookup('pipe', 'touch {}') }}}}", marked.display());
    server.host(
        "web1",
        "52:54:00:77:00:01",
        "127.0.0.1/8",
        &["--vars", &json!({"motd": evil}).to_string()],
    );
    server.host("web2", "52:54:00:77:00:02", "127.0.0.2/8", &[]);
    let (_daemon, port) = sshd(&server);
    let ssh_port = format!("ansible_port={port}");
    let reached = |more: &[&str]| {
        let mut command = by_http(&server, "ansible");
        command
            .arg("--private-key")
            .arg(server.path("client"))
            .args(["-u", "root", "-e", &ssh_port])
            .args(["-e", "ansible_python_interpreter=/usr/bin/python3"])
            .args(more);
        prints(&mut command)
    };
    let told = reached(&["profile_web", "-m", "ping"]);
    for host in ["web1 | SUCCESS", "web2 | SUCCESS"] {
        assert!(told.contains(host), "{told}");
    }
    assert_eq!(told.matches("\"ping\": \"pong\"").count(), 2, "{told}");
    // What is written of a host is shown as it is and runs nothing here.
    let told = reached(&["web1", "-m", "debug", "-a", "msg={{ motd }}"]);
    assert!(told.contains("lookup('pipe'"), "{told}");
    assert!(!marked.exists());
}

/// An sshd of our own on the hosts' addresses, with its port.
fn sshd(server: &Server) -> (Ended, u16) {
    for key in ["host", "client"] {
        let mut made = Command::new("ssh-keygen");
        made.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(server.path(key));
        prints(&mut made);
    }
    fs::copy(server.path("client.pub"), server.path("authorized")).unwrap();
    fs::set_permissions(server.path("authorized"), fs::Permissions::from_mode(0o600)).unwrap();
    // Compiled into Debian's sshd; its service makes it where there is one.
    fs::create_dir_all("/run/sshd").unwrap();
    let port = free_port();
    let settings = server.path("sshd.conf");
    fs::write(
        &settings,
        format!(
            "Port {port}\nListenAddress 127.0.0.1\nListenAddress 127.0.0.2\nHostKey {0}/host\nPidFile none\n\
             AuthorizedKeysFile {0}/authorized\nStrictModes no\nPasswordAuthentication no\nPermitRootLogin yes\nUsePAM no\n\
             Subsystem sftp internal-sftp\n",
            server.dir.path().display()
        ),
    )
    .unwrap();
    let daemon = Ended(
        Command::new("/usr/sbin/sshd")
            .arg("-D")
            .arg("-f")
            .arg(&settings)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap(),
    );
    until("sshd", || std::net::TcpStream::connect(("127.0.0.2", port)).ok());
    (daemon, port)
}
