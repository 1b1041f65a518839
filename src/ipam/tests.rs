use std::{collections::HashMap, net::Ipv4Addr, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use muster_facts::MacAddr;
use proptest::prelude::*;

use super::*;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::days(20_000) + TimeDelta::seconds(seconds)
}

fn mac(last: u8) -> MacAddr {
    MacAddr([0x52, 0x54, 0, 0x77, 0, last])
}

fn ip(last: u8) -> Ipv4Addr {
    Ipv4Addr::new(10, 77, 0, last)
}

fn subnet(mode: Mode, first: u8, last: u8) -> Subnet {
    Subnet {
        network: "10.77.0.0/24".parse().unwrap(),
        mode,
        ranges: vec![AddressRange {
            first: ip(first),
            last: ip(last),
        }],
        reservations: vec![Reservation {
            mac: mac(50),
            address: ip(102),
            hostname: None,
        }],
        router: Some(ip(1)),
        dns: Vec::new(),
        domain: None,
        ntp: Vec::new(),
        lease_time: Duration::from_secs(3600),
    }
}

struct Net {
    leases: Leases,
    number: SubnetNo,
}

impl Net {
    fn of(subnet: Subnet) -> Self {
        let leases = Leases::new(&[subnet], Vec::new(), at(0));
        let number = leases.subnet_of(ip(9)).unwrap();
        Self { leases, number }
    }

    fn offer(&mut self, who: u8, asked: Option<u8>, now: i64) -> Result<(Ipv4Addr, Chosen), NoAddress> {
        self.leases.offer(self.number, mac(who), asked.map(ip), false, at(now))
    }

    fn bind(&mut self, who: u8, address: u8, now: i64) -> Result<Lease, NoAddress> {
        let words = ClientWords::default();
        self.leases
            .bind(self.number, mac(who), ip(address), false, words, at(now))
            .map(|bound| bound.lease)
    }

    /// Offer and request in one.
    fn get(&mut self, who: u8, now: i64) -> Result<u8, NoAddress> {
        let (address, _) = self.offer(who, None, now)?;
        let last = address.octets()[3];
        self.bind(who, last, now).map(|_| last)
    }
}

#[test]
fn an_address_sticks_to_its_machine() {
    let mut net = Net::of(subnet(Mode::Pool, 100, 110));
    assert_eq!(net.get(1, 0), Ok(100));
    assert_eq!(net.get(2, 0), Ok(101));
    // Long after both have ended, each gets its own again.
    assert_eq!(net.offer(2, None, 90_000), Ok((ip(101), Chosen::Own)));
    assert_eq!(net.offer(1, Some(105), 90_000), Ok((ip(100), Chosen::Own)));
    // 102 is somebody's reservation.
    assert_eq!(net.get(3, 0), Ok(103));
    assert_eq!(net.offer(50, None, 0), Ok((ip(102), Chosen::Reservation)));
    assert_eq!(net.offer(4, Some(102), 0), Ok((ip(104), Chosen::NeverUsed)));
    assert_eq!(net.offer(5, Some(109), 0), Ok((ip(109), Chosen::Requested)));
}

#[test]
fn an_offer_holds_for_a_minute() {
    let mut net = Net::of(subnet(Mode::Pool, 100, 100));
    assert_eq!(net.offer(1, None, 0), Ok((ip(100), Chosen::NeverUsed)));
    assert_eq!(net.offer(2, None, 59), Err(NoAddress::Exhausted));
    assert_eq!(net.bind(2, 100, 59), Err(NoAddress::Taken));
    assert_eq!(net.offer(2, None, 60), Ok((ip(100), Chosen::LongestFree)));
    net.leases.withdraw(mac(2));
    assert_eq!(net.offer(3, None, 61), Ok((ip(100), Chosen::LongestFree)));
}

#[test]
fn the_address_free_for_longest_is_given_first() {
    let mut net = Net::of(subnet(Mode::Pool, 103, 105));
    for (who, now) in [(1, 20), (2, 0), (3, 10)] {
        net.get(who, now).unwrap();
    }
    assert_eq!(net.offer(4, None, 3599), Err(NoAddress::Exhausted));
    assert_eq!(net.offer(4, None, 3700), Ok((ip(104), Chosen::LongestFree)));
    assert_eq!(net.offer(5, None, 3700), Ok((ip(105), Chosen::LongestFree)));
}

#[test]
fn a_declined_address_rests() {
    let mut net = Net::of(subnet(Mode::Pool, 100, 101));
    assert_eq!(net.get(1, 0), Ok(100));
    assert!(net.leases.decline(mac(2), ip(100), at(1)).is_none(), "not its address");
    assert_eq!(
        net.leases.decline(mac(1), ip(100), at(1)).unwrap().state,
        LeaseState::Declined
    );
    assert_eq!(net.get(1, 2), Ok(101));
    assert_eq!(net.offer(2, Some(100), 3), Err(NoAddress::Exhausted));
    assert_eq!(net.leases.usage(net.number, at(3)).declined, 1);
    assert_eq!(net.offer(2, None, 3601), Ok((ip(100), Chosen::LongestFree)));
}

#[test]
fn a_released_address_is_free_but_remembered() {
    let mut net = Net::of(subnet(Mode::Pool, 100, 101));
    assert_eq!(net.get(1, 0), Ok(100));
    assert!(net.leases.release(mac(2), ip(100), at(5)).is_none());
    assert!(net.leases.release(mac(1), ip(100), at(5)).is_some());
    assert_eq!(net.get(2, 6), Ok(101), "a never used address goes first");
    assert_eq!(net.offer(1, None, 7), Ok((ip(100), Chosen::Own)));
}

#[test]
fn reserved_mode_knows_its_machines() {
    let mut net = Net::of(subnet(Mode::Reserved, 100, 101));
    assert_eq!(net.offer(50, None, 0), Ok((ip(102), Chosen::Reservation)));
    assert_eq!(net.offer(1, None, 0), Err(NoAddress::NotKnown));
    let known = net.leases.offer(net.number, mac(1), None, true, at(0));
    assert_eq!(known, Ok((ip(100), Chosen::NeverUsed)));
}

#[test]
fn a_machine_is_moved_to_a_reservation_made_later() {
    let first = subnet(Mode::Pool, 100, 110);
    let old = Lease {
        address: ip(105),
        mac: mac(50),
        client_id: None,
        hostname: None,
        state: LeaseState::Bound,
        starts_at: at(0),
        ends_at: at(3600),
    };
    let leases = Leases::new(&[first], vec![old], at(10));
    let number = leases.subnet_of(ip(9)).unwrap();
    let mut net = Net { leases, number };
    assert_eq!(net.bind(50, 105, 20), Err(NoAddress::OtherAddress));
    let bound = net
        .leases
        .bind(number, mac(50), ip(102), false, ClientWords::default(), at(20))
        .unwrap();
    assert_eq!(bound.given_up[0].address, ip(105));
    assert_eq!(bound.given_up[0].state, LeaseState::Released);
}

#[test]
fn what_could_not_be_written_is_taken_back() {
    let mut net = Net::of(subnet(Mode::Pool, 100, 100));
    let bind = |net: &mut Net, who| {
        net.leases
            .bind(net.number, mac(who), ip(100), false, ClientWords::default(), at(0))
    };
    let bound = bind(&mut net, 1).unwrap();
    net.leases.undo(&bound, false, at(0));
    let bound = bind(&mut net, 2).unwrap();
    net.leases.undo(&bound, true, at(0));
    assert_eq!(net.offer(2, None, 1), Err(NoAddress::Exhausted));
}

#[test]
fn a_lease_keeps_its_length_when_the_clock_is_set() {
    let mut net = Net::of(subnet(Mode::Pool, 100, 100));
    net.get(1, 0).unwrap();
    let mut set = 0;
    for hours in [10_000, -20_000] {
        let changed = net.leases.shift(TimeDelta::hours(hours));
        set += hours * 3600;
        assert_eq!(changed, [ip(100)]);
        assert_eq!(net.leases.kept(ip(100)).unwrap().ends_at, at(set + 3600));
        assert_eq!(net.offer(2, None, set + 3599), Err(NoAddress::Exhausted));
        assert!(net.leases.lease_of(net.number, mac(1), at(set + 3599)).is_some());
        assert!(net.leases.lease_of(net.number, mac(1), at(set + 3600)).is_none());
    }
    // Read back after the clock was set back by years.
    let stored = vec![Lease {
        address: ip(100),
        mac: mac(1),
        client_id: None,
        hostname: None,
        state: LeaseState::Bound,
        starts_at: at(1_000_000),
        ends_at: at(1_003_600),
    }];
    let leases = Leases::new(&[subnet(Mode::Pool, 100, 100)], stored, at(0));
    let number = leases.subnet_of(ip(9)).unwrap();
    let mut net = Net { leases, number };
    assert_eq!(net.offer(2, None, 3599), Err(NoAddress::Exhausted));
    assert!(net.offer(2, None, 3601).is_ok());
}

#[test]
fn what_a_machine_gave_up_for_an_address_that_could_not_be_written_is_its_own_again() {
    let mut net = Net::of(subnet(Mode::Pool, 100, 110));
    let first = ip(net.get(1, 0).unwrap());
    let second = ip(105);
    let bound = net
        .leases
        .bind(net.number, mac(1), second, false, ClientWords::default(), at(10))
        .unwrap();
    assert_eq!(bound.given_up.len(), 1);
    assert_eq!(net.leases.bound_to(first, at(11)), None);
    net.leases.undo(&bound, false, at(11));
    assert_eq!(net.leases.bound_to(first, at(11)), Some(mac(1)));
    assert_eq!(net.leases.bound_to(second, at(11)), None);
}

#[derive(Debug, Clone)]
enum Step {
    Discover(u8, Option<u8>),
    Request(u8, u8),
    Release(u8, u8),
    Decline(u8, u8),
    Other(u8),
    Pass(u16),
    Fail(u8, u8, bool),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 1..8_u8;
    let address = 99..108_u8;
    let step = prop_oneof![
        (who.clone(), proptest::option::of(address.clone())).prop_map(|(who, asked)| Step::Discover(who, asked)),
        (who.clone(), address.clone()).prop_map(|(who, address)| Step::Request(who, address)),
        (who.clone(), address.clone()).prop_map(|(who, address)| Step::Release(who, address)),
        (who.clone(), address.clone()).prop_map(|(who, address)| Step::Decline(who, address)),
        who.clone().prop_map(Step::Other),
        (0..2000_u16).prop_map(Step::Pass),
        (who, address, any::<bool>()).prop_map(|(who, address, taken)| Step::Fail(who, address, taken)),
    ];
    proptest::collection::vec(step, 1..200)
}

proptest! {
    /// Whatever clients do: an address that was acknowledged to one machine is not given to another before its end.
    #[test]
    fn no_address_is_bound_to_two_machines(steps in steps()) {
        let mut net = Net::of(subnet(Mode::Pool, 100, 106));
        let mut promised: HashMap<Ipv4Addr, (MacAddr, i64)> = HashMap::new();
        let mut now = 0;
        for step in steps {
            match step {
                Step::Discover(who, asked) => {
                    if let Ok((address, _)) = net.offer(who, asked, now) {
                        if let Some((owner, until)) = promised.get(&address) {
                            prop_assert!(*owner == mac(who) || *until <= now, "{address} offered twice");
                        }
                        prop_assert!(address != ip(102));
                    }
                }
                Step::Request(who, address) => {
                    if let Ok(lease) = net.bind(who, address, now) {
                        if let Some((owner, until)) = promised.get(&lease.address) {
                            prop_assert!(*owner == mac(who) || *until <= now, "{} given twice", lease.address);
                        }
                        // What the machine had before is given up by its own move.
                        promised.retain(|_, (owner, _)| *owner != mac(who));
                        promised.insert(lease.address, (mac(who), now + 3600));
                    }
                }
                Step::Release(who, address) => {
                    if net.leases.release(mac(who), ip(address), at(now)).is_some() {
                        promised.remove(&ip(address));
                    }
                }
                Step::Decline(who, address) => {
                    if net.leases.decline(mac(who), ip(address), at(now)).is_some() {
                        promised.remove(&ip(address));
                    }
                }
                Step::Other(who) => net.leases.withdraw(mac(who)),
                Step::Pass(seconds) => now += i64::from(seconds),
                Step::Fail(who, address, taken) => {
                    let words = ClientWords::default();
                    let bound = net.leases.bind(net.number, mac(who), ip(address), false, words, at(now));
                    if let Ok(bound) = bound {
                        net.leases.undo(&bound, taken, at(now));
                        for lease in &bound.given_up {
                            promised.remove(&lease.address);
                        }
                        if taken {
                            promised.remove(&ip(address));
                        }
                    }
                }
            }
        }
    }
}
