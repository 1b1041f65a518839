//! The machine's own screen: who it is, its address, what it is doing, and what to do when it fails.
//!
//! Plain text without any assumption on the terminal. A display gets the whole screen again when
//! something changed; a serial line gets the lines that are new, so that it reads as a log.

use std::path::Path;

use muster_facts::clean_text;

use super::trouble::Trouble;

/// What is shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Status {
    /// Maker, product and serial number as the firmware tells them.
    pub(super) machine: Option<String>,
    /// Where the report goes.
    pub(super) server: Option<String>,
    /// One line for each interface: name, address, driver, link, IP address.
    pub(super) interfaces: Vec<String>,
    /// What is being done now.
    pub(super) doing: String,
    /// What is worth knowing but stops nothing.
    pub(super) notes: Vec<String>,
    /// What is wrong with the network, shown until it is right.
    pub(super) network_trouble: Option<Trouble>,
    /// What is wrong with the report, shown until it is right.
    pub(super) report_trouble: Option<Trouble>,
    /// That the program failed: never taken back, whatever other threads still manage to do.
    pub(super) failure: Option<Trouble>,
}

impl Status {
    /// The lines of the screen, plain ASCII.
    #[must_use]
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![concat!("Muster collection image ", env!("CARGO_PKG_VERSION")).to_owned()];
        lines.push(format!(
            "machine  {}",
            self.machine.as_deref().unwrap_or("(the firmware gives no name)")
        ));
        if self.interfaces.is_empty() {
            lines.push("network  (no interface yet)".to_owned());
        }
        lines.extend(self.interfaces.iter().map(|line| format!("network  {line}")));
        lines.push(format!("server   {}", self.server.as_deref().unwrap_or("(none given)")));
        lines.extend(self.notes.iter().map(|note| format!("note     {note}")));
        lines.push(format!("now      {}", self.doing));
        let troubles = [&self.network_trouble, &self.report_trouble, &self.failure];
        for trouble in troubles.into_iter().flatten() {
            lines.push(format!("PROBLEM  {trouble}"));
        }
        lines.iter().map(|line| plain(line)).collect()
    }
}

/// Maker, product and serial number from `SYSFS/class/dmi/id`.
#[must_use]
pub(super) fn machine(sysfs: &Path) -> Option<String> {
    let read = |name: &str| {
        let raw = std::fs::read(sysfs.join("class/dmi/id").join(name)).ok()?;
        clean_text(&String::from_utf8_lossy(&raw))
    };
    let product = [read("sys_vendor"), read("product_name")]
        .into_iter()
        .flatten()
        .collect::<Vec<_>>()
        .join(" ");
    let serial = read("product_serial");
    match (product.is_empty(), serial) {
        (true, None) => None,
        (true, Some(serial)) => Some(format!("serial {serial}")),
        (false, None) => Some(product),
        (false, Some(serial)) => Some(format!("{product}, serial {serial}")),
    }
}

/// What is new on a line-by-line console: the lines of `now` that `before` does not have.
#[must_use]
pub(super) fn news<'a>(before: &[String], now: &'a [String]) -> Vec<&'a str> {
    now.iter()
        .filter(|line| !before.contains(line))
        .map(String::as_str)
        .collect()
}

/// Firmware and servers may send anything; the screen shows printable ASCII only.
pub(super) fn plain(line: &str) -> String {
    line.chars()
        .map(|c| if c == ' ' || c.is_ascii_graphic() { c } else { '?' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status() -> Status {
        Status {
            machine: Some("Dell Inc. PowerEdge R640, serial B0QJ333".to_owned()),
            server: Some("http://10.77.0.1:8081".to_owned()),
            interfaces: vec!["eth0 52:54:00:77:00:01 (e1000e) link 10.77.0.100/24".to_owned()],
            doing: "reporting the facts".to_owned(),
            ..Status::default()
        }
    }

    #[test]
    fn the_whole_screen() {
        assert_eq!(
            status().lines(),
            [
                concat!("Muster collection image ", env!("CARGO_PKG_VERSION")),
                "machine  Dell Inc. PowerEdge R640, serial B0QJ333",
                "network  eth0 52:54:00:77:00:01 (e1000e) link 10.77.0.100/24",
                "server   http://10.77.0.1:8081",
                "now      reporting the facts",
            ]
        );
    }

    #[test]
    fn both_troubles_are_shown_with_advice() {
        let mut status = status();
        status.network_trouble = Some(Trouble::NoLink {
            interfaces: vec!["eth0".to_owned()],
        });
        status.report_trouble = Some(Trouble::NoToken);
        let lines = status.lines();
        assert!(lines[5].starts_with("PROBLEM  no link on eth0"));
        assert!(lines[6].starts_with("PROBLEM  muster.token="));
    }

    #[test]
    fn a_serial_line_gets_only_what_is_new() {
        let before = status().lines();
        let mut changed = status();
        changed.doing = "waiting".to_owned();
        assert_eq!(news(&before, &changed.lines()), ["now      waiting"]);
        assert!(news(&before, &before).is_empty());
    }

    #[test]
    fn nothing_but_ascii_and_no_control_characters_reach_the_terminal() {
        let mut status = status();
        status.machine = Some("Maker\u{1b}[2J \u{7535}".to_owned());
        assert!(
            status
                .lines()
                .iter()
                .all(|line| line.bytes().all(|b| (32..127).contains(&b)))
        );
    }

    #[test]
    fn the_machine_is_named_from_what_the_firmware_gives() {
        let root = tempfile::tempdir().unwrap();
        assert_eq!(machine(root.path()), None);
        let id = root.path().join("class/dmi/id");
        std::fs::create_dir_all(&id).unwrap();
        std::fs::write(id.join("product_serial"), "B0QJ333\n").unwrap();
        assert_eq!(machine(root.path()).as_deref(), Some("serial B0QJ333"));
        std::fs::write(id.join("sys_vendor"), "Dell Inc.\n").unwrap();
        std::fs::write(id.join("product_name"), "PowerEdge R640\n").unwrap();
        assert_eq!(
            machine(root.path()).as_deref(),
            Some("Dell Inc. PowerEdge R640, serial B0QJ333")
        );
    }
}
