//! Sizes, numbers, times and addresses as people write them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use chrono::{DateTime, NaiveDate, NaiveDateTime, TimeDelta, Utc};
use ipnet::IpNet;

const BINARY: u64 = 1 << 10;
const DECIMAL: u64 = 1000;

/// What the units of a size count by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Units {
    /// Memory: `G` is GiB, and a number alone is GiB.
    Memory,
    /// Disks, as makers print them: `G` is GB, and a number alone is GB.
    Disk,
}

/// A size in bytes: `256`, `64G`, `1.5T`, `512MiB`.
pub(super) fn size(text: &str, units: Units) -> Option<u64> {
    let end = text
        .find(|letter: char| !(letter.is_ascii_digit() || letter == '.'))
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit = unit.to_ascii_lowercase();
    let (unit, binary) = match unit.strip_suffix("ib") {
        Some(unit) if !unit.is_empty() => (unit, true),
        _ => (unit.strip_suffix('b').unwrap_or(&unit), units == Units::Memory),
    };
    let power = match unit {
        // `b` alone: bytes.
        "" if text.len() > end => 0,
        "" => 3,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        "p" => 5,
        _ => return None,
    };
    let step = if binary { BINARY } else { DECIMAL };
    let unit = (0..power).try_fold(1_u64, |unit, _| unit.checked_mul(step))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() || (number.contains('.') && fraction.is_empty()) || fraction.len() > 9 {
        return None;
    }
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    let part = match fraction {
        "" => 0,
        fraction => {
            let digits = u32::try_from(fraction.len()).ok()?;
            let parts = u128::from(fraction.parse::<u64>().ok()?) * u128::from(unit) / 10_u128.pow(digits);
            u64::try_from(parts).ok()?
        }
    };
    whole.checked_add(part)
}

/// A time that is searched for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// So long ago.
    Ago(TimeDelta),
    /// A day, a minute or a second: its first moment, and the first after it.
    Span(DateTime<Utc>, DateTime<Utc>),
}

/// An age (`30s`, `10m`, `2h`, `7d`, `4w`) or a time in UTC (`2026-11-01`, `2026-11-01T08:00`, with seconds).
pub(super) fn moment(text: &str) -> Option<Moment> {
    if let Some(age) = age(text) {
        return Some(Moment::Ago(age));
    }
    let span = |start: NaiveDateTime, length: TimeDelta| {
        let start = start.and_utc();
        Some(Moment::Span(start, start.checked_add_signed(length)?))
    };
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return span(day.and_hms_opt(0, 0, 0)?, TimeDelta::days(1));
    }
    let text = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    if let Ok(minute) = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M") {
        return span(minute, TimeDelta::minutes(1));
    }
    let second = NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").ok()?;
    span(second, TimeDelta::seconds(1))
}

fn age(text: &str) -> Option<TimeDelta> {
    const UNITS: [(char, i64); 5] = [('s', 1), ('m', 60), ('h', 3_600), ('d', 86_400), ('w', 604_800)];
    /// A hundred years: nothing in a ledger is older, and no sum of times overflows.
    const LONGEST: i64 = 100 * 366 * 86_400;
    let (number, seconds) = UNITS
        .into_iter()
        .find_map(|(unit, seconds)| Some((text.strip_suffix(unit)?, seconds)))?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = number.parse::<i64>().ok()?.checked_mul(seconds)?;
    (seconds <= LONGEST).then(|| TimeDelta::seconds(seconds))
}

/// The first and the last address of a network, or an address twice.
pub(super) fn addresses(text: &str) -> Option<(IpAddr, IpAddr)> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some((address, address));
    }
    match text.parse::<IpNet>().ok()? {
        IpNet::V4(network) => {
            let last = Ipv4Addr::from(u32::from(network.network()) | u32::from(network.hostmask()));
            Some((network.network().into(), last.into()))
        }
        IpNet::V6(network) => {
            let last = Ipv6Addr::from(u128::from(network.network()) | u128::from(network.hostmask()));
            Some((network.network().into(), last.into()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_know_their_units() {
        for (text, units, bytes) in [
            ("256", Units::Memory, Some(256 << 30)),
            ("64G", Units::Memory, Some(64 << 30)),
            ("64GB", Units::Memory, Some(64 << 30)),
            ("512m", Units::Memory, Some(512 << 20)),
            ("1.5T", Units::Disk, Some(1_500_000_000_000)),
            ("1.5TiB", Units::Disk, Some(3 << 39)),
            ("960", Units::Disk, Some(960_000_000_000)),
            ("4096b", Units::Disk, Some(4096)),
            ("0", Units::Memory, Some(0)),
            ("", Units::Memory, None),
            (".5G", Units::Memory, None),
            ("5.G", Units::Memory, None),
            ("1.2.3G", Units::Memory, None),
            ("-1", Units::Memory, None),
            ("12X", Units::Memory, None),
            ("99999999P", Units::Memory, None),
            ("99999999999999999999", Units::Disk, None),
        ] {
            assert_eq!(size(text, units), bytes, "{text}");
        }
    }

    #[test]
    fn times_are_ages_or_spans() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        assert_eq!(moment("10m"), Some(Moment::Ago(TimeDelta::minutes(10))));
        assert_eq!(moment("4w"), Some(Moment::Ago(TimeDelta::days(28))));
        assert_eq!(
            moment("2026-11-01"),
            Some(Moment::Span(at("2026-11-01T00:00:00Z"), at("2026-11-02T00:00:00Z")))
        );
        assert_eq!(
            moment("2026-11-01T08:30Z"),
            Some(Moment::Span(at("2026-11-01T08:30:00Z"), at("2026-11-01T08:31:00Z")))
        );
        assert_eq!(
            moment("2026-11-01T08:30:07"),
            Some(Moment::Span(at("2026-11-01T08:30:07Z"), at("2026-11-01T08:30:08Z")))
        );
        for wrong in ["10", "m", "-1m", "10y", "2026-13-01", "yesterday", "99999999w", ""] {
            assert_eq!(moment(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn networks_have_a_first_and_a_last_address() {
        let both = |first: &str, last: &str| Some((first.parse().unwrap(), last.parse().unwrap()));
        assert_eq!(addresses("10.0.0.7/24"), both("10.0.0.0", "10.0.0.255"));
        assert_eq!(addresses("10.0.0.7"), both("10.0.0.7", "10.0.0.7"));
        assert_eq!(
            addresses("2001:db8::/64"),
            both("2001:db8::", "2001:db8::ffff:ffff:ffff:ffff")
        );
        assert_eq!(addresses("10.0.0.0/33"), None);
    }
}
