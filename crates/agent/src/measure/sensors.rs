//! Temperatures from `/sys/class/hwmon`, and from `/sys/class/thermal` where no chip says the same.

use std::collections::BTreeMap;

use muster_facts::metrics::Temperature;

use super::{bounded, rounded};
use crate::gather::tree::Tree;

const HWMON: &str = "sys/class/hwmon";
const THERMAL: &str = "sys/class/thermal";
/// Sensors that are listed at most.
const MOST: usize = 96;
/// What a sensor may say, thousandths of a degree Celsius; broken ones say anything.
const PLAUSIBLE: std::ops::RangeInclusive<i64> = -100_000..=300_000;

/// A chip with sensors, or a zone of the firmware.
#[derive(Debug, Clone)]
pub(super) struct Chip {
    /// Its folder below [`HWMON`] or [`THERMAL`].
    folder: String,
    name: String,
    is_zone: bool,
}

/// All chips, and the zones of which no chip has the name.
pub(super) fn chips(tree: &Tree) -> Vec<Chip> {
    let mut chips: Vec<Chip> = Vec::new();
    let mut devices: BTreeMap<String, usize> = BTreeMap::new();
    for entry in tree.names("temperatures", HWMON).unwrap_or_default() {
        let folder = format!("{HWMON}/{entry}");
        let Some(name) = tree.value("temperatures", &format!("{folder}/name")) else {
            continue;
        };
        *devices.entry(name.clone()).or_default() += 1;
        let is_zone = false;
        chips.push(Chip { folder, name, is_zone });
    }
    let mut zones = Vec::new();
    for entry in tree.names("temperatures", THERMAL).unwrap_or_default() {
        let folder = format!("{THERMAL}/{entry}");
        // Coolers are in the same folder.
        if !entry.starts_with("thermal_zone") {
            continue;
        }
        if let Some(name) = tree.value("temperatures", &format!("{folder}/type"))
            && !devices.contains_key(&name)
        {
            let is_zone = true;
            zones.push(Chip { folder, name, is_zone });
        }
    }
    for chip in &mut chips {
        // Drives are told apart by their device also where there is only one: a second must not rename the first.
        let is_drive = ["nvme", "drivetemp"].contains(&chip.name.as_str());
        if (is_drive || devices.get(&chip.name).is_some_and(|count| *count > 1))
            && let Some(device) = tree.link_name(&format!("{}/device", chip.folder))
        {
            chip.name = format!("{} {device}", chip.name);
        }
    }
    chips.extend(zones);
    chips
}

impl Chip {
    /// What no other chip is called.
    pub(super) fn key(&self) -> String {
        self.folder.clone()
    }

    /// What its sensors say now. A drive that is dying may keep this waiting.
    pub(super) fn read(&self, tree: &Tree) -> Vec<Temperature> {
        if self.is_zone {
            return reading(tree, &format!("{}/temp", self.folder), &self.name)
                .into_iter()
                .collect();
        }
        let files = tree.names("temperatures", &self.folder).unwrap_or_default();
        let inputs = files
            .iter()
            .filter_map(|file| file.strip_prefix("temp")?.strip_suffix("_input"));
        let found = inputs.filter_map(|number| {
            let label = tree.value("temperatures", &format!("{}/temp{number}_label", self.folder));
            // A processor's package tells the hottest of its cores, of which there may be hundreds.
            if label.as_deref().is_some_and(|label| label.starts_with("Core ")) {
                return None;
            }
            let label = label.unwrap_or_else(|| format!("temp{number}"));
            reading(
                tree,
                &format!("{}/temp{number}_input", self.folder),
                &format!("{} {label}", self.name),
            )
        });
        found.take(MOST).collect()
    }
}

fn reading(tree: &Tree, file: &str, sensor: &str) -> Option<Temperature> {
    let thousandths: i64 = tree.number("temperatures", file)?;
    PLAUSIBLE.contains(&thousandths).then(|| Temperature {
        sensor: bounded(sensor),
        celsius: rounded(thousandths as f64 / 1000.0, 1),
    })
}

/// The answers of all chips in order of their sensors; of two with the same name the first.
pub(super) fn together(answers: BTreeMap<String, Vec<Temperature>>) -> Vec<Temperature> {
    let mut all: Vec<Temperature> = answers.into_values().flatten().collect();
    all.sort_by(|a, b| a.sensor.cmp(&b.sensor));
    all.dedup_by(|a, b| a.sensor == b.sensor);
    all.truncate(MOST);
    all
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn chips_are_told_apart_and_zones_that_repeat_them_are_left_out() {
        let root = tempfile::tempdir().unwrap();
        let sys = root.path().join("sys/class");
        for (path, text) in [
            ("hwmon/hwmon0/name", "acpitz"),
            ("hwmon/hwmon0/temp1_input", "27800"),
            ("hwmon/hwmon1/name", "coretemp"),
            ("hwmon/hwmon1/temp1_label", "Package id 0"),
            ("hwmon/hwmon1/temp1_input", "61000"),
            ("hwmon/hwmon1/temp2_label", "Core 0"),
            ("hwmon/hwmon1/temp2_input", "60000"),
            ("hwmon/hwmon2/name", "nvme"),
            ("hwmon/hwmon2/temp1_label", "Composite"),
            ("hwmon/hwmon2/temp1_input", "38850"),
            ("hwmon/hwmon3/name", "broken"),
            ("hwmon/hwmon3/temp1_input", "-273000"),
            ("hwmon/hwmon3/temp2_input", "hot"),
            ("hwmon/hwmon4/fan1_input", "900"),
            ("thermal/thermal_zone0/type", "acpitz"),
            ("thermal/thermal_zone0/temp", "27800"),
            ("thermal/thermal_zone1/type", "soc"),
            ("thermal/thermal_zone1/temp", "45500"),
            ("thermal/cooling_device0/type", "Processor"),
        ] {
            let path = sys.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, format!("{text}\n")).unwrap();
        }
        symlink("../../nvme/nvme3", sys.join("hwmon/hwmon2/device")).unwrap();
        let tree = Tree::new(root.path());
        let answers = chips(&tree)
            .into_iter()
            .map(|chip| (chip.key(), chip.read(&tree)))
            .collect();
        let told: Vec<(String, f64)> = together(answers)
            .into_iter()
            .map(|one| (one.sensor, one.celsius))
            .collect();
        let expected = [
            ("acpitz temp1", 27.8),
            ("coretemp Package id 0", 61.0),
            ("nvme nvme3 Composite", 38.9),
            ("soc", 45.5),
        ];
        assert_eq!(told, expected.map(|(sensor, celsius)| (sensor.to_owned(), celsius)));
    }
}
