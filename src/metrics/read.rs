//! A report of measurements as it comes: read piece by piece, so that one bad piece costs itself and nothing else.

use std::collections::BTreeMap;

use muster_facts::metrics::Sample;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// Samples in one report.
pub const MOST_SAMPLES: usize = 120;
/// Reasons that are kept of one report; further ones are counted.
const MOST_FAULTS: usize = 8;
/// Longest reason, characters.
const LONGEST_FAULT: usize = 160;

/// What was refused of a report, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Where: `samples[3].disks[1].busy`.
    pub field: String,
    /// Why, in plain words.
    pub why: String,
}

/// Everything that was refused of a report.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    /// The first ones.
    pub told: Vec<Fault>,
    /// All there were.
    pub count: usize,
}

impl Faults {
    /// One more.
    pub fn add(&mut self, field: impl Into<String>, why: impl std::fmt::Display) {
        self.count += 1;
        if self.told.len() < MOST_FAULTS {
            let cut = |text: String| text.chars().take(LONGEST_FAULT).collect();
            self.told.push(Fault {
                field: cut(field.into()),
                why: cut(why.to_string()),
            });
        }
    }
}

/// A sample with its number.
#[derive(Debug, Clone, PartialEq)]
pub struct Numbered {
    /// Rises by one from sample to sample of one credential.
    pub sequence: u64,
    /// What of it could be read.
    pub sample: Sample,
}

/// A report of measurements, as far as it could be read.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Report {
    /// In the order of their sequence, each number once.
    pub samples: Vec<Numbered>,
    /// Samples that the agent threw away for want of room.
    pub dropped: u64,
    /// The machine's clock when it sent this, where it says so.
    pub clock: Option<i64>,
    /// What was refused.
    pub faults: Faults,
}

/// A body that is no report at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// No JSON object with a list of samples.
    #[error(
        "the body is no report of measurements: {0}; send {{\"samples\": […], \"dropped\": 0}}, or nothing as a sign of life"
    )]
    NoReport(String),
    /// Too many samples.
    #[error("{0} samples; send at most {MOST_SAMPLES} at once, oldest first, and the rest after the answer")]
    TooMany(usize),
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow, default)]
    samples: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    dropped: Option<&'a RawValue>,
    #[serde(borrow, default)]
    clock_unix_s: Option<&'a RawValue>,
}

/// Reads a report. An empty body is one without samples.
///
/// # Errors
/// When nothing of it can be used.
pub fn read(body: &[u8]) -> Result<Report, Unreadable> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Report::default());
    }
    // A list would be read as the fields of an object in their order.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Unreadable::NoReport("it is no JSON object".to_owned()));
    }
    let envelope: Envelope<'_> =
        serde_json::from_slice(body).map_err(|error| Unreadable::NoReport(error.to_string()))?;
    if envelope.samples.len() > MOST_SAMPLES {
        return Err(Unreadable::TooMany(envelope.samples.len()));
    }
    let mut report = Report::default();
    let faults = &mut report.faults;
    report.dropped = piece(envelope.dropped, "dropped", faults).unwrap_or_default();
    report.clock =
        piece::<u64>(envelope.clock_unix_s, "clock_unix_s", faults).and_then(|clock| i64::try_from(clock).ok());
    let mut samples = BTreeMap::new();
    for (place, raw) in envelope.samples.into_iter().enumerate() {
        let path = format!("samples[{place}]");
        if let Some(numbered) = sample(raw, &path, faults)
            && samples.insert(numbered.sequence, numbered).is_some()
        {
            faults.add(
                path,
                "its sequence is another sample's of this report; the later one is kept",
            );
        }
    }
    report.samples = samples.into_values().collect();
    Ok(report)
}

fn sample(raw: &RawValue, path: &str, faults: &mut Faults) -> Option<Numbered> {
    let fields: BTreeMap<String, &RawValue> = match serde_json::from_str(raw.get()) {
        Ok(fields) => fields,
        Err(error) => {
            faults.add(path, error);
            return None;
        }
    };
    let mut of = Fields { fields, path, faults };
    let Some(sequence) = of
        .one::<u64>("sequence")
        .filter(|number| (1..=i64::MAX as u64).contains(number))
    else {
        of.faults
            .add(format!("{path}.sequence"), "a sample needs a number from 1 on");
        return None;
    };
    let sample = Sample {
        // Without a time of its own its place in the sequence says when it was measured.
        at_unix_s: of.one("at_unix_s").unwrap_or_default(),
        uptime_s: of.one("uptime_s"),
        cpu: of.one("cpu"),
        load: of.one("load"),
        memory: of.one("memory"),
        filesystems: of.list("filesystems"),
        disks: of.list("disks"),
        nics: of.list("nics"),
        temperatures: of.list("temperatures"),
        failed_units: of.one("failed_units"),
        listening: of.list("listening"),
    };
    Some(Numbered { sequence, sample })
}

/// The fields of one sample.
struct Fields<'a> {
    fields: BTreeMap<String, &'a RawValue>,
    path: &'a str,
    faults: &'a mut Faults,
}

impl Fields<'_> {
    fn one<T: DeserializeOwned>(&mut self, name: &str) -> Option<T> {
        let raw = self.fields.remove(name).filter(|raw| raw.get() != "null")?;
        piece(Some(raw), &format!("{}.{name}", self.path), self.faults)
    }

    fn list<T: DeserializeOwned>(&mut self, name: &str) -> Vec<T> {
        let Some(raw) = self.fields.remove(name).filter(|raw| raw.get() != "null") else {
            return Vec::new();
        };
        let path = format!("{}.{name}", self.path);
        let items: Vec<&RawValue> = match serde_json::from_str(raw.get()) {
            Ok(items) => items,
            Err(error) => {
                self.faults.add(path, error);
                return Vec::new();
            }
        };
        items
            .into_iter()
            .enumerate()
            .filter_map(|(place, item)| piece(Some(item), &format!("{path}[{place}]"), self.faults))
            .collect()
    }
}

fn piece<T: DeserializeOwned>(raw: Option<&RawValue>, path: &str, faults: &mut Faults) -> Option<T> {
    let mut json = serde_json::Deserializer::from_str(raw?.get());
    match serde_path_to_error::deserialize(&mut json) {
        Ok(value) => Some(value),
        Err(error) => {
            let within = error.path().to_string();
            let field = match within.as_str() {
                "." => path.to_owned(),
                within if within.starts_with('[') => format!("{path}{within}"),
                within => format!("{path}.{within}"),
            };
            faults.add(field, error.inner());
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(report: &Report) -> Vec<&str> {
        report.faults.told.iter().map(|fault| fault.field.as_str()).collect()
    }

    #[test]
    fn an_empty_body_is_a_sign_of_life() {
        for body in ["", " \n", "{}", r#"{"samples":[]}"#] {
            assert_eq!(read(body.as_bytes()), Ok(Report::default()), "{body}");
        }
    }

    #[test]
    fn a_bad_piece_costs_itself_only() {
        let body = br#"{"dropped": 3, "clock_unix_s": 1800000000, "samples": [
            {"sequence": 2, "at_unix_s": 120, "load": [1, 2, 3], "cpu": {"user": "much"}, "uptime_s": -5,
             "disks": [{"name": "sda", "busy": 0.5}, {"name": "sdb", "busy": 1e999}, 7]},
            {"sequence": "two", "at_unix_s": 60},
            [],
            {"sequence": 1, "at_unix_s": 60, "memory": null, "unheard_of": {"a": [1]}}
        ]}"#;
        let report = read(body).unwrap();
        assert_eq!((report.dropped, report.clock), (3, Some(1_800_000_000)));
        let numbers: Vec<u64> = report.samples.iter().map(|sample| sample.sequence).collect();
        assert_eq!(numbers, [1, 2]);
        let sample = &report.samples[1].sample;
        assert_eq!(
            (sample.load, sample.cpu, sample.uptime_s),
            (Some([1.0, 2.0, 3.0]), None, None)
        );
        assert_eq!(sample.disks.len(), 1);
        assert_eq!(
            told(&report),
            [
                "samples[0].uptime_s",
                "samples[0].cpu.user",
                "samples[0].disks[1].busy",
                "samples[0].disks[2]",
                "samples[1].sequence",
                "samples[1].sequence",
                "samples[2]"
            ]
        );
    }

    #[test]
    fn a_number_that_comes_twice_is_kept_once() {
        let report =
            read(br#"{"samples":[{"sequence":5,"at_unix_s":1},{"sequence":5,"at_unix_s":2},{"sequence":0}]}"#).unwrap();
        assert_eq!((report.samples.len(), report.samples[0].sample.at_unix_s), (1, 2));
        assert_eq!(report.faults.count, 2);
    }

    #[test]
    fn what_is_no_report_says_what_one_is() {
        for body in [
            "nonsense",
            "[]",
            r#"{"samples":{}}"#,
            r#"{"samples":[{"load":NaN}]}"#,
            "\u{1}",
        ] {
            let refused = read(body.as_bytes()).unwrap_err().to_string();
            assert!(refused.contains("samples"), "{refused}");
        }
        let many = format!("{{\"samples\":[{}]}}", vec!["{}"; MOST_SAMPLES + 1].join(","));
        assert_eq!(read(many.as_bytes()), Err(Unreadable::TooMany(MOST_SAMPLES + 1)));
    }

    #[test]
    fn reasons_are_bounded() {
        let many = format!("{{\"samples\":[{}]}}", vec!["7"; 100].join(","));
        let faults = read(many.as_bytes()).unwrap().faults;
        assert_eq!((faults.told.len(), faults.count), (MOST_FAULTS, 100));
    }
}
