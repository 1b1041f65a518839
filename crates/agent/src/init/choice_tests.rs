use std::net::Ipv4Addr;

use super::*;

const TICK: Duration = Duration::from_millis(250);

fn port(index: u32, link: bool) -> Interface {
    let mac = MacAddr([0x52, 0x54, 0, 0x77, 0, u8::try_from(index).unwrap()]);
    Interface {
        name: format!("eth{index}"),
        index,
        mac,
        driver: None,
        link,
    }
}

fn names(found: &[&Interface]) -> Vec<String> {
    found.iter().map(|interface| interface.name.clone()).collect()
}

/// The lease that the network of port `index` gives.
fn lease(index: u32) -> Lease {
    let net = u8::try_from(index).unwrap();
    Lease {
        address: Ipv4Addr::new(10, net, 0, 100),
        prefix: 24,
        router: Some(Ipv4Addr::new(10, net, 0, 1)),
        server: Ipv4Addr::new(10, net, 0, 1),
        duration: Some(Duration::from_secs(3600)),
    }
}

/// A choice that uses `index`.
fn using(index: u32, now: Instant) -> Choice {
    let mut choice = Choice::new(None, now);
    let steps = choice.take(index, Change::Bound(lease(index)));
    assert_eq!(steps, [Step::Add(index, lease(index))]);
    choice
}

fn used(choice: &Choice) -> Option<u32> {
    choice.used().map(|used| used.index)
}

#[test]
fn the_boot_interface_is_asked_alone_first() {
    let all = [port(0, true), port(1, true)];
    let start = Instant::now();
    let boot = Choice::new(Some(all[1].mac), start);
    assert_eq!(names(&boot.candidates(&all, start)), ["eth1"]);
    let late = start + BOOT_INTERFACE_ALONE;
    assert_eq!(names(&boot.candidates(&all, late)), ["eth0", "eth1"]);
    let any = Choice::new(None, start);
    assert_eq!(names(&any.candidates(&all, start)), ["eth0", "eth1"]);
    let elsewhere = Choice::new(Some(MacAddr([2; 6])), start);
    assert!(elsewhere.candidates(&all, start).is_empty());
    let late = start + BOOT_INTERFACE_GRACE;
    assert_eq!(names(&elsewhere.candidates(&all, late)), ["eth0", "eth1"]);
}

#[test]
fn without_an_address_the_ports_with_a_link_are_asked() {
    let start = Instant::now();
    let mut choice = Choice::new(None, start);
    let ports = [port(1, true), port(2, false), port(3, true)];
    assert_eq!(choice.wanted(&ports, Reached::Unknown, start), BTreeSet::from([1, 3]));
    choice.take(3, Change::Bound(lease(3)));
    assert_eq!(choice.wanted(&ports, Reached::Yes, start), BTreeSet::from([3]));
    // The other one's answer comes late.
    assert_eq!(choice.take(1, Change::Bound(lease(1))), []);
    assert_eq!(used(&choice), Some(3));
}

#[test]
fn a_cable_that_is_moved_to_another_port_takes_the_address_there() {
    let start = Instant::now();
    let mut choice = using(1, start);
    let moved = [port(1, false), port(2, true)];
    assert_eq!(choice.wanted(&moved, Reached::Yes, start), BTreeSet::from([1]));
    let late = start + DARK_LIMIT;
    assert_eq!(choice.wanted(&moved, Reached::Yes, late - TICK), BTreeSet::from([1]));
    assert_eq!(choice.wanted(&moved, Reached::Yes, late), BTreeSet::from([1, 2]));
    let steps = choice.take(2, Change::Bound(lease(2)));
    assert_eq!(steps, [Step::Remove(1, lease(1)), Step::Add(2, lease(2))]);
    assert_eq!(choice.wanted(&moved, Reached::Unknown, late), BTreeSet::from([2]));

    // And back: the first port is asked again, from the start.
    let back = [port(1, true), port(2, false)];
    choice.wanted(&back, Reached::Yes, late);
    let later = late + DARK_LIMIT;
    assert_eq!(choice.wanted(&back, Reached::Yes, later), BTreeSet::from([1, 2]));
}

#[test]
fn a_link_that_blinks_changes_nothing() {
    let start = Instant::now();
    let mut choice = using(1, start);
    let (dark, lit) = ([port(1, false), port(2, true)], [port(1, true), port(2, true)]);
    choice.wanted(&dark, Reached::Yes, start);
    choice.wanted(&lit, Reached::Yes, start + DARK_LIMIT - TICK);
    let again = start + DARK_LIMIT;
    assert_eq!(choice.wanted(&dark, Reached::Yes, again), BTreeSet::from([1]));
    assert_eq!(choice.used().unwrap().dark, Some(again));
}

#[test]
fn a_port_that_comes_back_before_another_has_an_address_is_kept() {
    let start = Instant::now();
    let mut choice = using(1, start);
    let dark = [port(1, false), port(2, true)];
    choice.wanted(&dark, Reached::Yes, start);
    let late = start + DARK_LIMIT;
    assert_eq!(choice.wanted(&dark, Reached::Yes, late).len(), 2);
    let lit = [port(1, true), port(2, true)];
    assert_eq!(choice.wanted(&lit, Reached::Yes, late + TICK), BTreeSet::from([1]));
    assert_eq!(choice.take(2, Change::Bound(lease(2))), []);
    assert_eq!(used(&choice), Some(1));
}

#[test]
fn an_interface_that_has_gone_is_one_without_a_link() {
    let start = Instant::now();
    let mut choice = using(1, start);
    let left = [port(2, true)];
    choice.wanted(&left, Reached::Yes, start);
    let late = start + DARK_LIMIT;
    assert_eq!(choice.wanted(&left, Reached::Yes, late), BTreeSet::from([1, 2]));
}

#[test]
fn without_the_server_the_other_ports_have_their_turns() {
    let mut now = Instant::now();
    let mut choice = using(1, now);
    let ports = [port(1, true), port(2, true), port(3, true), port(4, false)];
    let silent = |now: Instant| Reached::No(now - SILENT_LIMIT);
    let short = Reached::No(now - SILENT_LIMIT + TICK);
    assert_eq!(choice.wanted(&ports, short, now), BTreeSet::from([1]));
    assert_eq!(choice.wanted(&ports, silent(now), now), BTreeSet::from([1, 2, 3]));
    choice.take(2, Change::Bound(lease(2)));
    // The new address is tried by itself first.
    assert_eq!(choice.wanted(&ports, Reached::Unknown, now), BTreeSet::from([2]));
    now += SILENT_LIMIT;
    // The first port was of no use: the third has its turn.
    assert_eq!(choice.wanted(&ports, silent(now), now), BTreeSet::from([2, 3]));
    // It gets no address at all: after a round the first is asked again.
    now += ROUND;
    assert_eq!(choice.wanted(&ports, silent(now), now), BTreeSet::from([1, 2, 3]));
    choice.take(1, Change::Bound(lease(1)));
    assert_eq!(used(&choice), Some(1));
    // The server answers: nothing is held against any port.
    assert_eq!(choice.wanted(&ports, Reached::Yes, now), BTreeSet::from([1]));
    now += SILENT_LIMIT;
    assert_eq!(choice.wanted(&ports, silent(now), now), BTreeSet::from([1, 2, 3]));
}

#[test]
fn an_address_that_is_lost_is_taken_away_from_its_port_alone() {
    let start = Instant::now();
    let mut choice = using(1, start);
    assert_eq!(choice.take(2, Change::Lost), []);
    assert_eq!(choice.take(1, Change::Bound(lease(1))), []);
    assert_eq!(choice.take(1, Change::Lost), [Step::Remove(1, lease(1))]);
    assert_eq!(used(&choice), None);
    assert_eq!(choice.take(1, Change::Lost), []);
}
