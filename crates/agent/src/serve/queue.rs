//! Samples that the server has not acknowledged yet, on disk.
//!
//! One file of lines, each with its CRC-32: a head, then samples, acknowledgements and what was thrown away, in the order it
//! happened. A sample is on the disk before it is sent, so that a number never stands for two samples; whatever follows the
//! last whole line after a power cut was sent to nobody. Acknowledgements wait for the next sample to reach the disk: one
//! that is lost costs a sample sent twice, which the server knows by its number. The file is written anew when most of it is
//! over. What cannot be written, as the disk is full or read-only, is kept in memory and written when it can be.

mod line;

use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use muster_facts::metrics::Sample;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use line::Line;

/// What is kept at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    /// Samples.
    pub(super) samples: usize,
    /// Bytes of all samples.
    pub(super) bytes: u64,
    /// Samples in memory, while the disk takes none.
    pub(super) held: usize,
    /// Bytes of the file that may be over before it is written anew.
    pub(super) waste: u64,
}

impl Default for Bounds {
    /// A day of samples, one a minute.
    fn default() -> Self {
        Self {
            samples: 1440,
            bytes: 8 << 20,
            held: 60,
            waste: 256 << 10,
        }
    }
}

/// Numbers from here on are no numbers of samples, whoever says so.
const HIGHEST: u64 = 1 << 53;

/// Bytes of the file that are read; it is never half as long.
const LONGEST_FILE: u64 = 64 << 20;

/// A sample as it is sent.
#[derive(Debug, Serialize, Deserialize)]
struct Numbered {
    sequence: u64,
    #[serde(flatten)]
    sample: Sample,
}

#[derive(Debug)]
struct Kept {
    sequence: u64,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// A whole line of the file.
    Disk { offset: u64, length: usize },
    /// JSON that could not be written yet.
    Memory(String),
}

/// The queue of one credential.
#[derive(Debug)]
pub(super) struct Queue {
    path: PathBuf,
    bounds: Bounds,
    /// `None` while there is no file that can be written.
    file: Option<File>,
    /// The length of the file's good part.
    end: u64,
    /// There may be something behind that part.
    is_ragged: bool,
    /// Bytes of the lines of samples that are still kept.
    live: u64,
    kept: VecDeque<Kept>,
    /// The CRC-32 of the credential.
    owner: u32,
    /// The number of the next sample.
    next: u64,
    acknowledged: u64,
    dropped: u64,
    /// Why the disk takes nothing, until it does.
    trouble: Option<String>,
}

impl Queue {
    /// The queue in the file `samples` of `folder`, as it was left. A folder that cannot be made is trouble, not an error.
    pub(super) fn open(folder: &Path, bounds: Bounds) -> Self {
        let mut queue = Self {
            path: folder.join("samples"),
            bounds,
            file: None,
            end: 0,
            is_ragged: false,
            live: 0,
            kept: VecDeque::new(),
            owner: 0,
            next: 1,
            acknowledged: 0,
            dropped: 0,
            trouble: None,
        };
        match queue.load() {
            Ok(true) => {}
            // What is not whole is written whole before anything is added to it.
            Ok(false) => queue.rewrite_or_note(),
            Err(error) => {
                queue.kept.clear();
                queue.trouble = Some(format!("{}: {error}", queue.path.display()));
            }
        }
        queue
    }

    /// From now on samples are sent with this credential. They belong to the host that a credential speaks for: with another
    /// one the queue starts empty, and its numbers at 1.
    pub(super) fn belong_to(&mut self, credential: &str) {
        let owner = line::checksum(credential.as_bytes());
        if self.owner == owner {
            return;
        }
        self.owner = owner;
        self.kept.clear();
        (self.live, self.next, self.acknowledged, self.dropped) = (0, 1, 0, 0);
        self.rewrite_or_note();
    }

    /// Puts a sample at the end; the oldest give way when there is no room.
    pub(super) fn push(&mut self, sample: Sample) {
        let numbered = Numbered {
            sequence: self.next,
            sample,
        };
        // Samples are plain data: writing them cannot fail, and if it did there were nothing to keep.
        let Ok(json) = serde_json::to_string(&numbered) else {
            return;
        };
        let sequence = numbered.sequence;
        self.next += 1;
        self.kept.push_back(Kept {
            sequence,
            place: Place::Memory(json),
        });
        self.settle();
        self.make_room();
    }

    /// The number of samples that wait.
    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Samples thrown away since the last one that was acknowledged.
    pub(super) const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Why nothing can be written now, told once.
    pub(super) fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// The oldest samples: at most `most`, of at most `bytes` together unless the first alone has more.
    pub(super) fn oldest(&mut self, most: usize, bytes: usize) -> Vec<Box<RawValue>> {
        let mut samples: Vec<Box<RawValue>> = Vec::new();
        let mut room = bytes;
        let mut place = 0;
        while samples.len() < most
            && let Some(kept) = self.kept.get(place)
        {
            let json = self.json(kept).and_then(|json| RawValue::from_string(json).ok());
            match json {
                Some(json) if json.get().len() < room || samples.is_empty() => {
                    room = room.saturating_sub(json.get().len() + 1);
                    samples.push(json);
                    place += 1;
                }
                Some(_) => break,
                // The disk does not give back what was written: nobody will ever see it.
                None => self.forget(place),
            }
        }
        samples
    }

    /// The server has all samples up to `sequence` on its disk, and was told of `dropped` that it will not get. Gives whether
    /// that is news.
    pub(super) fn acknowledge(&mut self, sequence: u64, dropped: u64) -> bool {
        if sequence >= HIGHEST || sequence <= self.acknowledged {
            return false;
        }
        if sequence >= self.next {
            self.renumber(sequence);
            return true;
        }
        self.acknowledged = sequence;
        self.dropped = self.dropped.saturating_sub(dropped);
        self.forget_through(sequence);
        let line = Line::Acknowledged(self.acknowledged, self.dropped);
        self.note(&line);
        true
    }

    /// Throws the oldest sample away: the server will never take it, or there is no room.
    pub(super) fn discard_oldest(&mut self) {
        let Some(oldest) = self.kept.front() else { return };
        let sequence = oldest.sequence;
        self.forget(0);
        self.dropped += 1;
        let line = Line::Dropped(sequence, self.dropped);
        self.note(&line);
    }

    fn make_room(&mut self) {
        let held = |kept: &Kept| matches!(kept.place, Place::Memory(_));
        while self.kept.len() > self.bounds.samples || (self.live > self.bounds.bytes && self.kept.len() > 1) {
            self.discard_oldest();
        }
        while self.kept.iter().rev().take_while(|kept| held(kept)).count() > self.bounds.held
            && let Some(first) = self.kept.iter().position(held)
        {
            self.forget(first);
            self.dropped += 1;
        }
    }

    /// The server knows later numbers than this machine gave: its disk was lost or put back. What waits gets numbers after
    /// those, or the server would take it for what it has.
    fn renumber(&mut self, known: u64) {
        let waiting: Vec<Sample> = (0..self.kept.len())
            .filter_map(|place| serde_json::from_str::<Numbered>(&self.json(self.kept.get(place)?)?).ok())
            .map(|numbered| numbered.sample)
            .collect();
        self.kept.clear();
        (self.live, self.acknowledged, self.next) = (0, known, known + 1);
        for sample in waiting {
            let sequence = self.next;
            if let Ok(json) = serde_json::to_string(&Numbered { sequence, sample }) {
                self.next += 1;
                let place = Place::Memory(json);
                self.kept.push_back(Kept { sequence, place });
            }
        }
        self.rewrite_or_note();
    }

    /// Takes out a sample that is not needed any more.
    fn forget(&mut self, place: usize) {
        if let Some(Place::Disk { length, .. }) = self.kept.remove(place).map(|kept| kept.place) {
            self.live = self.live.saturating_sub(length as u64);
        }
    }

    fn forget_through(&mut self, sequence: u64) {
        while self.kept.front().is_some_and(|kept| kept.sequence <= sequence) {
            self.forget(0);
        }
    }

    fn json(&self, kept: &Kept) -> Option<String> {
        let (offset, length) = match &kept.place {
            Place::Memory(json) => return Some(json.clone()),
            Place::Disk { offset, length } => (*offset, *length),
        };
        let mut bytes = vec![0; length];
        self.file.as_ref()?.read_exact_at(&mut bytes, offset).ok()?;
        match Line::read(&bytes)? {
            Line::Sample(sequence, json) if sequence == kept.sequence => Some(json.to_owned()),
            _ => None,
        }
    }

    /// Writes what is in memory, and all of it onto the disk. What fails stays in memory.
    fn settle(&mut self) {
        let waste = self.end.saturating_sub(self.live);
        if self.file.is_none() || waste > self.live.saturating_add(self.bounds.waste) {
            self.rewrite_or_note();
        }
        if self.file.is_none() {
            return;
        }
        let good = self.end;
        let mut places = Vec::new();
        let written = (|| {
            for (place, kept) in self.kept.iter().enumerate() {
                if let Place::Memory(json) = &kept.place {
                    places.push((place, Line::Sample(kept.sequence, json).written()));
                }
            }
            if places.is_empty() {
                return Ok(());
            }
            for (_, line) in &places {
                self.append(line)?;
            }
            self.file.as_ref().map_or(Ok(()), File::sync_data)
        })();
        if let Err(error) = written {
            self.end = good;
            self.is_ragged = true;
            self.trouble = Some(format!("{}: {error}", self.path.display()));
            return;
        }
        let mut offset = good;
        for (place, line) in places {
            let length = line.len();
            if let Some(kept) = self.kept.get_mut(place) {
                kept.place = Place::Disk { offset, length };
            }
            offset += length as u64;
            self.live += length as u64;
        }
    }

    /// Writes a line that may be lost: what it says is said again by what follows from it.
    fn note(&mut self, line: &Line<'_>) {
        if self.append(&line.written()).is_err() {
            self.is_ragged = true;
        }
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        let file = self.file.as_ref().ok_or(io::ErrorKind::NotFound)?;
        if self.is_ragged {
            file.set_len(self.end)?;
            self.is_ragged = false;
        }
        file.write_all_at(line, self.end)?;
        self.end += line.len() as u64;
        Ok(())
    }

    fn rewrite_or_note(&mut self) {
        if let Err(error) = self.rewrite() {
            // On a full disk half of a copy is in the way of everybody.
            let _ = fs::remove_file(self.path.with_extension("new"));
            self.trouble = Some(format!("{}: {error}", self.path.display()));
        }
    }

    /// Writes the file anew with what is kept, and puts it in the place of the old one.
    fn rewrite(&mut self) -> io::Result<()> {
        let fresh = self.path.with_extension("new");
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        match fs::remove_file(&fresh) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&fresh)?;
        let head = Line::Head {
            owner: self.owner,
            next: self.next,
            acknowledged: self.acknowledged,
            dropped: self.dropped,
        };
        let (mut end, mut live, mut places) = (0, 0, Vec::with_capacity(self.kept.len()));
        let mut put = |line: &[u8]| -> io::Result<u64> {
            file.write_all(line)?;
            let offset = end;
            end += line.len() as u64;
            Ok(offset)
        };
        put(&head.written())?;
        for kept in &self.kept {
            let Some(json) = self.json(kept) else {
                places.push(None);
                continue;
            };
            let line = Line::Sample(kept.sequence, &json).written();
            let (offset, length) = (put(&line)?, line.len());
            live += length as u64;
            places.push(Some(Place::Disk { offset, length }));
        }
        file.sync_all()?;
        fs::rename(&fresh, &self.path)?;
        if let Some(folder) = self.path.parent() {
            File::open(folder)?.sync_all()?;
        }
        let kept = std::mem::take(&mut self.kept);
        self.kept = kept
            .into_iter()
            .zip(places)
            .filter_map(|(kept, place)| Some(Kept { place: place?, ..kept }))
            .collect();
        (self.file, self.end, self.live, self.is_ragged) = (Some(file), end, live, false);
        Ok(())
    }

    /// Reads the file; gives whether it is whole.
    fn load(&mut self) -> io::Result<bool> {
        let file = match OpenOptions::new().read(true).write(true).open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(error),
        };
        let mut reader = BufReader::new(file.try_clone()?);
        let mut is_whole = true;
        let mut has_head = false;
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            let length = Read::take(&mut reader, line::LONGEST).read_until(b'\n', &mut bytes)?;
            if length == 0 {
                break;
            }
            let offset = self.end;
            self.end += length as u64;
            if self.end > LONGEST_FILE {
                return Ok(false);
            }
            match Line::read(&bytes) {
                Some(line) if has_head || matches!(line, Line::Head { .. }) => {
                    has_head = true;
                    self.replay(&line, offset, length);
                }
                _ => is_whole = false,
            }
        }
        self.file = Some(file);
        Ok(is_whole && has_head)
    }

    fn replay(&mut self, line: &Line<'_>, offset: u64, length: usize) {
        match *line {
            Line::Head {
                owner,
                next,
                acknowledged,
                dropped,
            } => (self.owner, self.next, self.acknowledged, self.dropped) = (owner, next.max(1), acknowledged, dropped),
            // The head of a file that was written anew tells the number after those of its samples.
            Line::Sample(sequence, _) if self.kept.back().is_none_or(|last| last.sequence < sequence) => {
                self.next = self.next.max(sequence + 1);
                self.live += length as u64;
                let place = Place::Disk { offset, length };
                self.kept.push_back(Kept { sequence, place });
            }
            Line::Sample(..) => {}
            Line::Acknowledged(sequence, dropped) => {
                self.forget_through(sequence);
                (self.acknowledged, self.dropped) = (self.acknowledged.max(sequence), dropped);
            }
            Line::Dropped(sequence, dropped) => {
                self.forget_through(sequence);
                self.dropped = dropped;
            }
        }
    }
}

#[cfg(test)]
mod tests;
