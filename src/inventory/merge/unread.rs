use muster_facts::Facts;

use super::parts::disk_key;

/// Keeps what was known of the parts that this report could not read: a disk that did not answer is not a disk that
/// was pulled. `before` is the last report of the same source.
///
/// [`Facts::unread`] goes on saying what was not read, so nobody takes the old value for a new one.
pub fn keep_unread(before: Option<&Facts>, facts: &mut Facts) {
    let Some(before) = before else { return };
    keep_neighbours(before, facts);
    let unread: Vec<String> = facts.unread.iter().map(|unread| unread.what.clone()).collect();
    for what in &unread {
        match what.split_once('.').unwrap_or((what, "")) {
            ("smbios", _) => keep_smbios(before, facts),
            ("cpu", "") => {
                keep_list(&before.cpu.packages, &mut facts.cpu.packages);
                keep(&before.cpu.architecture, &mut facts.cpu.architecture);
                keep(&before.cpu.model, &mut facts.cpu.model);
            }
            ("virtualization", _) => keep(&before.virtualization, &mut facts.virtualization),
            ("os", _) => keep(&before.os, &mut facts.os),
            ("machine_id", _) => keep(&before.machine_id, &mut facts.machine_id),
            ("memory", "" | "dimms") => keep_list(&before.memory.dimms, &mut facts.memory.dimms),
            ("cpu", "packages") => keep_list(&before.cpu.packages, &mut facts.cpu.packages),
            ("pci", "") => {
                keep_list(&before.pci, &mut facts.pci);
                keep_list(&before.gpus, &mut facts.gpus);
            }
            ("bmc", "") => keep(&before.bmc, &mut facts.bmc),
            ("disks", "") => keep_list(&before.disks, &mut facts.disks),
            ("disks", name) => keep_disk(before, facts, name),
            ("nics", "") => keep_list(&before.nics, &mut facts.nics),
            ("nics", name) => keep_nic(before, facts, name),
            _ => {}
        }
    }
}

fn keep_smbios(before: &Facts, facts: &mut Facts) {
    if facts.system == muster_facts::System::default() {
        facts.system = before.system.clone();
    }
    keep(&before.board, &mut facts.board);
    keep(&before.chassis, &mut facts.chassis);
    keep(&before.bios, &mut facts.bios);
    keep_list(&before.memory.dimms, &mut facts.memory.dimms);
    keep_list(&before.cpu.packages, &mut facts.cpu.packages);
}

/// Switches speak every half minute, and the first report of a boot does not wait for them: a neighbour stays until
/// another is heard or the cable is out.
fn keep_neighbours(before: &Facts, facts: &mut Facts) {
    for nic in &mut facts.nics {
        if nic.lldp.is_some() || nic.link == Some(false) || nic.mac.is_none() {
            continue;
        }
        if let Some(known) = before.nics.iter().find(|known| known.mac == nic.mac) {
            nic.lldp.clone_from(&known.lldp);
        }
    }
}

fn keep<T: Clone>(before: &Option<T>, now: &mut Option<T>) {
    if now.is_none() {
        now.clone_from(before);
    }
}

fn keep_list<T: Clone>(before: &[T], now: &mut Vec<T>) {
    if now.is_empty() {
        now.extend_from_slice(before);
    }
}

/// The kernel may call another disk by this name now: then the one that had it is there under its new one.
fn keep_disk(before: &Facts, facts: &mut Facts, name: &str) {
    let Some(known) = before.disks.iter().find(|disk| disk.name == name) else {
        return;
    };
    let key = disk_key(known);
    if !facts
        .disks
        .iter()
        .any(|disk| disk.name == name || disk_key(disk) == key)
    {
        facts.disks.push(known.clone());
    }
}

fn keep_nic(before: &Facts, facts: &mut Facts, name: &str) {
    let Some(known) = before.nics.iter().find(|nic| nic.name == name) else {
        return;
    };
    let there = |nic: &muster_facts::Nic| nic.name == name || (nic.mac.is_some() && nic.mac == known.mac);
    if !facts.nics.iter().any(there) {
        facts.nics.push(known.clone());
    }
}

#[cfg(test)]
mod tests {
    use muster_facts::{Dimm, Disk, Nic, Unread};

    use super::*;

    fn disk(name: &str, serial: &str) -> Disk {
        Disk {
            name: name.to_owned(),
            serial: Some(serial.to_owned()),
            ..Disk::default()
        }
    }

    fn known() -> Facts {
        Facts {
            disks: vec![disk("sda", "A"), disk("sdb", "B")],
            nics: vec![Nic {
                name: "eth0".to_owned(),
                mac: Some(muster_facts::MacAddr([2, 0, 0, 0, 0, 1])),
                ..Nic::default()
            }],
            memory: muster_facts::Memory {
                dimms: vec![Dimm::default()],
                ..muster_facts::Memory::default()
            },
            ..Facts::default()
        }
    }

    fn report(disks: Vec<Disk>, unread: &[&str]) -> Facts {
        let unread = unread.iter().map(|what| Unread {
            what: (*what).to_owned(),
            why: "no answer within 15 s".to_owned(),
        });
        let mut facts = Facts {
            disks,
            unread: unread.collect(),
            ..Facts::default()
        };
        keep_unread(Some(&known()), &mut facts);
        facts
    }

    #[test]
    fn a_disk_that_did_not_answer_is_still_there_and_one_that_is_gone_is_not() {
        let facts = report(vec![disk("sda", "A")], &["disks.sdb"]);
        assert_eq!(facts.disks, known().disks);
        assert_eq!(report(vec![disk("sda", "A")], &[]).disks.len(), 1);
    }

    #[test]
    fn a_name_that_went_to_another_disk_brings_none_back_twice() {
        let facts = report(vec![disk("sda", "B"), disk("sdc", "A")], &["disks.sdb"]);
        assert_eq!(facts.disks, [disk("sda", "B"), disk("sdc", "A")]);
    }

    #[test]
    fn whole_kinds_are_kept_and_a_first_report_has_nothing_to_keep() {
        let facts = report(Vec::new(), &["disks", "nics.eth0", "smbios"]);
        assert_eq!((&facts.disks, &facts.nics), (&known().disks, &known().nics));
        assert_eq!(facts.memory.dimms.len(), 1);
        let mut first = Facts::default();
        keep_unread(None, &mut first);
        assert_eq!(first, Facts::default());
    }
}
