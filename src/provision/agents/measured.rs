//! What installed machines measure is taken in: read, judged, put in the server's time, committed, and only then
//! acknowledged.

use std::net::IpAddr;

use tokio::task::spawn_blocking;

use super::{Agent, AgentRefused, AgentStep, Agents, of_host};
use crate::{
    boot::{Event, EventKind, Level},
    metrics::{self, Block, Faults, Numbered, Report, Settled, Timed},
    store::{AgentHeard, Services, Write},
};

/// Reports with more samples than these are worked on beside the threads that answer.
const FEW: usize = 4;

/// What became of the samples of a report.
struct Taken {
    samples: Vec<(i64, Vec<u8>)>,
    settled: Settled,
    faults: Faults,
    services: Option<Services>,
}

impl Agents {
    /// Takes what an installed system has measured since its last report; without samples it is a sign of life. What was
    /// committed before is passed over, what is wrong is refused by name or put right, and the rest is kept. When this
    /// returns, it is on disk.
    ///
    /// # Errors
    /// When the credential ended meanwhile, or the ledger cannot be read or written; then nothing is kept.
    pub async fn measured(&self, agent: &Agent, mut report: Report, client: IpAddr) -> Result<AgentStep, AgentRefused> {
        if report.samples.is_empty() {
            self.tell_faults(agent, &report.faults, client);
            return Ok(self.heartbeat(agent, client));
        }
        // Reports of one agent one after the other: what the first commits is old for the second.
        let _turn = self.turn_of(agent.host).await;
        let kept = self.installs.store().agent_credential(&agent.hash).await?;
        let acknowledged = kept.ok_or(AgentRefused::Unknown)?.acknowledged;
        report.samples.retain(|sample| sample.sequence > acknowledged);
        let Some(last) = report.samples.last().map(|sample| sample.sequence) else {
            return Ok(AgentStep {
                acknowledged,
                ..self.heartbeat(agent, client)
            });
        };
        let missing = last - acknowledged - report.samples.len() as u64;
        let dropped = report.dropped;
        let now = self.now();
        let taken = if report.samples.len() > FEW {
            spawn_blocking(move || take(report, now.timestamp()))
                .await
                .map_err(|stopped| AgentRefused::Stopped(stopped.to_string()))?
        } else {
            take(report, now.timestamp())
        };
        let heard = AgentHeard {
            host: agent.host,
            at: now,
            address: client,
            acknowledged: Some((agent.hash, last)),
            samples: taken.samples,
            services: taken
                .services
                .filter(|services| self.services_changed(agent.host, services)),
        };
        let committed = self
            .discovery()
            .writer()
            .commit(vec![Write::AgentHeard(Box::new(heard))])
            .await;
        if let Err(error) = committed {
            self.forget_services(agent.host);
            return Err(error.into());
        }
        // What the write said of the host is known in memory too.
        let _written = self.discovery().heard_agent(agent.host, client);
        self.tell_faults(agent, &taken.faults, client);
        self.tell_times(agent, taken.settled, client);
        if missing > 0 {
            let mut gap =
                of_host(agent.host, now, EventKind::MetricsGap, Level::Warn).with("missing", missing.to_string());
            if dropped > 0 {
                gap = gap.with("dropped", dropped.to_string());
            }
            self.discovery().note(gap);
        }
        Ok(self.step(agent.host, self.discovery().host(agent.host), last))
    }

    /// That something was refused is told once an hour of one host and field: its agent goes on measuring.
    fn tell_faults(&self, agent: &Agent, faults: &Faults, client: IpAddr) {
        let Some(first) = faults.told.first() else {
            return;
        };
        // Places in lists change from report to report; what is wrong does not.
        let what: String = first.field.chars().filter(|letter| !letter.is_ascii_digit()).collect();
        let event = of_host(agent.host, self.now(), EventKind::MetricsRefused, Level::Warn)
            .with("field", first.field.clone())
            .with("why", first.why.clone())
            .with("count", faults.count.to_string());
        self.tell_seldom(agent, &format!("metrics {what}"), event, client);
    }

    fn tell_times(&self, agent: &Agent, settled: Settled, client: IpAddr) {
        let now = self.now();
        if settled.skew != 0 {
            let event = of_host(agent.host, now, EventKind::AgentClock, Level::Warn)
                .with("seconds", settled.skew.saturating_neg().to_string());
            self.tell_seldom(agent, "clock", event, client);
        }
        if settled.too_old > 0 {
            let event = of_host(agent.host, now, EventKind::MetricsRefused, Level::Warn)
                .with("field", "at_unix_s")
                .with("why", "older than anything that is kept as it was measured")
                .with("count", settled.too_old.to_string());
            self.tell_seldom(agent, "too old", event, client);
        }
    }

    fn tell_seldom(&self, agent: &Agent, why: &str, mut event: Event, client: IpAddr) {
        if let Some(times) = self.refused.note(agent.host, why, &client.to_string(), self.now()) {
            if times > 1 {
                event = event.with("times", times.to_string());
            }
            self.discovery().note(event);
        }
    }
}

/// Judges samples, puts them in the server's time and packs them.
fn take(report: Report, now: i64) -> Taken {
    let mut faults = report.faults;
    let mut timed: Vec<Timed> = report.samples.iter().map(timed).collect();
    let settled = metrics::settle(&mut timed, report.clock, now);
    let mut samples = Vec::with_capacity(timed.len());
    let mut services = None;
    let mut kept = timed.iter().peekable();
    for (place, numbered) in report.samples.iter().enumerate() {
        let Some(time) = kept.next_if(|time| time.sequence == numbered.sequence) else {
            continue;
        };
        let judged = metrics::judge(&numbered.sample, &format!("samples[{place}]"), &mut faults);
        let nothing = judged.values.is_empty();
        match Block::sample(time.at, judged.values).pack() {
            // Nothing was measured: a row without a value would never be laid anywhere.
            _ if nothing => {}
            Ok(packed) => samples.push((time.at, packed)),
            Err(broken) => faults.add(format!("samples[{place}]"), broken),
        }
        services = Some(Services {
            failed_units: judged.failed_units,
            listening: judged.listening,
        });
    }
    Taken {
        samples,
        settled,
        faults,
        services,
    }
}

fn timed(numbered: &Numbered) -> Timed {
    Timed {
        sequence: numbered.sequence,
        at: i64::try_from(numbered.sample.at_unix_s).unwrap_or(i64::MAX),
        uptime: numbered.sample.uptime_s,
    }
}
