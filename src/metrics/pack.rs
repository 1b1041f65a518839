//! Blocks as bytes: columns by series, each against the value before, compressed.
//!
//! Layout before compression: version, form (measurements or steps), number of times, times as differences, number of
//! series; of each series its kind, its instance, which times it has, then its columns. A column is how the bits of each
//! value differ from those before it, byte plane by byte plane: what changes little is zeros, and compresses to nothing.

use super::{Block, Kind, Point, SeriesName};

/// Of the layout.
const VERSION: u8 = 1;
/// zstd's; higher ones save little here.
const LEVEL: i32 = 3;
/// Uncompressed; a host with a thousand series has less than a tenth of it in its longest block.
const LARGEST: usize = 64 << 20;
/// Of the 23 bits of a step's fractions, those that are kept: one part in 8192 is finer than any chart, and halves the
/// bytes. Measurements are kept as they are.
const KEPT_FRACTION: u32 = 12;

/// Bytes that are no block of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a block of measurements is broken: {0}")]
pub struct BrokenBlock(&'static str);

impl Block {
    /// Packs it.
    ///
    /// # Errors
    /// When it cannot be compressed, which does not happen short of memory.
    pub fn pack(&self) -> Result<Vec<u8>, BrokenBlock> {
        let times = self.times();
        let steps = self.lines.values().flatten().any(|point| point.count != 1);
        let mut out = vec![VERSION, u8::from(steps)];
        number(&mut out, times.len() as u64);
        let mut before = 0;
        for at in &times {
            number(&mut out, at.saturating_sub(before).unsigned_abs());
            before = *at;
        }
        let lines: Vec<_> = self.lines.iter().filter(|(_, points)| !points.is_empty()).collect();
        number(&mut out, lines.len() as u64);
        for (name, points) in lines {
            out.push(name.kind as u8);
            number(&mut out, name.instance.len() as u64);
            out.extend_from_slice(name.instance.as_bytes());
            present(&mut out, &times, points);
            if steps {
                column(&mut out, &points.iter().map(|point| rounded(point.min)));
                column(&mut out, &points.iter().map(|point| rounded(point.avg)));
                column(&mut out, &points.iter().map(|point| rounded(point.max)));
                column(&mut out, &points.iter().map(|point| u32::from(point.count)));
            } else {
                column(&mut out, &points.iter().map(|point| point.avg.to_bits()));
            }
        }
        zstd::bulk::compress(&out, LEVEL).map_err(|_| BrokenBlock("it cannot be compressed"))
    }

    /// Unpacks what [`Self::pack`] made.
    ///
    /// # Errors
    /// When it is not that.
    pub fn unpack(bytes: &[u8]) -> Result<Self, BrokenBlock> {
        let broken = BrokenBlock("it is no compressed block");
        let size = zstd::zstd_safe::get_frame_content_size(bytes).map_err(|_| broken.clone())?;
        let size = size
            .and_then(|size| usize::try_from(size).ok())
            .ok_or_else(|| broken.clone())?;
        if size > LARGEST {
            return Err(BrokenBlock("it is too large"));
        }
        let plain = zstd::bulk::decompress(bytes, size).map_err(|_| broken)?;
        let mut rest = Reader(&plain);
        if rest.byte()? != VERSION {
            return Err(BrokenBlock("its version is not known"));
        }
        let steps = rest.byte()? == 1;
        let count = rest.count()?;
        let mut times = Vec::with_capacity(count);
        let mut before = 0_i64;
        for _ in 0..count {
            before = before.saturating_add_unsigned(rest.number()?);
            times.push(before);
        }
        let mut block = Self::default();
        for _ in 0..rest.count()? {
            let kind = Kind::by_id(rest.byte()?);
            let length = rest.count()?;
            let instance = String::from_utf8_lossy(rest.take(length)?).into_owned();
            let marks = rest.take(times.len().div_ceil(8))?;
            let at: Vec<i64> = times
                .iter()
                .enumerate()
                .filter(|(place, _)| marks.get(place / 8).is_some_and(|mark| mark >> (place % 8) & 1 == 1))
                .map(|(_, at)| *at)
                .collect();
            let points = if steps {
                let (min, avg, max) = (rest.column(at.len())?, rest.column(at.len())?, rest.column(at.len())?);
                let counts = rest.column(at.len())?;
                let values = min.iter().zip(&avg).zip(&max).zip(&counts);
                at.iter()
                    .zip(values)
                    .map(|(at, (((min, avg), max), count))| Point {
                        at: *at,
                        min: f32::from_bits(*min),
                        avg: f32::from_bits(*avg),
                        max: f32::from_bits(*max),
                        count: u16::try_from(*count).unwrap_or(u16::MAX),
                    })
                    .collect()
            } else {
                let values = rest.column(at.len())?;
                at.iter()
                    .zip(&values)
                    .map(|(at, value)| Point::one(*at, f32::from_bits(*value)))
                    .collect()
            };
            // A kind of a newer version is passed over.
            if let Some(kind) = kind {
                block.lines.insert(SeriesName { kind, instance }, points);
            }
        }
        Ok(block)
    }
}

/// A value as coarse as steps keep it.
const fn rounded(value: f32) -> u32 {
    let dropped = 23 - KEPT_FRACTION;
    let half = 1 << (dropped - 1);
    // The largest finite values would round up to infinity: they are cut instead.
    let bits = value.to_bits();
    let up = bits.saturating_add(half) >> dropped << dropped;
    if f32::from_bits(up).is_finite() {
        up
    } else {
        bits >> dropped << dropped
    }
}

/// Seven bits a byte, lowest first.
fn number(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// One bit for each time: whether there is a point. `points` are in the order of `times` and at none else.
fn present(out: &mut Vec<u8>, times: &[i64], points: &[Point]) {
    let mut marks = vec![0_u8; times.len().div_ceil(8)];
    let mut points = points.iter().peekable();
    for (place, at) in times.iter().enumerate() {
        if points.next_if(|point| point.at == *at).is_some()
            && let Some(mark) = marks.get_mut(place / 8)
        {
            *mark |= 1 << (place % 8);
        }
    }
    out.extend_from_slice(&marks);
}

fn column(out: &mut Vec<u8>, values: &(impl Iterator<Item = u32> + Clone)) {
    for plane in 0..4 {
        let mut before = 0;
        for value in values.clone() {
            out.push(((value ^ before) >> (8 * plane)) as u8);
            before = value;
        }
    }
}

/// What is left to read.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    const SHORT: BrokenBlock = BrokenBlock("it ends too early");

    fn take(&mut self, length: usize) -> Result<&'a [u8], BrokenBlock> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(Self::SHORT)?;
        self.0 = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, BrokenBlock> {
        self.take(1)?.first().copied().ok_or(Self::SHORT)
    }

    fn number(&mut self) -> Result<u64, BrokenBlock> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(BrokenBlock("a number has too many bytes"))
    }

    /// How many follow: each takes a bit at least, so that no number makes us ask for more memory than was read.
    fn count(&mut self) -> Result<usize, BrokenBlock> {
        let count = usize::try_from(self.number()?).map_err(|_| Self::SHORT)?;
        if count > self.0.len().saturating_mul(8) {
            return Err(Self::SHORT);
        }
        Ok(count)
    }

    fn column(&mut self, count: usize) -> Result<Vec<u32>, BrokenBlock> {
        let mut values = vec![0_u32; count];
        for plane in 0..4 {
            for (value, byte) in values.iter_mut().zip(self.take(count)?) {
                *value |= u32::from(*byte) << (8 * plane);
            }
        }
        let mut before = 0;
        for value in &mut values {
            *value ^= before;
            before = *value;
        }
        Ok(values)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn blocks() -> impl Strategy<Value = Block> {
        let name =
            (0..Kind::ALL.len(), "[a-z/é]{0,9}").prop_map(|(kind, instance)| SeriesName::of(Kind::ALL[kind], instance));
        let points = proptest::collection::btree_map(0..4_000_000_000_i64, any::<f32>(), 0..40).prop_map(|points| {
            points
                .into_iter()
                .map(|(at, value)| Point::one(at, value))
                .collect::<Vec<_>>()
        });
        proptest::collection::btree_map(name, points, 0..12).prop_map(|lines| Block {
            lines: lines.into_iter().filter(|(_, points)| !points.is_empty()).collect(),
        })
    }

    fn bits(block: &Block) -> Vec<(SeriesName, Vec<(i64, u32)>)> {
        let of = |points: &Vec<Point>| points.iter().map(|point| (point.at, point.avg.to_bits())).collect();
        block
            .lines
            .iter()
            .map(|(name, points)| (name.clone(), of(points)))
            .collect()
    }

    proptest! {
        #[test]
        fn measurements_come_back_to_the_bit(block in blocks()) {
            let back = Block::unpack(&block.pack().unwrap()).unwrap();
            prop_assert_eq!(bits(&back), bits(&block));
        }

        #[test]
        fn other_bytes_are_refused_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let packed = zstd::bulk::compress(&bytes, 1).unwrap();
            let _ = Block::unpack(&bytes);
            let _ = Block::unpack(&packed);
            let mut marked = vec![VERSION, 0];
            marked.extend(&bytes);
            let _ = Block::unpack(&zstd::bulk::compress(&marked, 1).unwrap());
        }
    }

    #[test]
    fn steps_come_back_close_enough() {
        let mut block = Block::default();
        for (at, value) in (0..288).zip((0..288).map(|n| 1e9 + 3.1e5 * n as f32)) {
            block.lay(Block::sample(at * 60, [(SeriesName::only(Kind::MemoryUsed), value)]));
        }
        let rolled = block.rolled(300);
        let back = Block::unpack(&rolled.pack().unwrap()).unwrap();
        let name = SeriesName::only(Kind::MemoryUsed);
        for (kept, was) in back.lines[&name].iter().zip(&rolled.lines[&name]) {
            assert_eq!((kept.at, kept.count), (was.at, was.count));
            assert!((kept.avg - was.avg).abs() <= was.avg / 8192.0, "{kept:?} {was:?}");
        }
        assert!(f32::from_bits(rounded(f32::MAX)).is_finite());
    }

    #[test]
    fn what_does_not_change_takes_hardly_a_byte() {
        let mut block = Block::default();
        for at in 0..60 {
            let values = (0..50).map(|n| (SeriesName::of(Kind::DiskRead, format!("disk{n}")), 0.0));
            block.lay(Block::sample(at * 60, values));
        }
        let packed = block.pack().unwrap();
        assert!(packed.len() < 600, "{} bytes for 3000 values", packed.len());
    }
}
