//! The machine's Ethernet interfaces as sysfs shows them.

use std::fs;
use std::path::Path;

use muster_facts::MacAddr;

/// One interface that has hardware (or a hypervisor) behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interface {
    /// Kernel name, e.g. `eth0`.
    pub name: String,
    /// Kernel index.
    pub index: u32,
    /// Current address.
    pub mac: MacAddr,
    /// Driver, when it says its name.
    pub driver: Option<String>,
    /// Whether there is a link; `false` while the interface is down.
    pub link: bool,
}

impl Interface {
    /// Name and address, as troubles name it: `eth0 (52:54:00:77:00:01)`.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{} ({})", self.name, self.mac)
    }
}

/// All Ethernet interfaces below `SYSFS/class/net`, by index; `lo`, bridges and the like are left out.
#[must_use]
pub fn interfaces(sysfs: &Path) -> Vec<Interface> {
    let Ok(entries) = fs::read_dir(sysfs.join("class/net")) else {
        return Vec::new();
    };
    let mut found: Vec<Interface> = entries
        .flatten()
        .filter_map(|entry| interface(&entry.path(), entry.file_name().to_str()?))
        .collect();
    found.sort_by_key(|interface| interface.index);
    found
}

fn interface(path: &Path, name: &str) -> Option<Interface> {
    let read = |file: &str| {
        fs::read_to_string(path.join(file))
            .ok()
            .map(|text| text.trim().to_owned())
    };
    // ARPHRD_ETHER: no InfiniBand, no tunnels.
    if read("type")? != "1" || !path.join("device").exists() {
        return None;
    }
    let mac: MacAddr = read("address")?.parse().ok()?;
    if mac.is_unusable() {
        return None;
    }
    let driver = fs::read_link(path.join("device/driver")).ok();
    Some(Interface {
        name: name.to_owned(),
        index: read("ifindex")?.parse().ok()?,
        mac,
        driver: driver.and_then(|link| Some(link.file_name()?.to_str()?.to_owned())),
        link: read("carrier").as_deref() == Some("1"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ethernet_with_a_device_counts() {
        let root = tempfile::tempdir().unwrap();
        let add = |name: &str, kind: &str, index: &str, mac: &str, carrier: &str, device: bool| {
            let path = root.path().join("class/net").join(name);
            fs::create_dir_all(&path).unwrap();
            for (file, text) in [
                ("type", kind),
                ("ifindex", index),
                ("address", mac),
                ("carrier", carrier),
            ] {
                fs::write(path.join(file), format!("{text}\n")).unwrap();
            }
            if device {
                fs::create_dir_all(path.join("device")).unwrap();
                std::os::unix::fs::symlink("../../../bus/pci/drivers/e1000e", path.join("device/driver")).unwrap();
            }
        };
        add("eth1", "1", "3", "52:54:00:77:00:02", "", true);
        add("eth0", "1", "2", "52:54:00:77:00:01", "1", true);
        add("lo", "772", "1", "00:00:00:00:00:00", "1", false);
        add("br0", "1", "4", "52:54:00:77:00:03", "1", false);
        add("ib0", "32", "5", "80:00:00:48:fe:80", "1", true);
        let found = interfaces(root.path());
        assert_eq!(
            found.iter().map(Interface::label).collect::<Vec<_>>(),
            ["eth0 (52:54:00:77:00:01)", "eth1 (52:54:00:77:00:02)"]
        );
        assert_eq!(found[0].driver.as_deref(), Some("e1000e"));
        assert!(found[0].link && !found[1].link);
        assert!(interfaces(Path::new("/nowhere")).is_empty());
    }
}
