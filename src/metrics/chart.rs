//! Points laid out for a chart: as many as asked for, gaps as gaps.

use super::{Block, SeriesName, Step};

/// Series side by side over the same times.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// Between two times, seconds; measurements may lie a little closer or further apart.
    pub width: i64,
    /// When, in order.
    pub times: Vec<i64>,
    /// What, by name.
    pub lines: Vec<Line>,
}

/// One series of a chart: a value for each of its times, none where nothing was measured.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Which.
    pub name: SeriesName,
    /// The least.
    pub min: Vec<Option<f32>>,
    /// The mean.
    pub avg: Vec<Option<f32>>,
    /// The most.
    pub max: Vec<Option<f32>>,
}

/// From which step a chart of `from` to `until` is made at `now`, and how wide each of its steps is: the finest that is
/// still kept and gives no more than `points`.
#[must_use]
pub fn widths(from: i64, until: i64, points: usize, now: i64) -> (Step, i64) {
    let span = until.saturating_sub(from).max(1);
    let least = span / i64::try_from(points.max(1)).unwrap_or(i64::MAX).max(1);
    let kept = |step: Step| from >= now.saturating_sub(step.kept());
    // A chart that starts a little before what is kept would otherwise lose its finest points to one missing edge.
    let step = if least < Step::Five.seconds() && kept(Step::Raw) {
        Step::Raw
    } else if least < Step::Hour.seconds() && kept(Step::Five) {
        Step::Five
    } else {
        Step::Hour
    };
    let steps = (least + step.seconds() - 1) / step.seconds();
    (step, step.seconds() * steps.max(1))
}

/// Lays out what was measured from `from` on and before `until`.
#[must_use]
pub fn chart(block: &Block, step: Step, width: i64, from: i64, until: i64) -> Chart {
    // Measurements come a little sooner or later than each minute: they keep their own times, as fixed minutes would show
    // gaps that are none.
    let own_times = step == Step::Raw && width < 2 * Step::Raw.seconds();
    let shown = if own_times { block.clone() } else { block.rolled(width) };
    let mut times = Vec::new();
    for at in shown
        .times()
        .into_iter()
        .filter(|at| (from - width + 1..until).contains(at))
    {
        if let Some(before) = times.last().copied()
            && at - before > width * 5 / 2
        {
            // A time at which nothing has a value breaks the line.
            times.push(before + width);
        }
        times.push(at);
    }
    let lines = shown.lines.iter().map(|(name, points)| {
        let mut points = points.iter().peekable();
        let mut line = Line {
            name: name.clone(),
            min: Vec::with_capacity(times.len()),
            avg: Vec::with_capacity(times.len()),
            max: Vec::with_capacity(times.len()),
        };
        for at in &times {
            while points.next_if(|point| point.at < *at).is_some() {}
            let point = points.next_if(|point| point.at == *at);
            line.min.push(point.map(|point| point.min));
            line.avg.push(point.map(|point| point.avg));
            line.max.push(point.map(|point| point.max));
        }
        line
    });
    Chart {
        width,
        lines: lines.filter(|line| line.avg.iter().any(Option::is_some)).collect(),
        times,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Kind, Point};

    const NOW: i64 = 1_800_000_000;

    fn block(points: impl IntoIterator<Item = (i64, f32)>) -> Block {
        let points = points.into_iter().map(|(at, value)| Point::one(at, value)).collect();
        Block {
            lines: [(SeriesName::only(Kind::Load1), points)].into(),
        }
    }

    #[test]
    fn a_chart_takes_the_finest_step_that_is_kept_and_fits() {
        let hours = |hours: i64| widths(NOW - hours * 3600, NOW, 400, NOW);
        assert_eq!(hours(1), (Step::Raw, 60));
        assert_eq!(hours(6), (Step::Raw, 60));
        assert_eq!(hours(24), (Step::Raw, 240));
        assert_eq!(hours(7 * 24), (Step::Five, 1800));
        assert_eq!(hours(30 * 24), (Step::Hour, 7200));
        assert_eq!(hours(365 * 24), (Step::Hour, 79_200));
        // An hour of three days ago is there by five minutes only.
        assert_eq!(widths(NOW - 260_000, NOW - 256_400, 400, NOW).0, Step::Five);
        assert_eq!(widths(NOW, NOW, 0, NOW).0, Step::Raw);
    }

    #[test]
    fn a_gap_is_a_gap_and_a_late_minute_is_none() {
        let measured = block([(0, 1.0), (61, 2.0), (119, 3.0), (600, 4.0), (660, 5.0)]);
        let chart = chart(&measured, Step::Raw, 60, 0, 700);
        assert_eq!(chart.times, [0, 61, 119, 179, 600, 660]);
        assert_eq!(
            chart.lines[0].avg,
            [Some(1.0), Some(2.0), Some(3.0), None, Some(4.0), Some(5.0)]
        );
    }

    #[test]
    fn many_points_become_few_with_least_and_most() {
        let measured = block((0..1440).map(|n| (n * 60, (n % 10) as f32)));
        let chart = chart(&measured, Step::Raw, 600, 0, 86_400);
        assert_eq!(chart.times.len(), 144);
        let line = &chart.lines[0];
        assert_eq!(
            (line.min[3], line.avg[3], line.max[3]),
            (Some(0.0), Some(4.5), Some(9.0))
        );
    }

    #[test]
    fn a_series_without_a_value_in_sight_is_left_out() {
        let mut measured = block([(0, 1.0)]);
        measured.lay(Block::sample(9000, [(SeriesName::of(Kind::DiskRead, "sda"), 1.0)]));
        let chart = chart(&measured, Step::Raw, 60, 8000, 10_000);
        assert_eq!(chart.lines.len(), 1);
        assert_eq!(chart.lines[0].name.instance, "sda");
    }
}
