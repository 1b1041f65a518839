//! What has arrived is laid into blocks: by the hour as it was measured, and rolled up beside it.

use std::collections::{BTreeMap, BTreeSet};

use super::{Block, Step};

/// Blocks of one host, by step and start.
pub type Blocks = BTreeMap<(Step, i64), Block>;

/// The blocks that measurements of these times belong into.
#[must_use]
pub fn touched(times: &[i64]) -> BTreeSet<(Step, i64)> {
    Step::ALL
        .into_iter()
        .flat_map(|step| times.iter().map(move |at| (step, step.block_of(*at))))
        .collect()
}

/// Lays `tail` into `blocks`, which are those that it touches as they are kept. An hour is rolled up from all that was
/// measured in it: what comes late is not counted twice.
pub fn lay(tail: &Block, blocks: &mut Blocks) {
    for start in touched(&tail.times())
        .into_iter()
        .filter_map(|(step, start)| (step == Step::Raw).then_some(start))
    {
        let mut hour = blocks.remove(&(Step::Raw, start)).unwrap_or_default();
        let mut new = tail.clone();
        new.cut(start, start + Step::Raw.block());
        hour.lay(new);
        for step in [Step::Five, Step::Hour] {
            let rolled = hour.rolled(step.seconds());
            blocks.entry((step, step.block_of(start))).or_default().lay(rolled);
        }
        blocks.insert((Step::Raw, start), hour);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metrics::{Kind, SeriesName};

    const START: i64 = 1_799_971_200;

    fn minutes(range: std::ops::Range<i64>) -> Block {
        let mut block = Block::default();
        for minute in range {
            block.lay(Block::sample(
                START + minute * 60 + 7,
                [(SeriesName::only(Kind::Load1), minute as f32)],
            ));
        }
        block
    }

    #[test]
    fn what_comes_in_pieces_is_what_comes_at_once() {
        assert_eq!(Step::Hour.block_of(START) % Step::Raw.block(), 0);
        let (mut once, mut pieces) = (Blocks::new(), Blocks::new());
        lay(&minutes(0..200), &mut once);
        for range in [150..200, 0..70, 70..71, 60..150, 10..20] {
            lay(&minutes(range), &mut pieces);
        }
        assert_eq!(once, pieces);
        let of = |step| once.iter().filter(move |((its, _), _)| *its == step);
        assert_eq!(of(Step::Raw).count(), 4);
        let points = |step| of(step).map(|(_, block)| block.times().len()).sum::<usize>();
        assert_eq!(
            (points(Step::Raw), points(Step::Five), points(Step::Hour)),
            (200, 40, 4)
        );
        assert_eq!(touched(&minutes(0..200).times()), once.keys().copied().collect());
    }
}
