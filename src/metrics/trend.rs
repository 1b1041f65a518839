use super::Point;

/// Less time than this shows no trend, seconds.
const LEAST_SPAN: i64 = 6 * 3600;
/// Fewer points than these show none.
const LEAST_POINTS: usize = 6;
/// What is further away is not told, seconds: a year from a week is guessing.
const FARTHEST: f64 = 365.0 * 86_400.0;
/// How much of what happened a straight line has to explain: what goes up and down with the day has no date.
const LEAST_FIT: f64 = 0.5;

/// When what grows reaches `size`, if it goes on as it did over `points` (least squares). `None` when it does not grow, too
/// little is known, no line fits, or it is more than a year away.
#[must_use]
pub fn full_at(points: &[Point], size: f32, now: i64) -> Option<i64> {
    let (first, last) = (points.first()?, points.last()?);
    if points.len() < LEAST_POINTS || last.at - first.at < LEAST_SPAN {
        return None;
    }
    let count = points.len() as f64;
    let of = |point: &Point| ((point.at - first.at) as f64, f64::from(point.avg));
    let (sum_t, sum_v) = points
        .iter()
        .map(of)
        .fold((0.0, 0.0), |(t, v), (at, value)| (t + at, v + value));
    let (mean_t, mean_v) = (sum_t / count, sum_v / count);
    let (mut tt, mut tv, mut vv) = (0.0, 0.0, 0.0);
    for (at, value) in points.iter().map(of) {
        tt += (at - mean_t) * (at - mean_t);
        tv += (at - mean_t) * (value - mean_v);
        vv += (value - mean_v) * (value - mean_v);
    }
    let slope = tv / tt;
    if !slope.is_finite() || slope <= 0.0 || tv * tv < LEAST_FIT * tt * vv {
        return None;
    }
    let left = (f64::from(size) - f64::from(last.avg)).max(0.0) / slope;
    (left <= FARTHEST).then(|| now + left as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours(value: impl Fn(i64) -> f32) -> Vec<Point> {
        (0..48).map(|hour| Point::one(hour * 3600, value(hour))).collect()
    }

    #[test]
    fn what_grows_evenly_is_full_when_it_is() {
        // One an hour, at 47 now: 53 hours are left.
        let full = full_at(&hours(|hour| hour as f32), 100.0, 47 * 3600);
        assert_eq!(full, Some(100 * 3600));
        assert_eq!(
            full_at(&hours(|hour| hour as f32), 40.0, 47 * 3600),
            Some(47 * 3600),
            "it is full"
        );
    }

    #[test]
    fn what_does_not_grow_has_no_date() {
        assert_eq!(full_at(&hours(|_| 50.0), 100.0, 0), None);
        assert_eq!(full_at(&hours(|hour| 90.0 - hour as f32), 100.0, 0), None);
        let daily = hours(|hour| 50.0 + 10.0 * (hour as f32 / 24.0 * std::f32::consts::TAU).sin());
        assert_eq!(full_at(&daily, 100.0, 0), None);
        assert_eq!(full_at(&hours(|hour| hour as f32 * 1e-3), 100.0, 0), None, "years away");
        assert_eq!(
            full_at(&hours(|hour| hour as f32)[..5], 100.0, 0),
            None,
            "too little is known"
        );
        assert_eq!(full_at(&[], 100.0, 0), None);
    }
}
