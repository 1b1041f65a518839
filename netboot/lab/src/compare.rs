//! What a machine was given, against what it reported of itself.

use muster_facts::{BootMode, DiskBus, Facts};

use crate::{
    MachineSpec,
    hardware::{Bus, Hardware},
};

/// One thing given and reported, for a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// What it is about: `serial`, `memory`, `disk`, `card`….
    pub what: &'static str,
    /// What the machine was given.
    pub given: String,
    /// What its facts say; `None` when they say nothing like it.
    pub reported: Option<String>,
}

impl Row {
    /// Whether the report is what was given.
    pub fn agrees(&self) -> bool {
        self.reported.as_ref() == Some(&self.given)
    }
}

/// Whether these facts are this machine's: its system UUID, or the address of its first card.
pub fn is_of(facts: &Facts, hardware: &Hardware) -> bool {
    let by_uuid = facts.system.uuid.is_some() && facts.system.uuid == hardware.identity.uuid;
    let first = hardware.nics.first().map(|nic| nic.mac.as_str());
    by_uuid
        || facts
            .nics
            .iter()
            .any(|nic| nic.mac.map(|mac| mac.to_string()).as_deref() == first)
}

/// Everything that was given beside what was reported. What was reported but never given is a row as well.
pub fn rows(spec: &MachineSpec, facts: &Facts) -> Vec<Row> {
    let Hardware {
        identity,
        dimms,
        disks,
        nics,
    } = &spec.hardware;
    let mut rows = vec![
        row("vendor", &identity.vendor, facts.system.vendor.clone()),
        row("product", &identity.product, facts.system.product.clone()),
        row("serial", &identity.serial, facts.system.serial.clone()),
        row(
            "board serial",
            &identity.board_serial,
            facts.board.as_ref().and_then(|board| board.serial.clone()),
        ),
        row(
            "asset tag",
            &identity.asset_tag,
            facts.chassis.as_ref().and_then(|chassis| chassis.asset_tag.clone()),
        ),
        row(
            "firmware",
            &identity.firmware_version,
            facts.bios.as_ref().and_then(|bios| bios.version.clone()),
        ),
        row(
            "boot mode",
            if spec.firmware.is_uefi() { "uefi" } else { "bios" },
            facts.bios.as_ref().and_then(|bios| bios.mode).map(|mode| {
                match mode {
                    BootMode::Bios => "bios",
                    BootMode::Uefi => "uefi",
                }
                .to_owned()
            }),
        ),
        row("processor", &identity.processor, facts.cpu.model.clone()),
    ];
    if spec.firmware.is_secure() {
        let reported = facts.bios.as_ref().and_then(|bios| bios.secure_boot);
        rows.push(row(
            "secure boot",
            "on",
            reported.map(|on| if on { "on" } else { "off" }.to_owned()),
        ));
    }
    if let Some(uuid) = &identity.uuid {
        rows.push(row("uuid", uuid, facts.system.uuid.clone()));
    }
    let given = dimms.iter().filter_map(|dimm| {
        let module = dimm.module.as_ref()?;
        let serial = module.serial.clone();
        Some((
            serial,
            format!(
                "{} {} MiB {} {}",
                dimm.slot, module.mebibytes, module.maker, module.serial
            ),
        ))
    });
    let reported = facts.memory.dimms.iter().map(|dimm| {
        let (maker, serial) = (text(dimm.vendor.as_ref()), text(dimm.serial.as_ref()));
        (
            serial.clone(),
            format!("{} {} MiB {maker} {serial}", dimm.slot, dimm.size_bytes >> 20),
        )
    });
    rows.extend(matched("memory", given.collect(), reported.collect()));
    let given = disks.iter().map(|disk| {
        let (bus, wwn) = match &disk.bus {
            Bus::Virtio => ("virtio", None),
            Bus::Nvme => ("nvme", None),
            Bus::Sata { wwn, .. } => ("sata", Some(wwn)),
            Bus::Scsi { wwn, .. } => ("scsi", Some(wwn)),
        };
        let wwn = wwn.map(|wwn| format!(" naa.{wwn:016x}")).unwrap_or_default();
        (
            disk.serial.clone(),
            format!("{bus} {} MiB {}{wwn}", disk.mebibytes, disk.serial),
        )
    });
    let reported = facts.disks.iter().map(|disk| {
        let bus = match disk.bus {
            Some(DiskBus::Virtio) => "virtio",
            Some(DiskBus::Nvme) => "nvme",
            Some(DiskBus::Sata) => "sata",
            Some(DiskBus::Scsi) => "scsi",
            _ => "other",
        };
        let serial = text(disk.serial.as_ref());
        // QEMU gives every NVMe namespace a name of its own making; only names that were given are compared.
        let wwn = disk
            .wwn
            .as_ref()
            .filter(|wwn| wwn.starts_with("naa."))
            .map(|wwn| format!(" {wwn}"));
        (
            serial.clone(),
            format!(
                "{bus} {} MiB {serial}{}",
                disk.size_bytes >> 20,
                wwn.unwrap_or_default()
            ),
        )
    });
    rows.extend(matched("disk", given.collect(), reported.collect()));
    let given = nics
        .iter()
        .map(|nic| (nic.mac.clone(), format!("{} {}", nic.mac, nic.model.driver())));
    let reported = facts.nics.iter().map(|nic| {
        let mac = nic.mac.map(|mac| mac.to_string()).unwrap_or_default();
        (mac.clone(), format!("{mac} {}", text(nic.driver.as_ref())))
    });
    rows.extend(matched("card", given.collect(), reported.collect()));
    rows
}

fn row(what: &'static str, given: &str, reported: Option<String>) -> Row {
    Row {
        what,
        given: given.to_owned(),
        reported,
    }
}

fn text(value: Option<&String>) -> String {
    value.cloned().unwrap_or_else(|| "-".to_owned())
}

/// Rows of things that are recognised by a key; the first of each pair is the key, the second is compared.
fn matched(what: &'static str, given: Vec<(String, String)>, mut reported: Vec<(String, String)>) -> Vec<Row> {
    let mut rows: Vec<Row> = given
        .into_iter()
        .map(|(key, given)| {
            let place = reported.iter().position(|(other, _)| *other == key);
            Row {
                what,
                given,
                reported: place.map(|place| reported.swap_remove(place).1),
            }
        })
        .collect();
    rows.extend(reported.into_iter().map(|(_, extra)| Row {
        what,
        given: "-".to_owned(),
        reported: Some(extra),
    }));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Firmware, hardware::NicModel};

    #[test]
    fn missing_wrong_and_extra_things_are_told() {
        let spec = MachineSpec::new("m1", Firmware::Uefi, Hardware::numbered(1, NicModel::Virtio));
        let mut facts = Facts::default();
        facts.system.serial = Some("MSTR7701".into());
        facts.system.vendor = Some("somebody".into());
        facts.nics.push(muster_facts::Nic {
            mac: "52:54:00:ff:00:01".parse().ok(),
            ..Default::default()
        });
        let rows = rows(&spec, &facts);
        let of = |what: &str| rows.iter().filter(|row| row.what == what).collect::<Vec<_>>();
        assert!(of("serial")[0].agrees());
        assert!(!of("vendor")[0].agrees() && of("vendor")[0].reported.as_deref() == Some("somebody"));
        assert_eq!(of("memory").len(), 4);
        assert!(of("disk").iter().all(|row| row.reported.is_none()));
        assert_eq!(of("card").len(), 4);
        assert_eq!(of("card")[3].given, "-");
        assert!(!is_of(&facts, &spec.hardware));
        facts.system.uuid = spec.hardware.identity.uuid.clone();
        assert!(is_of(&facts, &spec.hardware));
    }
}
