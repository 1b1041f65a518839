use proptest::prelude::*;

use super::*;

const SMALL: Bounds = Bounds {
    samples: 8,
    bytes: 4096,
    held: 3,
    waste: 300,
};

fn sample(at: u64) -> Sample {
    Sample {
        at_unix_s: at,
        ..Sample::default()
    }
}

/// Number and time of the samples that wait.
fn waiting(queue: &mut Queue) -> Vec<(u64, u64)> {
    let samples = queue.oldest(usize::MAX, usize::MAX);
    let read = |json: Box<RawValue>| serde_json::from_str::<Numbered>(json.get()).unwrap();
    let numbered = samples.into_iter().map(read);
    numbered
        .map(|numbered| (numbered.sequence, numbered.sample.at_unix_s))
        .collect()
}

fn open(folder: &Path) -> Queue {
    let mut queue = Queue::open(folder, SMALL);
    queue.belong_to("credential");
    queue
}

#[test]
fn numbers_rise_by_one_and_go_on_after_a_restart_also_when_nothing_waits() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(folder.path());
    assert!(waiting(&mut queue).is_empty());
    for at in [10, 20, 30] {
        queue.push(sample(at));
    }
    assert_eq!(waiting(&mut queue), [(1, 10), (2, 20), (3, 30)]);
    assert!(queue.acknowledge(2, 0) && !queue.acknowledge(2, 0) && !queue.acknowledge(1, 0));
    let mut queue = open(folder.path());
    assert_eq!(waiting(&mut queue), [(3, 30)]);
    queue.acknowledge(3, 0);
    let mut queue = open(folder.path());
    assert!(waiting(&mut queue).is_empty());
    queue.push(sample(40));
    assert_eq!(waiting(&mut queue), [(4, 40)]);
    assert_eq!(queue.take_trouble(), None);
}

#[test]
fn another_credential_starts_an_empty_queue_and_the_same_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(folder.path());
    queue.push(sample(1));
    queue.belong_to("credential");
    assert_eq!(queue.len(), 1);
    queue.belong_to("another");
    assert_eq!(queue.len(), 0);
    queue.push(sample(2));
    drop(queue);
    let mut queue = Queue::open(folder.path(), SMALL);
    queue.belong_to("another");
    assert_eq!(waiting(&mut queue), [(1, 2)]);
    let text = fs::read_to_string(folder.path().join("samples")).unwrap();
    assert!(!text.contains("another"), "{text}");
}

#[test]
fn the_oldest_give_way_and_are_counted_until_the_server_knows() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(folder.path());
    for at in 1..=11 {
        queue.push(sample(at));
    }
    assert_eq!((queue.len(), queue.dropped()), (8, 3));
    let mut queue = open(folder.path());
    assert_eq!(waiting(&mut queue)[0], (4, 4));
    assert_eq!(queue.dropped(), 3);
    queue.push(sample(12));
    // The server was told of three when it took the first.
    assert!(queue.acknowledge(5, 3));
    assert_eq!((queue.dropped(), waiting(&mut queue)[0]), (1, (6, 6)));
    assert_eq!(open(folder.path()).dropped(), 1);
    // By bytes too.
    let mut tight = Queue::open(&folder.path().join("tight"), Bounds { bytes: 150, ..SMALL });
    for at in 1..=8 {
        tight.push(sample(at));
    }
    assert!(tight.len() < 6, "{}", tight.len());
    assert_eq!(tight.len() as u64 + tight.dropped(), 8);
}

#[test]
fn the_file_stays_small_while_the_server_answers() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(folder.path());
    let mut longest = 0;
    for at in 1..=200 {
        queue.push(sample(at));
        queue.acknowledge(at, 0);
        longest = longest.max(fs::metadata(folder.path().join("samples")).unwrap().len());
    }
    assert!(longest < 1000, "{longest}");
    assert!(!folder.path().join("samples.new").exists());
}

#[test]
fn a_batch_has_at_most_so_many_samples_and_bytes_but_never_none() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(folder.path());
    for at in 1..=5 {
        queue.push(sample(at));
    }
    assert_eq!(queue.oldest(3, usize::MAX).len(), 3);
    let one = queue.oldest(1, 0);
    assert_eq!(one.len(), 1);
    assert_eq!(queue.oldest(9, one[0].get().len() * 2 + 2).len(), 2);
}

#[test]
fn a_server_that_knows_later_numbers_gets_what_waits_under_new_ones() {
    let folder = tempfile::tempdir().unwrap();
    let mut queue = open(folder.path());
    queue.push(sample(10));
    queue.push(sample(20));
    assert!(queue.acknowledge(500, 0));
    assert_eq!(waiting(&mut queue), [(501, 10), (502, 20)]);
    assert_eq!(waiting(&mut open(folder.path())), [(501, 10), (502, 20)]);
    assert!(!queue.acknowledge(u64::MAX, 0), "nonsense is no number");
    assert_eq!(queue.len(), 2);
}

/// Power cuts: whatever part of the last writes reached the disk, and even when zeros stand in its place.
#[test]
fn a_cut_at_every_byte_loses_nothing_that_was_on_the_disk() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("samples");
    let mut queue = open(folder.path());
    for at in 1..=6 {
        let before = fs::read(&file).unwrap();
        let had = waiting(&mut queue);
        queue.push(sample(at));
        if at % 3 == 0 {
            queue.acknowledge(at - 1, 0);
        }
        let after = fs::read(&file).unwrap();
        assert!(after.starts_with(&before));
        for cut in before.len()..=after.len() {
            for rest in [0, 20] {
                let other = tempfile::tempdir().unwrap();
                let mut torn = after[..cut].to_vec();
                torn.extend(std::iter::repeat_n(0, rest));
                fs::write(other.path().join("samples"), torn).unwrap();
                let mut survivor = open(other.path());
                let kept = waiting(&mut survivor);
                let whole = kept == waiting(&mut queue) || had.iter().all(|one| kept.contains(one));
                assert!(whole, "cut at {cut}: {had:?} became {kept:?}");
                // It goes on, and what is added now is there after another restart.
                survivor.push(sample(99));
                let last = waiting(&mut open(other.path())).pop().unwrap();
                assert_eq!(last.1, 99);
                assert!(last.0 >= at, "a number that may be known is not given again");
            }
        }
    }
}

#[test]
fn a_damaged_line_in_the_middle_costs_itself_alone() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("samples");
    let mut queue = open(folder.path());
    for at in 1..=3 {
        queue.push(sample(at));
    }
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replace("S 2 ", "S 7 ")).unwrap();
    assert_eq!(waiting(&mut open(folder.path())), [(1, 1), (3, 3)]);
}

/// Something in the way of the file does what a full disk and one that is read-only do.
#[test]
fn without_a_disk_the_youngest_are_kept_in_memory_and_written_later() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("state");
    fs::write(&state, "no folder").unwrap();
    let mut queue = open(&state);
    assert!(queue.take_trouble().is_some() && queue.take_trouble().is_none());
    for at in 1..=5 {
        queue.push(sample(at));
    }
    assert_eq!(waiting(&mut queue), [(3, 3), (4, 4), (5, 5)]);
    assert_eq!(queue.dropped(), 2);
    fs::remove_file(&state).unwrap();
    queue.push(sample(6));
    assert_eq!(waiting(&mut open(&state)), [(3, 3), (4, 4), (5, 5), (6, 6)]);
}

/// A file that is open for reading alone takes nothing, as a full disk does.
#[test]
fn a_disk_that_is_full_for_a_while_costs_nothing_of_what_is_on_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("samples");
    let mut queue = open(folder.path());
    queue.push(sample(1));
    queue.push(sample(2));
    queue.file = Some(File::open(&file).unwrap());
    queue.push(sample(3));
    assert!(queue.take_trouble().is_some());
    assert_eq!(waiting(&mut queue), [(1, 1), (2, 2), (3, 3)]);
    assert!(queue.acknowledge(1, 0), "what cannot be noted is known all the same");
    queue.file = Some(OpenOptions::new().read(true).write(true).open(&file).unwrap());
    queue.push(sample(4));
    assert_eq!(queue.take_trouble(), None);
    // The server will know the first as a double.
    assert_eq!(waiting(&mut open(folder.path())), [(1, 1), (2, 2), (3, 3), (4, 4)]);
}

#[test]
fn nonsense_in_the_file_is_no_queue() {
    for text in [
        &b""[..],
        b"\n\n",
        b"nonsense",
        &[0; 4096],
        b"00000000 S 1 {}\n",
        &[0xff; 100],
    ] {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("samples"), text).unwrap();
        let mut queue = open(folder.path());
        queue.push(sample(1));
        assert_eq!(waiting(&mut open(folder.path())), [(1, 1)]);
    }
}

#[derive(Debug, Clone)]
enum Step {
    Push,
    /// The server commits so many of the oldest; the answer may be lost.
    Send(usize, bool),
    /// SIGKILL: what was written is there.
    Restart,
    Credential(u8),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        6 => Just(Step::Push),
        4 => (1..5_usize, any::<bool>()).prop_map(|(count, lost)| Step::Send(count, lost)),
        1 => Just(Step::Restart),
        1 => (0..2_u8).prop_map(Step::Credential),
    ];
    proptest::collection::vec(step, 0..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Beside a model in memory: the same samples in the same order under the same numbers.
    #[test]
    fn it_is_a_queue_whatever_happens(steps in steps()) {
        let folder = tempfile::tempdir().unwrap();
        let mut credential = 0;
        let mut queue = Queue::open(folder.path(), SMALL);
        queue.belong_to("0");
        let mut model: VecDeque<(u64, u64)> = VecDeque::new();
        let (mut next, mut dropped, mut time) = (1, 0, 0);
        for step in steps {
            match step {
                Step::Push => {
                    time += 1;
                    queue.push(sample(time));
                    model.push_back((next, time));
                    next += 1;
                    while model.len() > SMALL.samples {
                        model.pop_front();
                        dropped += 1;
                    }
                }
                Step::Send(count, lost) => {
                    let sent = queue.oldest(count, usize::MAX);
                    prop_assert_eq!(sent.len(), count.min(model.len()));
                    let told = queue.dropped();
                    if let Some(last) = sent.last().filter(|_| !lost) {
                        let last: Numbered = serde_json::from_str(last.get()).unwrap();
                        queue.acknowledge(last.sequence, told);
                        model.retain(|(sequence, _)| *sequence > last.sequence);
                        dropped = 0;
                    }
                }
                Step::Restart => {
                    drop(queue);
                    queue = Queue::open(folder.path(), SMALL);
                    queue.belong_to(&credential.to_string());
                }
                Step::Credential(other) => {
                    queue.belong_to(&other.to_string());
                    if other != credential {
                        credential = other;
                        model.clear();
                        (next, dropped) = (1, 0);
                    }
                }
            }
            prop_assert_eq!(waiting(&mut queue), model.iter().copied().collect::<Vec<_>>());
            prop_assert_eq!(queue.dropped(), dropped);
            prop_assert_eq!(queue.take_trouble(), None);
        }
    }
}
