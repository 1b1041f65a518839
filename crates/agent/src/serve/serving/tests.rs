//! Hours of simulated time against a simulated server: what is measured arrives, once, in order.

use std::cell::RefCell;
use std::path::Path;
use std::rc::Rc;

use muster_facts::metrics::Sample;
use proptest::prelude::*;

use super::super::queue::{Bounds, Queue};
use super::*;

const MINUTE: Duration = Duration::from_secs(60);

/// What the server does with a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Weather {
    Fine,
    /// Nobody is there.
    Away,
    /// It commits, and its answer is lost.
    Deaf,
    /// It has no room, and says for how long, seconds.
    Busy(u64),
    /// It is of before this, and reads nothing: it hangs up before many samples are written.
    Old,
}

/// Everything that the agent does not decide.
struct World {
    start: Instant,
    now: Instant,
    /// The weather from each minute on.
    weather: Vec<(u64, Weather)>,
    end: Instant,
    samples: Samples,
    /// Samples that were measured so far.
    measured: u64,
    measured_at: Instant,
    /// What the server has on its disk: times of samples under their numbers.
    ledger: Vec<(u64, u64)>,
    /// The highest number that the agent was told of.
    told: u64,
    /// When requests came.
    asked: Vec<Instant>,
    /// Not before this.
    closed_until: Instant,
}

#[derive(Clone)]
struct Shared(Rc<RefCell<World>>);

impl World {
    fn weather(&self) -> Weather {
        let minute = self.now.duration_since(self.start).as_secs() / 60;
        let known = self.weather.iter().rev().find(|(from, _)| *from <= minute);
        known.map_or(Weather::Fine, |(_, weather)| *weather)
    }

    /// Time passes, and the machine is measured in it each minute.
    fn pass(&mut self, until: Instant) {
        while self.measured_at + MINUTE <= until {
            self.measured_at += MINUTE;
            self.measured += 1;
            self.samples.lock().push(Sample {
                at_unix_s: self.measured,
                ..Sample::default()
            });
        }
        self.now = until;
    }

    /// Facts have no samples with them, and their answer says nothing of any.
    fn take(&mut self, beat: Option<&Beat>) -> Result<AgentAnswer, ReportError> {
        self.asked.push(self.now);
        assert!(self.now >= self.closed_until, "it came before the server said");
        let samples = beat.map_or(&[][..], |beat| &beat.samples);
        assert!(samples.len() <= 120);
        if self.now >= self.end {
            return Err(refused(401, None));
        }
        let weather = self.weather();
        match weather {
            Weather::Away => return Err(ReportError::Unreachable("refused".to_owned())),
            Weather::Busy(seconds) => {
                self.closed_until = self.now + Duration::from_secs(seconds);
                return Err(refused(503, Some(Duration::from_secs(seconds))));
            }
            Weather::Old if samples.len() > 1 => {
                return Err(ReportError::Unreachable("broken pipe".to_owned()));
            }
            Weather::Old => return Ok(answer(None)),
            Weather::Fine | Weather::Deaf => {}
        }
        for sample in samples {
            let sample: serde_json::Value = serde_json::from_str(sample.get()).unwrap();
            let number = sample["sequence"].as_u64().unwrap();
            assert!(number > self.told, "{number} was acknowledged already");
            // What is there already is a double.
            if self.ledger.last().is_none_or(|(last, _)| *last < number) {
                self.ledger.push((number, sample["at_unix_s"].as_u64().unwrap()));
            }
        }
        if weather == Weather::Deaf {
            return Err(ReportError::Unreachable("the connection broke".to_owned()));
        }
        if beat.is_none() {
            return Ok(answer(None));
        }
        self.told = self.ledger.last().map_or(0, |(last, _)| *last);
        Ok(answer(Some(self.told)))
    }
}

fn refused(status: u16, retry_after: Option<Duration>) -> ReportError {
    ReportError::Refused {
        status,
        code: String::new(),
        detail: String::new(),
        retry_after,
    }
}

fn answer(acknowledged: Option<u64>) -> AgentAnswer {
    AgentAnswer {
        host: "5f0c".to_owned(),
        name: None,
        report: false,
        heartbeat_seconds: 60,
        look_seconds: 86_400,
        acknowledged,
    }
}

impl Server for Shared {
    fn base(&self) -> &str {
        "http://simulated"
    }

    fn facts(&self, _: &Facts) -> Result<AgentAnswer, ReportError> {
        self.0.borrow_mut().take(None)
    }

    fn heartbeat(&self, beat: &Beat) -> Result<AgentAnswer, ReportError> {
        self.0.borrow_mut().take(Some(beat))
    }
}

impl Time for Shared {
    fn now(&self) -> Instant {
        self.0.borrow().now
    }

    fn sleep(&mut self, pause: Duration) {
        let mut world = self.0.borrow_mut();
        let until = world.now + pause;
        world.pass(until);
    }

    fn keep_pace(&mut self, _: Duration) {}
}

fn queue(folder: &Path) -> Samples {
    let mut queue = Queue::open(folder, Bounds::default());
    queue.belong_to("credential");
    Samples::new(queue)
}

/// Lets an agent live for `minutes` in such weather, and be killed and started again at each of `deaths`; gives the world at
/// the end.
fn life(minutes: u64, weather: Vec<(u64, Weather)>, deaths: &[u64]) -> World {
    let folder = tempfile::tempdir().unwrap();
    let root = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let world = World {
        start,
        now: start,
        weather,
        end: start,
        samples: queue(folder.path()),
        measured: 0,
        measured_at: start,
        ledger: Vec::new(),
        told: 0,
        asked: Vec::new(),
        closed_until: start,
    };
    let shared = Shared(Rc::new(RefCell::new(world)));
    for end in deaths.iter().copied().chain([minutes]) {
        // What is in memory dies with the process.
        let samples = queue(folder.path());
        shared.0.borrow_mut().end = start + MINUTE * u32::try_from(end).unwrap();
        shared.0.borrow_mut().samples = samples.clone();
        let mut looker = Looker::new(root.path());
        Serving::new(shared.clone(), shared.clone(), &mut looker, samples).run();
    }
    let world = Rc::try_unwrap(shared.0).ok().unwrap();
    world.into_inner()
}

/// Everything that was measured until the server was asked last is in its ledger, once and in order.
fn assert_complete(world: &World, spare: u64) {
    let numbers: Vec<u64> = world.ledger.iter().map(|(number, _)| *number).collect();
    let times: Vec<u64> = world.ledger.iter().map(|(_, at)| *at).collect();
    let all: Vec<u64> = (1..=numbers.len() as u64).collect();
    assert_eq!(numbers, all);
    assert_eq!(times, all);
    assert!(
        world.ledger.len() as u64 + spare >= world.measured,
        "{} of {}",
        numbers.len(),
        world.measured
    );
}

/// Requests within any span of this length.
fn most_within(world: &World, span: Duration) -> usize {
    let within = |from: &Instant| {
        world
            .asked
            .iter()
            .filter(|at| **at >= *from && **at < *from + span)
            .count()
    };
    world.asked.iter().map(within).max().unwrap_or(0)
}

#[test]
fn an_hour_without_the_server_arrives_once_and_in_order() {
    let world = life(
        120,
        vec![(0, Weather::Fine), (30, Weather::Away), (90, Weather::Fine)],
        &[],
    );
    assert_complete(&world, 2);
    // While it is away it is asked each five minutes; afterwards all of the hour goes in one or two requests.
    assert!(most_within(&world, MINUTE) <= 6, "{}", most_within(&world, MINUTE));
}

#[test]
fn a_day_without_the_server_comes_back_in_bounded_steps() {
    let world = life(30 * 60, vec![(10, Weather::Away), (22 * 60, Weather::Fine)], &[]);
    assert_complete(&world, 2);
    // 1320 samples are eleven requests of 120, some seconds apart.
    assert!(most_within(&world, MINUTE) <= 21, "{}", most_within(&world, MINUTE));
}

#[test]
fn more_than_a_day_keeps_the_last_day() {
    let world = life(40 * 60, vec![(10, Weather::Away), (36 * 60, Weather::Fine)], &[]);
    let numbers: Vec<u64> = world.ledger.iter().map(|(number, _)| *number).collect();
    let gap = numbers.windows(2).filter(|pair| pair[1] != pair[0] + 1).count();
    assert_eq!(gap, 1, "the oldest are missing, and nothing else");
    assert!(numbers.len() > 1440 + 220, "{}", numbers.len());
    assert!(world.ledger.iter().all(|(number, at)| number == at));
}

#[test]
fn a_server_that_learns_to_take_samples_gets_those_from_before() {
    let world = life(180, vec![(0, Weather::Old), (60, Weather::Fine)], &[]);
    assert_complete(&world, 2);
}

#[test]
fn an_agent_that_is_killed_sends_nothing_that_it_knows_to_be_there() {
    let deaths: Vec<u64> = (5..100).step_by(7).collect();
    let weather = vec![(20, Weather::Deaf), (40, Weather::Away), (60, Weather::Fine)];
    let world = life(150, weather, &deaths);
    assert_complete(&world, 2);
}

fn weather() -> impl Strategy<Value = Weather> {
    prop_oneof![
        3 => Just(Weather::Fine),
        1 => Just(Weather::Away),
        1 => Just(Weather::Deaf),
        1 => (1..400_u64).prop_map(Weather::Busy),
        1 => Just(Weather::Old),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any weather, deaths at any time: once it is fine again all of it is there.
    #[test]
    fn whatever_happens_each_sample_arrives_once(
        spells in proptest::collection::vec((1..40_u64, weather()), 0..8),
        deaths in proptest::collection::btree_set(1..300_u64, 0..6),
    ) {
        let mut minute = 0;
        let mut weather = Vec::new();
        for (length, kind) in spells {
            weather.push((minute, kind));
            minute += length;
        }
        weather.push((minute, Weather::Fine));
        let deaths: Vec<u64> = deaths.into_iter().collect();
        let world = life(minute.max(300) + 30, weather, &deaths);
        assert_complete(&world, 3);
    }
}
