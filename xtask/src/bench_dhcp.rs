//! `cargo xtask bench-dhcp`: Muster, Kea and dnsmasq one after another under `perfdhcp`, each with its leases on disk.
//!
//! Two network namespaces with a cable between them; the server is bound to one processor and perfdhcp to another.
//! The rate goes up until a hundredth of the exchanges is lost. A perfdhcp cannot drive much more than ten thousand
//! exchanges a second, so the processor time per exchange is the figure to compare.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::{Context, bail, ensure};
use clap::{Args, ValueEnum};
use muster_lab::{
    Namespace, Process, Usage,
    server::{Settings, SubnetSettings},
    stop,
};

use crate::{
    fleet::Programs,
    setup::{self, Package},
};

const NEED: &[Package] = &[
    Package::for_command("kea-admin", "perfdhcp", "asks for addresses, thousands a second"),
    Package::for_command("kea-dhcp4-server", "kea-dhcp4", "a DHCP server to compare with"),
    Package::for_command("dnsmasq-base", "dnsmasq", "a DHCP server to compare with"),
    Package::for_command("util-linux", "taskset", "binds each to a processor of its own"),
];

/// Exchanges a second that are tried, until too many are lost.
const RATES: &[u32] = &[
    100, 200, 300, 400, 600, 800, 1000, 1500, 2000, 3000, 4000, 5000, 6000, 8000, 10_000, 12_000, 14_000,
];
/// Different clients.
const CLIENTS: u32 = 50_000;
/// How long answers are waited for after the last question, microseconds: as long as a client waits at first.
const EXIT_WAIT_US: &str = "1000000";
/// The share of exchanges that may be lost, in hundredths.
const LOSS: f64 = 1.0;
/// How long a server may take until it answers.
const START_LIMIT: Duration = Duration::from_secs(60);
/// The server's interface; its address is the first of the subnet.
const INTERFACE: &str = "fleet-s";
const CLIENT_INTERFACE: &str = "fleet-c";

/// A server to measure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Candidate {
    Muster,
    Kea,
    Dnsmasq,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Clients {
    /// Ordinary clients.
    Ordinary,
    /// Network boot clients (options 60 and 93), which Muster keeps a transcript of.
    Boot,
}

/// Options of `cargo xtask bench-dhcp`.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Which servers.
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["muster", "kea", "dnsmasq"])]
    servers: Vec<Candidate>,
    /// Which clients.
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["ordinary", "boot"])]
    clients: Vec<Clients>,
    /// Seconds at each rate.
    #[arg(long, default_value_t = 5)]
    seconds: u32,
    /// The server's program [default: built with optimisation].
    #[arg(long)]
    muster: Option<PathBuf>,
    /// Only this rate, exchanges a second.
    #[arg(long)]
    rate: Option<u32>,
}

/// One rate at one server.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Measure {
    rate: u32,
    exchanges: u64,
    per_second: f64,
    loss: f64,
    cpu: Duration,
    peak: u64,
}

/// Measures and prints a table in Markdown.
///
/// # Errors
/// When this is not root, something cannot be installed or started, or perfdhcp says nothing that can be read.
pub(crate) fn run(repository: &Path, options: &Options) -> anyhow::Result<()> {
    ensure!(
        nix::unistd::geteuid().is_root(),
        "the measurement makes network namespaces and needs root"
    );
    stop::listen();
    setup::ensure_packages(NEED)?;
    let muster = match &options.muster {
        Some(program) => Some(program.clone()),
        None if options.servers.contains(&Candidate::Muster) => Some(Programs::build(repository, true)?.muster),
        None => None,
    };
    let folder = tempfile::Builder::new().prefix("muster-bench-").tempdir()?;
    let mut rows = Vec::new();
    let _precedence = Precedence::take();
    for clients in &options.clients {
        for candidate in &options.servers {
            let bench = Bench::open(folder.path(), *candidate, *clients, muster.as_deref())?;
            let measures = bench.climb(options)?;
            rows.push((*candidate, *clients, measures));
        }
    }
    println!("\n| server | clients | exchanges/s with < 1 % lost | loss | CPU per exchange | peak memory |");
    println!("| --- | --- | ---: | ---: | ---: | ---: |");
    for (candidate, clients, measures) in &rows {
        println!("{}", row(*candidate, *clients, measures));
    }
    Ok(())
}

/// The best rate that lost little enough; the first one when none did.
fn row(candidate: Candidate, clients: Clients, measures: &[Measure]) -> String {
    let best = measures
        .iter()
        .filter(|measure| measure.loss < LOSS)
        .max_by_key(|measure| measure.rate)
        .or(measures.first());
    let name = format!("{candidate:?}").to_lowercase();
    let clients = format!("{clients:?}").to_lowercase();
    best.map_or_else(
        || format!("| {name} | {clients} | nothing | | | |"),
        |best| {
            format!(
                "| {name} | {clients} | {:.0} | {:.2} % | {:.0} µs | {:.0} MiB |",
                best.per_second,
                best.loss,
                best.cpu.as_secs_f64() * 1e6 / best.exchanges.max(1) as f64,
                best.peak as f64 / f64::from(1 << 20),
            )
        },
    )
}

/// A server that runs beside a client.
struct Bench {
    server: Process,
    candidate: Candidate,
    clients: Clients,
    folder: PathBuf,
    client_side: Namespace,
    // Last, so that what runs in it has ended.
    _server_side: Namespace,
}

impl Bench {
    fn open(folder: &Path, candidate: Candidate, clients: Clients, muster: Option<&Path>) -> anyhow::Result<Self> {
        let server_side = Namespace::create("fleet-server")?;
        let client_side = Namespace::create("fleet-client")?;
        server_side.add_cable(INTERFACE, &client_side, CLIENT_INTERFACE)?;
        server_side.add_address(INTERFACE, [10, 79, 0, 1].into(), 16)?;
        client_side.add_address(CLIENT_INTERFACE, [10, 79, 0, 2].into(), 16)?;
        let folder = folder.join(format!("{candidate:?}-{clients:?}").to_lowercase());
        fs::create_dir_all(&folder)?;
        let server = match candidate {
            Candidate::Muster => start_muster(&folder, &server_side, muster.context("the server was not built")?)?,
            Candidate::Kea => start_kea(&folder, &server_side)?,
            Candidate::Dnsmasq => start_dnsmasq(&folder, &server_side)?,
        };
        Ok(Self {
            server,
            candidate,
            clients,
            folder,
            client_side,
            _server_side: server_side,
        })
    }

    /// Raises the rate until too much is lost.
    fn climb(mut self, options: &Options) -> anyhow::Result<Vec<Measure>> {
        let rates = options.rate.map_or_else(|| RATES.to_vec(), |rate| vec![rate]);
        // Sockets, caches and lazy start-up: not measured.
        self.measure(50, 1)?;
        let mut measures: Vec<Measure> = Vec::new();
        for rate in rates {
            let measure = self.measure(rate, options.seconds)?;
            println!(
                "{:?}, {:?} clients: {rate} asked, {:.0} exchanges/s, {:.2} % lost, {:.0} us of processor time each",
                self.candidate,
                self.clients,
                measure.per_second,
                measure.loss,
                measure.cpu.as_secs_f64() * 1e6 / measure.exchanges.max(1) as f64
            );
            measures.push(measure);
            // Two in a row: one may be an accident of this machine.
            let lossy = measures.iter().rev().take_while(|measure| measure.loss >= LOSS).count();
            if lossy >= 2 {
                break;
            }
        }
        Ok(measures)
    }

    fn measure(&mut self, rate: u32, seconds: u32) -> anyhow::Result<Measure> {
        ensure!(
            !self.server.has_ended(),
            "{:?} ended by itself:\n{}",
            self.candidate,
            self.server.console().last(20)
        );
        let before = Usage::of(self.server.id()).context("the server is gone")?;
        let log = self.folder.join(format!("perfdhcp-{rate}.log"));
        let words = ["perfdhcp", "-4", "-W", EXIT_WAIT_US, "-l", CLIENT_INTERFACE];
        let mut arguments = on_processor("1", &words);
        arguments.extend(["-r".to_owned(), rate.to_string()]);
        arguments.extend(["-R".to_owned(), CLIENTS.to_string()]);
        arguments.extend(["-p".to_owned(), seconds.to_string()]);
        if self.clients == Clients::Boot {
            let class: String = b"PXEClient:Arch:00007:UNDI:003000"
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            arguments.extend([
                "-o".to_owned(),
                "93,0007".to_owned(),
                "-o".to_owned(),
                format!("60,{class}"),
            ]);
        }
        let mut perfdhcp = Process::start(
            "perfdhcp",
            &self.client_side,
            Path::new("taskset"),
            &arguments,
            &[],
            &log,
        )?;
        let limit = Duration::from_secs(u64::from(seconds) + 30);
        let console = perfdhcp.console().clone();
        stop::wait_for(
            "perfdhcp",
            limit,
            || Ok(perfdhcp.has_ended().then_some(())),
            || console.last(20),
        )?;
        // The reader of its output may be a moment behind.
        let said = stop::wait_for(
            "perfdhcp's figures",
            Duration::from_secs(5),
            || Ok(Figures::read(&lines(&console))),
            || console.last(30),
        )?;
        let after = Usage::of(self.server.id()).context("the server is gone")?;
        if said.sent == 0 {
            bail!("perfdhcp sent nothing:\n{}", console.last(30));
        }
        Ok(Measure {
            rate,
            exchanges: said.received,
            per_second: said.received as f64 / f64::from(seconds.max(1)),
            loss: said.sent.saturating_sub(said.received) as f64 * 100.0 / said.sent as f64,
            cpu: after.cpu.saturating_sub(before.cpu),
            peak: after.peak,
        })
    }
}

fn lines(console: &muster_lab::Console) -> String {
    console
        .lines()
        .iter()
        .map(|line| line.text.as_str())
        .collect::<Vec<_>>()
        .join("\n")
}

/// What perfdhcp says at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Figures {
    /// DISCOVERs sent.
    sent: u64,
    /// ACKs received.
    received: u64,
}

impl Figures {
    fn read(text: &str) -> Option<Self> {
        let value = |section: &str, name: &str| {
            let section = text.split_once(&format!("Statistics for: {section}"))?.1;
            let line = section.lines().find_map(|line| line.trim().strip_prefix(name))?;
            line.trim().parse::<u64>().ok()
        };
        Some(Self {
            sent: value("DISCOVER-OFFER", "sent packets:")?,
            received: value("REQUEST-ACK", "received packets:")?,
        })
    }
}

/// Arguments of `taskset` that run a command on one processor.
fn on_processor(processor: &str, command: &[&str]) -> Vec<String> {
    ["-c", processor]
        .iter()
        .chain(command)
        .map(|word| (*word).to_owned())
        .collect()
}

/// While it lives, this session comes before others of the machine where the kernel groups processes by session: what
/// a person does beside the measurement disturbs it less. A kernel that does not offer it is as good without.
struct Precedence;

/// The kernel's file of this session's group.
const GROUP: &str = "/proc/self/autogroup";

impl Precedence {
    fn take() -> Self {
        let _ = fs::write(GROUP, "-15");
        Self
    }
}

impl Drop for Precedence {
    fn drop(&mut self) {
        let _ = fs::write(GROUP, "0");
    }
}

/// Starts a program on the server's processor.
fn start(
    name: &str,
    namespace: &Namespace,
    folder: &Path,
    command: &[&str],
    environment: &[(&str, &str)],
) -> anyhow::Result<Process> {
    let arguments = on_processor("0", command);
    let log = folder.join(format!("{name}.log"));
    Ok(Process::start(
        name,
        namespace,
        Path::new("taskset"),
        &arguments,
        environment,
        &log,
    )?)
}

fn start_muster(folder: &Path, namespace: &Namespace, program: &Path) -> anyhow::Result<Process> {
    let listen = |port| SocketAddr::from(([10, 79, 0, 1], port));
    let settings = Settings {
        page: listen(8080),
        boot: listen(8081),
        image_dir: folder.to_path_buf(),
        loader_dir: folder.to_path_buf(),
        tree_dir: PathBuf::new(),
        after_facts: "wait",
        subnets: vec![SubnetSettings {
            mode: "pool",
            network: "10.79.0.0/16".to_owned(),
            range: Some(([10, 79, 1, 0].into(), [10, 79, 250, 255].into())),
            router: [10, 79, 0, 1].into(),
        }],
        more: format!("[dhcp]\ninterfaces = [\"{INTERFACE}\"]\n"),
    };
    fs::write(folder.join("undionly.kpxe"), "made up")?;
    fs::write(folder.join("snponly.efi"), "made up")?;
    let file = folder.join("muster.toml");
    fs::create_dir_all(folder.join("data"))?;
    fs::write(&file, settings.text(&folder.join("data")))?;
    let program = program.display().to_string();
    let file = file.display().to_string();
    let command = [program.as_str(), "serve", "--config", &file];
    let process = start("muster", namespace, folder, &command, &[])?;
    process.console().wait_for("ready", START_LIMIT)?;
    Ok(process)
}

fn start_kea(folder: &Path, namespace: &Namespace) -> anyhow::Result<Process> {
    let folder_text = folder.display().to_string();
    let settings = serde_json::json!({"Dhcp4": {
        "interfaces-config": {"interfaces": [INTERFACE], "dhcp-socket-type": "raw"},
        "lease-database": {"type": "memfile", "persist": true, "name": format!("{folder_text}/leases.csv")},
        "valid-lifetime": 3600,
        "subnet4": [{
            "subnet": "10.79.0.0/16",
            "pools": [{"pool": "10.79.1.0-10.79.250.255"}],
            "next-server": "10.79.0.1",
            "boot-file-name": "snponly.efi",
        }],
        "loggers": [{
            "name": "kea-dhcp4",
            "output_options": [{"output": "stdout"}],
            "severity": "WARN",
        }],
    }});
    let file = folder.join("kea.json");
    fs::write(&file, settings.to_string())?;
    let environment = [
        ("KEA_PIDFILE_DIR", folder_text.as_str()),
        ("KEA_LOCKFILE_DIR", folder_text.as_str()),
    ];
    let file = file.display().to_string();
    let process = start("kea", namespace, folder, &["kea-dhcp4", "-c", &file], &environment)?;
    // It says nothing at this level of logging; the lease file is opened when it is ready.
    let leases = folder.join("leases.csv");
    stop::wait_for(
        "Kea's lease file",
        START_LIMIT,
        || Ok(leases.exists().then_some(())),
        || process.console().last(20),
    )?;
    Ok(process)
}

fn start_dnsmasq(folder: &Path, namespace: &Namespace) -> anyhow::Result<Process> {
    let folder_text = folder.display().to_string();
    let file = folder.join("dnsmasq.conf");
    let settings = format!(
        "port=0\nuser=root\nno-ping\nbind-dynamic\ninterface={INTERFACE}\nexcept-interface=lo\n\
         dhcp-range=10.79.1.0,10.79.250.255,255.255.0.0,1h\ndhcp-lease-max=60000\ndhcp-authoritative\nquiet-dhcp\n\
         dhcp-boot=snponly.efi\ndhcp-leasefile={folder_text}/dnsmasq.leases\n"
    );
    fs::write(&file, settings)?;
    let file = format!("--conf-file={}", file.display());
    // Kept in the foreground, but not in the mode for debugging.
    let command = ["dnsmasq", "--keep-in-foreground", "--log-facility=-", &file];
    let process = start("dnsmasq", namespace, folder, &command, &[])?;
    process.console().wait_for("IP range", START_LIMIT)?;
    Ok(process)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_from_both_halves_of_an_exchange() {
        let said = "Rate: 499.5 4-way exchanges/second, expected rate: 500\n\
                    ***Statistics for: DISCOVER-OFFER***\nsent packets: 2500\nreceived packets: 2490\ndrops: 10\n\n\
                    ***Statistics for: REQUEST-ACK***\nsent packets: 2490\nreceived packets: 2480\ndrops: 10\n";
        let figures = Figures {
            sent: 2500,
            received: 2480,
        };
        assert_eq!(Figures::read(said), Some(figures));
        assert_eq!(Figures::read("perfdhcp: error"), None);
    }

    #[test]
    fn the_best_rate_is_the_highest_that_loses_little() {
        let at = |rate: u32, loss| Measure {
            rate,
            exchanges: u64::from(rate) * 5,
            per_second: f64::from(rate),
            loss,
            cpu: Duration::from_millis(u64::from(rate)),
            peak: 10 << 20,
        };
        let measures = [at(1000, 0.0), at(2000, 1.5), at(3000, 0.2), at(4000, 5.0)];
        assert_eq!(
            row(Candidate::Muster, Clients::Boot, &measures),
            "| muster | boot | 3000 | 0.20 % | 200 µs | 10 MiB |"
        );
    }
}
