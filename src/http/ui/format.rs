//! Numbers and times as people write them.

use chrono::{DateTime, TimeDelta, Utc};

use super::words::{Locale, say};

/// Memory, in binary units: `256 GiB`.
pub(super) fn memory(bytes: u64) -> String {
    scaled(bytes, 1024, &["B", "KiB", "MiB", "GiB", "TiB", "PiB"])
}

/// Disk sizes, in decimal units as makers print them: `1.92 TB`.
pub(super) fn disk(bytes: u64) -> String {
    scaled(bytes, 1000, &["B", "kB", "MB", "GB", "TB", "PB"])
}

/// Three digits that matter, in whole hundredths so that no rounding of floats shows.
fn scaled(bytes: u64, step: u64, units: &[&str]) -> String {
    let mut unit = 0;
    let mut size: u64 = 1;
    while unit + 1 < units.len() && bytes / size >= step {
        size = size.saturating_mul(step);
        unit += 1;
    }
    let name = units.get(unit).copied().unwrap_or_default();
    let hundredths = u128::from(bytes) * 100 / u128::from(size);
    let (whole, rest) = (hundredths / 100, hundredths % 100);
    match (whole, rest) {
        (100.., _) | (_, 0) => format!("{whole} {name}"),
        (10.., _) | (_, 10 | 20 | 30 | 40 | 50 | 60 | 70 | 80 | 90) if rest >= 10 => {
            format!("{whole}.{} {name}", rest / 10)
        }
        (10.., _) => format!("{whole} {name}"),
        _ => format!("{whole}.{rest:02} {name}"),
    }
}

/// `10 Gbit/s`, `100 Mbit/s`.
pub(super) fn link_speed(mbps: u32) -> String {
    if mbps >= 1000 && mbps.is_multiple_of(1000) {
        format!("{} Gbit/s", mbps / 1000)
    } else if mbps >= 1000 {
        format!("{}.{} Gbit/s", mbps / 1000, mbps % 1000 / 100)
    } else {
        format!("{mbps} Mbit/s")
    }
}

/// Thousands parted: `10,000`.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// How long ago, in the words of the catalogue.
pub(super) fn relative(then: DateTime<Utc>, now: DateTime<Utc>, locale: Locale) -> String {
    let seconds = (now - then).num_seconds();
    let (key, number) = match seconds {
        ..=-60 => ("relative.later", -seconds / 60),
        -59..=4 => ("relative.now", 0),
        5..=59 => ("relative.seconds", seconds),
        60..=3599 => ("relative.minutes", seconds / 60),
        3600..=86_399 => ("relative.hours", seconds / 3600),
        _ => ("relative.days", seconds / 86_400),
    };
    say(locale, key, &|_| Some(number.to_string())).unwrap_or_default()
}

/// How far into a boot something happened: `+3.2 s`, `+2:05`.
pub(super) fn offset(began: DateTime<Utc>, at: DateTime<Utc>) -> String {
    let millis = (at - began).num_milliseconds().max(0);
    if millis < 60_000 {
        format!("+{}.{} s", millis / 1000, millis % 1000 / 100)
    } else if millis < 3_600_000 {
        format!("+{}:{:02}", millis / 60_000, millis / 1000 % 60)
    } else {
        format!(
            "+{}:{:02}:{:02}",
            millis / 3_600_000,
            millis / 60_000 % 60,
            millis / 1000 % 60
        )
    }
}

/// How long something took: `12 s`, `2:05`, `1:02:03`.
pub(super) fn span(long: TimeDelta) -> String {
    let seconds = long.num_seconds().max(0);
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{}:{:02}", seconds / 60, seconds % 60),
        _ => format!("{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_on_the_label() {
        assert_eq!(memory(256 << 30), "256 GiB");
        assert_eq!(memory(1536 << 20), "1.5 GiB");
        assert_eq!(disk(1_920_383_410_176), "1.92 TB");
        assert_eq!(disk(480_103_981_056), "480 GB");
        assert_eq!(disk(15_360_950_534_144), "15.3 TB");
        assert_eq!(disk(20_000_000_000), "20 GB");
        assert_eq!(disk(512), "512 B");
        assert_eq!(disk(u64::MAX), "18446 PB");
    }

    #[test]
    fn numbers_speeds_and_offsets() {
        assert_eq!(count(10_000), "10,000");
        assert_eq!(count(999), "999");
        assert_eq!(link_speed(25_000), "25 Gbit/s");
        assert_eq!(span(TimeDelta::seconds(59)), "59 s");
        assert_eq!(span(TimeDelta::seconds(125)), "2:05");
        assert_eq!(span(TimeDelta::seconds(3723)), "1:02:03");
        assert_eq!(link_speed(2500), "2.5 Gbit/s");
        let began = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let after = |millis| began + TimeDelta::milliseconds(millis);
        assert_eq!(offset(began, after(3240)), "+3.2 s");
        assert_eq!(offset(began, after(125_000)), "+2:05");
        assert_eq!(offset(after(10), began), "+0.0 s");
    }

    #[test]
    fn a_clock_that_is_ahead_is_told() {
        let now = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        assert_eq!(relative(now + TimeDelta::seconds(180), now, Locale::En), "in 3 min");
        assert_eq!(relative(now - TimeDelta::seconds(180), now, Locale::En), "3 min ago");
        assert_eq!(relative(now, now, Locale::ZhCn), "刚刚");
    }
}
