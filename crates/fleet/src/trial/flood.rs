//! Noise against every port, while a good machine boots again and again.

use std::{
    fmt, fs,
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
};

use super::{Ledger, Server, Site, SitePlan, TrialError, noise::Noise};
use crate::{Fault, Firmware, Machine, Outcome, clients::Relay};

/// Sockets that the noise comes from.
const SOCKETS: usize = 32;
/// Datagrams sent between two rests.
const BURST: u64 = 32;
/// How often memory is measured. Pools and tables fill in the time before the first.
const MEASURES: u64 = 5;
/// How long one HTTP connection waits for its answer.
const HTTP_LIMIT: Duration = Duration::from_secs(2);

/// How much noise.
#[derive(Debug, Clone, Copy)]
pub struct FloodPlan {
    /// Datagrams in all.
    pub datagrams: u64,
    /// Datagrams a second.
    pub rate: u64,
    /// Malformed HTTP requests.
    pub requests: u64,
    /// The same seed is the same noise.
    pub seed: u64,
}

/// The server at one time.
#[derive(Debug, Clone, Copy)]
pub struct Measure {
    /// Resident memory, bytes.
    pub resident: u64,
    /// Hosts in the ledger: noise that happens to be a boot client's message is a machine as good as any.
    pub hosts: u64,
}

/// Memory that a machine known by a packet and its boot may take, bytes.
const HOST_BYTES: u64 = 8 << 10;

/// What became of it.
#[derive(Debug, Clone, Default)]
pub struct Flood {
    /// Datagrams sent.
    pub datagrams: u64,
    /// Of these, dropped by the kernel because the server's sockets were full.
    pub dropped: u64,
    /// Malformed HTTP requests sent.
    pub requests: u64,
    /// Boots of the good machine that reported.
    pub boots: u32,
    /// Boots of the good machine that did not, with the reason.
    pub failures: Vec<String>,
    /// The longest boot of the good machine.
    pub slowest: Duration,
    /// Resident memory when ready, before the first datagram, bytes.
    pub at_start: u64,
    /// After each fifth of the noise.
    pub measures: Vec<Measure>,
    /// The most resident memory, bytes.
    pub peak: u64,
    /// Seconds of processor time the server used.
    pub cpu: Duration,
    /// How long it took.
    pub took: Duration,
}

impl Flood {
    /// True when the good machine was always served, and memory grew by no more than the hosts that were made up and
    /// 16 MiB.
    #[must_use]
    pub fn is_good(&self) -> bool {
        self.failures.is_empty() && self.boots > 0 && self.is_steady()
    }

    fn is_steady(&self) -> bool {
        let (Some(first), Some(last)) = (self.measures.first(), self.measures.last()) else {
            return false;
        };
        let hosts = last.hosts.saturating_sub(first.hosts);
        last.resident <= first.resident + hosts * HOST_BYTES + (16 << 20)
    }
}

impl fmt::Display for Flood {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
        writeln!(
            f,
            "{} datagrams ({} dropped at full sockets) and {} malformed HTTP requests in {:.1} s; the server used {:.1} s \
             of processor time",
            self.datagrams,
            self.dropped,
            self.requests,
            self.took.as_secs_f64(),
            self.cpu.as_secs_f64()
        )?;
        write!(f, "resident memory: {:.1} MiB when ready", mib(self.at_start))?;
        for measure in &self.measures {
            write!(f, ", {:.1} MiB with {} hosts", mib(measure.resident), measure.hosts)?;
        }
        writeln!(f, "; at most {:.1} MiB", mib(self.peak))?;
        write!(
            f,
            "the good machine booted {} times, {} failed, the slowest took {:.2} s",
            self.boots,
            self.failures.len(),
            self.slowest.as_secs_f64()
        )?;
        for failure in self.failures.iter().take(5) {
            write!(f, "\nfailed: {failure}")?;
        }
        Ok(())
    }
}

/// Floods a server of its own.
///
/// # Errors
/// When the server cannot be started, or ends.
pub async fn run(binary: &Path, plan: FloodPlan) -> Result<Flood, TrialError> {
    let site = Site::create(&SitePlan {
        log: "error".to_owned(),
        ..SitePlan::default()
    })?;
    let mut server = Server::start(binary, &site).await?;
    let ledger = Ledger::set_up(&site, "a-password-for-one-trial").await?;
    let began = Instant::now();
    let mut flood = Flood {
        at_start: server.usage().resident,
        requests: plan.requests,
        ..Flood::default()
    };
    let stop = Arc::new(AtomicBool::new(false));
    let good = tokio::spawn(boot_on(Good::plug(&site)?, Arc::clone(&stop)));
    let http = tokio::spawn(malformed(site.boot(), plan.requests, plan.seed));
    let mut noise = Noise::new(plan.seed);
    for fifth in 1..=MEASURES {
        let (from, to) = (
            plan.datagrams * (fifth - 1) / MEASURES,
            plan.datagrams * fifth / MEASURES,
        );
        send(&site, &mut noise, to - from, plan.rate).await?;
        flood.measures.push(Measure {
            resident: server.usage().resident,
            hosts: ledger.host_count().await?,
        });
    }
    // A request that hangs is ended by its own limit.
    let _ = http.await;
    stop.store(true, Ordering::Relaxed);
    let boots = good.await.unwrap_or_default();
    if server.has_ended() {
        return Err(server.failed("ended under the flood"));
    }
    let usage = server.usage();
    flood.datagrams = plan.datagrams;
    flood.dropped = [site.dhcp(), site.proxy(), site.tftp()]
        .map(|socket| drops(socket.port()))
        .iter()
        .sum();
    (flood.peak, flood.cpu) = (usage.peak, usage.cpu);
    for boot in boots {
        flood.slowest = flood.slowest.max(boot.took);
        if boot.is_as_expected() {
            flood.boots += 1;
        } else {
            let why = boot.error.unwrap_or_default();
            flood.failures.push(format!("{:?}: {why}", boot.stage));
        }
    }
    flood.took = began.elapsed();
    server.finish().await?;
    Ok(flood)
}

/// A machine that has no trouble at all.
struct Good {
    relay: Arc<Relay>,
    http: reqwest::Client,
    tftp_port: u16,
}

impl Good {
    fn plug(site: &Site) -> Result<Self, TrialError> {
        let relay = Relay::start(site.relay(), site.dhcp()).map_err(TrialError::io("starting a relay"))?;
        let http = crate::run::http_client(None).map_err(crate::FleetError::from)?;
        Ok(Self {
            relay,
            http,
            tftp_port: site.tftp().port(),
        })
    }
}

/// Boots one machine after another, by each kind of firmware in turn, until told to stop; at least one.
async fn boot_on(good: Good, stop: Arc<AtomicBool>) -> Vec<Outcome> {
    let kinds = [Firmware::Uefi, Firmware::Bios, Firmware::UefiHttp, Firmware::BiosIpxe];
    let mut outcomes = Vec::new();
    for (index, firmware) in (0..).zip(kinds.into_iter().cycle()) {
        let machine = Machine {
            index: index % 100,
            seed: 1,
            firmware,
            fault: Fault::None,
            whole_image: true,
            tftp_port: good.tftp_port,
        };
        outcomes.push(machine.boot(&good.relay, &good.http, 0).await);
        if stop.load(Ordering::Relaxed) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    outcomes
}

/// Sends `count` datagrams at `rate` a second to the DHCP and TFTP ports, and reads no answer.
async fn send(site: &Site, noise: &mut Noise, count: u64, rate: u64) -> Result<(), TrialError> {
    let failed = || TrialError::io("sending noise");
    let mut sockets = Vec::with_capacity(SOCKETS);
    for _ in 0..SOCKETS {
        sockets.push(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(failed())?);
    }
    // One in eight goes to the port of boot servers, two to TFTP.
    let (dhcp, proxy, tftp) = (site.dhcp(), site.proxy(), site.tftp());
    let began = tokio::time::Instant::now();
    for sent in 0..count {
        let (to, bytes) = match noise.below(8) {
            0 => (proxy, noise.dhcp()),
            1 | 2 => (tftp, noise.tftp()),
            _ => (dhcp, noise.dhcp()),
        };
        let from = noise.below(SOCKETS);
        // A full buffer or an earlier answer of ICMP loses this one, as the network would.
        let _ = sockets[from].send_to(&bytes, to).await;
        if sent % BURST == 0 {
            let due = began + Duration::from_micros(sent * 1_000_000 / rate.max(1));
            tokio::time::sleep_until(due).await;
        }
    }
    Ok(())
}

/// Sends malformed HTTP requests, one connection each.
async fn malformed(to: SocketAddr, count: u64, seed: u64) {
    let mut noise = Noise::new(seed.wrapping_add(1));
    for _ in 0..count {
        let bytes = noise.http();
        let talk = async {
            let mut stream = TcpStream::connect(to).await?;
            stream.write_all(&bytes).await?;
            stream.shutdown().await?;
            let mut answer = [0; 1024];
            stream.read(&mut answer).await
        };
        // Any answer will do, and none as well: what counts is that the next one is served.
        let _ = tokio::time::timeout(HTTP_LIMIT, talk).await;
    }
}

/// Datagrams that the kernel dropped at sockets bound to this port, for want of room.
fn drops(port: u16) -> u64 {
    let table = fs::read_to_string("/proc/net/udp").unwrap_or_default();
    drops_in(&table, port)
}

fn drops_in(table: &str, port: u16) -> u64 {
    table
        .lines()
        .skip(1)
        .filter_map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let bound = fields.get(1)?.rsplit_once(':')?.1;
            (u16::from_str_radix(bound, 16).ok()? == port).then_some(())?;
            fields.last()?.parse::<u64>().ok()
        })
        .sum()
}

#[cfg(test)]
mod tests {
    use super::drops_in;

    #[test]
    fn drops_are_counted_by_port() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n\
             1: 00000000:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0000000000000000 12\n\
             2: 0100007F:0043 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0000000000000000 3\n\
             3: 0100007F:0045 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 0000000000000000 100\n";
        assert_eq!(drops_in(table, 67), 15);
        assert_eq!(drops_in(table, 69), 100);
        assert_eq!(drops_in("", 69), 0);
    }
}
