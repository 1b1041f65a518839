//! Agents of installed machines, simulated: each reports what it measured once a minute, at its own second of it, as the
//! real one does: numbered, kept until it is acknowledged, sent again when the server is busy.

use std::{
    collections::VecDeque,
    fmt,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use muster_facts::metrics::{
    CpuTime, DiskTraffic, FilesystemUse, Listening, MemoryUse, NicTraffic, Sample, Temperature,
};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use reqwest::{Client, StatusCode};
use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

/// Samples in one request.
const MOST: usize = 120;
/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Which agents, and for how long.
#[derive(Debug, Clone)]
pub struct AgentsPlan {
    /// Where the server listens for machines.
    pub server: SocketAddr,
    /// What each agent is known by.
    pub credentials: Vec<String>,
    /// Between two reports of one agent.
    pub every: Duration,
    /// For how long they report.
    pub length: Duration,
    /// The same seed is the same fleet.
    pub seed: u64,
}

/// What became of the reports.
#[derive(Debug, Clone, Default)]
pub struct AgentsSummary {
    /// Samples that were measured.
    pub measured: u64,
    /// Samples that were acknowledged.
    pub acknowledged: u64,
    /// Requests that were told to come again.
    pub busy: u64,
    /// Requests that failed otherwise, and the last reason.
    pub failed: u64,
    /// Why the last one failed.
    pub why: Option<String>,
    /// How long each answered request took, shortest first.
    pub took: Vec<Duration>,
    /// From the first report to the last answer.
    pub length: Duration,
}

impl AgentsSummary {
    /// How long a share of the requests took at most; nothing when none was answered.
    #[must_use]
    pub fn percentile(&self, share: f64) -> Duration {
        let last = self.took.len().saturating_sub(1);
        let place = (last as f64 * share).round() as usize;
        self.took.get(place).copied().unwrap_or_default()
    }

    fn join(&mut self, other: Self) {
        self.measured += other.measured;
        self.acknowledged += other.acknowledged;
        self.busy += other.busy;
        self.failed += other.failed;
        self.why = other.why.or(self.why.take());
        self.took.extend(other.took);
    }
}

impl fmt::Display for AgentsSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ms = |share| self.percentile(share).as_secs_f64() * 1000.0;
        writeln!(
            f,
            "{} reports in {:.0} s ({:.0}/s): p50 {:.1} ms, p99 {:.1} ms, longest {:.1} ms",
            self.took.len(),
            self.length.as_secs_f64(),
            self.took.len() as f64 / self.length.as_secs_f64().max(0.001),
            ms(0.5),
            ms(0.99),
            ms(1.0),
        )?;
        write!(
            f,
            "{} samples measured, {} acknowledged; {} requests told to come again, {} failed{}",
            self.measured,
            self.acknowledged,
            self.busy,
            self.failed,
            self.why.as_ref().map_or_else(String::new, |why| format!(" ({why})")),
        )
    }
}

#[derive(Serialize, Clone)]
struct Numbered {
    sequence: u64,
    #[serde(flatten)]
    sample: Sample,
}

#[derive(Serialize)]
struct Report<'a> {
    samples: &'a [Numbered],
    dropped: u64,
    clock_unix_s: u64,
}

#[derive(Deserialize)]
struct Answer {
    acknowledged: u64,
}

/// Runs agents until the time is over and everything they have measured is acknowledged, or given up.
///
/// # Errors
/// When no HTTP client can be made.
pub async fn run(plan: &AgentsPlan) -> reqwest::Result<AgentsSummary> {
    // As real agents, each report comes by a connection of its own.
    let client = Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(PATIENCE)
        .build()?;
    let address = Arc::new(format!("http://{}/agent/v1/heartbeat", plan.server));
    let began = Instant::now();
    let mut agents = JoinSet::new();
    for (place, credential) in (0_u64..).zip(&plan.credentials) {
        let random = StdRng::seed_from_u64(plan.seed.wrapping_add(place));
        let agent = Agent {
            client: client.clone(),
            address: Arc::clone(&address),
            credential: credential.clone(),
            queue: VecDeque::new(),
            next: 1,
            uptime: 3600,
            random,
            summary: AgentsSummary::default(),
        };
        agents.spawn(agent.live(plan.every, plan.length));
    }
    let mut summary = AgentsSummary::default();
    while let Some(ended) = agents.join_next().await {
        match ended {
            Ok(one) => summary.join(one),
            Err(error) => summary.why = Some(error.to_string()),
        }
    }
    summary.took.sort_unstable();
    summary.length = began.elapsed();
    Ok(summary)
}

struct Agent {
    client: Client,
    address: Arc<String>,
    credential: String,
    queue: VecDeque<Numbered>,
    next: u64,
    uptime: u64,
    random: StdRng,
    summary: AgentsSummary,
}

impl Agent {
    async fn live(mut self, every: Duration, length: Duration) -> AgentsSummary {
        let end = Instant::now() + length;
        let mut due = Instant::now() + every.mul_f64(self.random.random_range(0.0..1.0));
        while due < end {
            tokio::time::sleep_until(due.into()).await;
            self.measure(every);
            self.report(due + every).await;
            due += every;
        }
        // What is left is brought, as after an outage.
        self.report(Instant::now() + PATIENCE).await;
        self.summary
    }

    fn measure(&mut self, every: Duration) {
        self.uptime += every.as_secs().max(1);
        self.summary.measured += 1;
        let sample = sample(&mut self.random, self.uptime);
        self.queue.push_back(Numbered {
            sequence: self.next,
            sample,
        });
        self.next += 1;
    }

    /// Sends what is waiting, until it is acknowledged or there is no time left.
    async fn report(&mut self, until: Instant) {
        while !self.queue.is_empty() && Instant::now() < until {
            let samples: Vec<Numbered> = self.queue.iter().take(MOST).cloned().collect();
            let report = Report {
                samples: &samples,
                dropped: 0,
                clock_unix_s: unix_now(),
            };
            let began = Instant::now();
            let sent = self
                .client
                .post(self.address.as_str())
                .bearer_auth(&self.credential)
                .json(&report)
                .send()
                .await;
            let wait = match sent {
                Ok(answer) if answer.status().is_success() => match answer.json::<Answer>().await {
                    Ok(answer) => {
                        self.summary.took.push(began.elapsed());
                        while self
                            .queue
                            .front()
                            .is_some_and(|oldest| oldest.sequence <= answer.acknowledged)
                        {
                            self.queue.pop_front();
                            self.summary.acknowledged += 1;
                        }
                        continue;
                    }
                    Err(error) => self.failed(&error),
                },
                Ok(answer)
                    if matches!(
                        answer.status(),
                        StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
                    ) =>
                {
                    self.summary.busy += 1;
                    let header = answer
                        .headers()
                        .get("retry-after")
                        .and_then(|wait| wait.to_str().ok()?.parse().ok());
                    Duration::from_secs(header.unwrap_or(5))
                }
                Ok(answer) => self.failed(&format!("status {}", answer.status())),
                Err(error) => self.failed(&error),
            };
            tokio::time::sleep(wait).await;
        }
    }

    fn failed(&mut self, why: &dyn fmt::Display) -> Duration {
        self.summary.failed += 1;
        self.summary.why = Some(why.to_string());
        Duration::from_secs(5)
    }
}

fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// What a server with two disks and two cards measures: some fifty series.
fn sample(random: &mut StdRng, uptime: u64) -> Sample {
    let mut part = |most: f64| random.random_range(0.0..most);
    let (user, system, iowait) = (part(0.6), part(0.2), part(0.05));
    let load = part(16.0);
    let filesystems = ["/", "/boot", "/var", "/srv"].map(|mount| FilesystemUse {
        mount: mount.to_owned(),
        kind: "ext4".to_owned(),
        size_bytes: 400 << 30,
        free_bytes: (100 << 30) + part(1e9) as u64,
        inodes: 26_214_400,
        inodes_free: 25_000_000 - part(1e4) as u64,
    });
    let disks = ["sda", "sdb"].map(|name| DiskTraffic {
        name: name.to_owned(),
        read_bytes_s: part(5e7),
        write_bytes_s: part(5e7),
        requests_s: part(900.0),
        busy: part(0.7),
        healthy: Some(true),
    });
    let nics = ["eno1", "eno2"].map(|name| NicTraffic {
        name: name.to_owned(),
        rx_bytes_s: part(1e8),
        tx_bytes_s: part(1e8),
        errors_s: 0.0,
    });
    let temperatures = ["coretemp Package id 0", "coretemp Package id 1", "nvme Composite"].map(|sensor| Temperature {
        sensor: sensor.to_owned(),
        celsius: 40.0 + part(30.0),
    });
    let listening = [22, 80, 443, 9100].map(|port| Listening {
        protocol: "tcp".to_owned(),
        address: "0.0.0.0".to_owned(),
        port,
    });
    Sample {
        at_unix_s: unix_now(),
        uptime_s: Some(uptime),
        cpu: Some(CpuTime {
            user,
            system,
            iowait,
            steal: 0.0,
            idle: 1.0 - user - system - iowait,
        }),
        load: Some([load, load * 0.9, load * 0.8]),
        memory: Some(MemoryUse {
            total_bytes: 256 << 30,
            available_bytes: (128 << 30) + part(1e10) as u64,
            swap_total_bytes: 8 << 30,
            swap_free_bytes: 8 << 30,
        }),
        filesystems: filesystems.into(),
        disks: disks.into(),
        nics: nics.into(),
        temperatures: temperatures.into(),
        failed_units: Some(Vec::new()),
        listening: listening.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_of_the_sorted_times() {
        let summary = AgentsSummary {
            took: (1..=100).map(Duration::from_millis).collect(),
            ..AgentsSummary::default()
        };
        assert_eq!(summary.percentile(0.0), Duration::from_millis(1));
        assert_eq!(summary.percentile(0.99), Duration::from_millis(99));
        assert_eq!(AgentsSummary::default().percentile(0.5), Duration::ZERO);
    }

    #[test]
    fn a_sample_is_like_a_server_s() {
        let sample = sample(&mut StdRng::seed_from_u64(1), 60);
        let cpu = sample.cpu.unwrap();
        assert!((cpu.user + cpu.system + cpu.iowait + cpu.idle - 1.0).abs() < 1e-9);
        assert_eq!((sample.disks.len(), sample.filesystems.len()), (2, 4));
    }
}
