use std::collections::BTreeMap;

use super::SeriesName;

/// What a series was at one time, or came to in one step of time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// When it was measured, or when the step begins.
    pub at: i64,
    /// The least.
    pub min: f32,
    /// The mean of what was measured.
    pub avg: f32,
    /// The most.
    pub max: f32,
    /// How many were measured.
    pub count: u16,
}

impl Point {
    /// One measurement.
    #[must_use]
    pub const fn one(at: i64, value: f32) -> Self {
        Self {
            at,
            min: value,
            avg: value,
            max: value,
            count: 1,
        }
    }

    /// Several in one; `None` of none.
    fn together(at: i64, points: &[Self]) -> Option<Self> {
        let first = points.first()?;
        let (mut min, mut max, mut sum, mut count) = (first.min, first.max, 0.0_f64, 0_u32);
        for point in points {
            min = min.min(point.min);
            max = max.max(point.max);
            sum += f64::from(point.avg) * f64::from(point.count);
            count += u32::from(point.count);
        }
        Some(Self {
            at,
            min,
            max,
            // Rounding must not carry the mean out of its bounds.
            avg: ((sum / f64::from(count.max(1))) as f32).clamp(min, max),
            count: u16::try_from(count).unwrap_or(u16::MAX),
        })
    }
}

/// Points of several series, each in the order of time.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Block {
    /// By name.
    pub lines: BTreeMap<SeriesName, Vec<Point>>,
}

impl Block {
    /// One sample.
    #[must_use]
    pub fn sample(at: i64, values: impl IntoIterator<Item = (SeriesName, f32)>) -> Self {
        let lines = values
            .into_iter()
            .map(|(name, value)| (name, vec![Point::one(at, value)]))
            .collect();
        Self { lines }
    }

    /// Lays another one into this one; of two points at one time the other's stays.
    pub fn lay(&mut self, other: Self) {
        for (name, points) in other.lines {
            let line = self.lines.entry(name).or_default();
            for point in points {
                put(line, point);
            }
        }
    }

    /// Leaves the points from `from` on and before `until`.
    pub fn cut(&mut self, from: i64, until: i64) {
        self.lines.retain(|_, points| {
            points.retain(|point| (from..until).contains(&point.at));
            !points.is_empty()
        });
    }

    /// Leaves the series whose names are wanted.
    pub fn only(&mut self, wanted: impl Fn(&SeriesName) -> bool) {
        self.lines.retain(|name, _| wanted(name));
    }

    /// The same with one point for each step of `width` seconds in which anything was measured.
    #[must_use]
    pub fn rolled(&self, width: i64) -> Self {
        let start = |point: &Point| point.at - point.at.rem_euclid(width);
        let lines = self.lines.iter().map(|(name, points)| {
            let steps = points.chunk_by(|a, b| start(a) == start(b));
            let rolled = steps.filter_map(|step| Point::together(start(step.first()?), step));
            (name.clone(), rolled.collect())
        });
        Self { lines: lines.collect() }
    }

    /// Every time at which anything was measured, in order.
    #[must_use]
    pub fn times(&self) -> Vec<i64> {
        let mut times: Vec<i64> = self.lines.values().flatten().map(|point| point.at).collect();
        times.sort_unstable();
        times.dedup();
        times
    }

    /// The newest point of a series.
    #[must_use]
    pub fn last(&self, name: &SeriesName) -> Option<&Point> {
        self.lines.get(name)?.last()
    }

    /// True when it has no point.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.lines.values().all(Vec::is_empty)
    }
}

fn put(line: &mut Vec<Point>, point: Point) {
    if line.last().is_none_or(|last| last.at < point.at) {
        line.push(point);
        return;
    }
    match line.binary_search_by_key(&point.at, |known| known.at) {
        Ok(place) => {
            if let Some(known) = line.get_mut(place) {
                *known = point;
            }
        }
        Err(place) => line.insert(place, point),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::Kind;

    fn name() -> SeriesName {
        SeriesName::only(Kind::Load1)
    }

    fn line(points: &[(i64, f32)]) -> Block {
        let points = points.iter().map(|(at, value)| Point::one(*at, *value)).collect();
        Block {
            lines: BTreeMap::from([(name(), points)]),
        }
    }

    #[test]
    fn a_step_keeps_the_least_the_most_the_mean_and_the_number() {
        let rolled = line(&[(0, 1.0), (60, 5.0), (240, 3.0), (300, 9.0)]).rolled(300);
        let first = Point {
            at: 0,
            min: 1.0,
            avg: 3.0,
            max: 5.0,
            count: 3,
        };
        assert_eq!(rolled.lines[&name()], [first, Point::one(300, 9.0)]);
        // Rolled up again, each measurement weighs the same.
        assert_eq!(rolled.rolled(3600).lines[&name()][0].avg, 4.5);
        assert_eq!(
            rolled.rolled(3600),
            line(&[(0, 1.0), (60, 5.0), (240, 3.0), (300, 9.0)]).rolled(3600)
        );
    }

    #[test]
    fn what_comes_late_finds_its_place_and_what_comes_twice_is_there_once() {
        let mut block = line(&[(60, 1.0), (180, 3.0)]);
        block.lay(line(&[(120, 2.0)]));
        block.lay(line(&[(0, 0.0), (180, 3.0)]));
        assert_eq!(block.times(), [0, 60, 120, 180]);
        block.cut(60, 180);
        assert_eq!(block, line(&[(60, 1.0), (120, 2.0)]));
    }

    #[test]
    fn a_mean_stays_between_its_bounds() {
        let rolled = line(&[(0, 0.1), (1, 0.1), (2, 0.1)]).rolled(300);
        let point = rolled.lines[&name()][0];
        assert!(point.min <= point.avg && point.avg <= point.max);
    }
}
