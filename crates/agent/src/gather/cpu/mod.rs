//! Processors from `/proc/cpuinfo` and the kernel's topology, counted as lscpu counts them.

mod arm;
mod info;
mod topology;

use std::collections::{BTreeMap, BTreeSet};

use muster_facts::{Cpu, CpuKind, CpuPackage};

use super::smbios::Smbios;
use super::tree::Tree;
use info::{CpuInfo, Kind};
use topology::{Counts, Place};

/// Flags by which people place work; all others are left out.
const FLAGS: [&str; 46] = [
    "aes",
    "amx_bf16",
    "amx_int8",
    "amx_tile",
    "asimd",
    "atomics",
    "avx",
    "avx2",
    "avx512_bf16",
    "avx512_fp16",
    "avx512_vnni",
    "avx512bw",
    "avx512cd",
    "avx512dq",
    "avx512f",
    "avx512vl",
    "avx_vnni",
    "bf16",
    "bmi2",
    "crc32",
    "ept",
    "fma",
    "hypervisor",
    "i8mm",
    "la57",
    "lm",
    "npt",
    "nx",
    "pcid",
    "pdpe1gb",
    "pmull",
    "rdrand",
    "rdseed",
    "sev",
    "sev_es",
    "sev_snp",
    "sgx",
    "sha2",
    "sha_ni",
    "sse4_2",
    "sve",
    "sve2",
    "svm",
    "tdx_guest",
    "vmx",
    "x2apic",
];

/// What the rest of gathering asks of the processors as well.
pub(super) struct Gathered {
    pub(super) cpu: Cpu,
    /// The CPU says that it runs under a hypervisor (x86 only).
    pub(super) hypervisor: bool,
}

pub(super) fn gather(tree: &Tree, smbios: &Smbios) -> Gathered {
    const INFO: &str = "proc/cpuinfo";
    if !tree.exists(INFO) {
        tree.note_missing("cpu.model", INFO);
    }
    let info = info::parse(&tree.text("cpu.model", INFO).unwrap_or_default());
    if !tree.exists(topology::FOLDER) {
        tree.note_missing("cpu.cores", topology::FOLDER);
    }
    let cpu = match info.processors.is_empty() && !tree.exists(topology::FOLDER) {
        true => counted_by_firmware(smbios),
        false => count(tree, &info, smbios),
    };
    Gathered {
        cpu: Cpu {
            packages: smbios.packages.clone(),
            ..cpu
        },
        hypervisor: info.flags.iter().any(|flag| flag == "hypervisor"),
    }
}

/// What SMBIOS alone says, where the kernel does not answer.
pub(super) fn told_by_firmware(smbios: &Smbios) -> Gathered {
    Gathered {
        cpu: Cpu {
            packages: smbios.packages.clone(),
            ..counted_by_firmware(smbios)
        },
        hypervisor: false,
    }
}

/// The counts of SMBIOS, where the kernel shows nothing (a tree that holds only the tables).
fn counted_by_firmware(smbios: &Smbios) -> Cpu {
    let sum = |part: fn(&CpuPackage) -> Option<u32>| {
        smbios
            .packages
            .iter()
            .map(|package| part(package).unwrap_or(0))
            .fold(0, u32::saturating_add)
    };
    let (cores, threads) = (
        sum(|package| package.cores),
        sum(|package| package.threads.or(package.cores)),
    );
    let first = smbios.packages.first();
    Cpu {
        vendor: first.and_then(|package| package.vendor.clone()),
        model: first.and_then(|package| package.version.clone()),
        sockets: topology::narrow(smbios.packages.len()),
        cores,
        threads,
        cores_per_socket: first.and_then(|package| package.cores).unwrap_or(0),
        threads_per_core: threads.checked_div(cores).unwrap_or(0),
        ..Cpu::default()
    }
}

/// A kind of core with its CPUs.
struct Group {
    kind: Kind,
    cpus: Vec<u32>,
}

fn count(tree: &Tree, info: &CpuInfo, smbios: &Smbios) -> Cpu {
    let online: Vec<u32> = info.processors.iter().map(|processor| processor.number).collect();
    let folders = topology::folders(tree).unwrap_or_default();
    let mut groups = groups(info);
    if groups.is_empty() {
        groups.push(Group {
            kind: info.common.clone(),
            cpus: folders.clone(),
        });
    }
    let places: BTreeMap<u32, Place> = groups
        .iter()
        .flat_map(|group| &group.cpus)
        .filter_map(|cpu| Some((*cpu, topology::place(tree, *cpu)?)))
        .collect();

    let counts: Vec<Counts> = groups
        .iter()
        .map(
            |group| match topology::count(group.cpus.iter().filter_map(|cpu| places.get(cpu))) {
                Counts { cores: 0, .. } => told_by_cpuinfo(info, group),
                counts => counts,
            },
        )
        .collect();
    let first = counts.first().copied().unwrap_or_default();
    let cores = counts.iter().map(|count| count.cores).sum();
    let present = topology::list(tree, "present");
    let threads = present
        .as_ref()
        .map_or_else(|| folders.len().max(online.len()), Vec::len);
    let switched_on = topology::list(tree, "online").map_or(online.len(), |cpus| cpus.len());
    let offline = match present {
        Some(present) if switched_on > 0 => topology::narrow(present.len().saturating_sub(switched_on)),
        _ => 0,
    };
    let sockets = sockets(&counts, info, smbios);
    let kind = groups.first().map(|group| group.kind.clone()).unwrap_or_default();

    let mut kinds = Vec::new();
    if groups.len() > 1 {
        kinds.extend(groups.iter().zip(&counts).map(|(group, count)| CpuKind {
            vendor: group.kind.vendor.clone(),
            model: group.kind.model.clone(),
            cores: count.cores,
            threads: topology::narrow(group.cpus.len()),
            max_mhz: max_mhz(tree, &group.cpus),
        }));
    }
    let all: Vec<u32> = groups.iter().flat_map(|group| group.cpus.iter().copied()).collect();
    Cpu {
        architecture: architecture(tree, info),
        vendor: kind.vendor,
        model: kind.model,
        sockets,
        cores,
        threads: topology::narrow(threads),
        offline,
        cores_per_socket: match groups.len() {
            1 => cores.checked_div(sockets).unwrap_or(0),
            _ => first.cores.checked_div(first.sockets).unwrap_or(0),
        },
        threads_per_core: first.threads_per_core,
        kinds,
        max_mhz: max_mhz(tree, &all),
        flags: flags(info),
        packages: Vec::new(),
    }
}

/// CPUs by kind, in the kernel's order.
fn groups(info: &CpuInfo) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for processor in &info.processors {
        match groups.iter_mut().find(|group| group.kind == processor.kind) {
            Some(group) => group.cpus.push(processor.number),
            None => groups.push(Group {
                kind: processor.kind.clone(),
                cpus: vec![processor.number],
            }),
        }
    }
    groups
}

/// Counts without a topology in `/sys`: package and core numbers where `/proc/cpuinfo` has them,
/// else each CPU is a core of one socket.
fn told_by_cpuinfo(info: &CpuInfo, group: &Group) -> Counts {
    let threads = topology::narrow(group.cpus.len());
    let mine = || {
        info.processors
            .iter()
            .filter(|processor| group.cpus.contains(&processor.number))
    };
    let sockets: BTreeSet<u32> = mine().filter_map(|processor| processor.package).collect();
    let cores: BTreeSet<(u32, u32)> = mine()
        .filter_map(|processor| Some((processor.package?, processor.core?)))
        .collect();
    let cores = match topology::narrow(cores.len()) {
        0 => threads,
        cores => cores,
    };
    Counts {
        sockets: topology::narrow(sockets.len()).max(u32::from(threads > 0)),
        cores,
        threads_per_core: threads.checked_div(cores).unwrap_or(0),
    }
}

/// Kinds of core share a socket, so the largest count stands. ARM kernels without a firmware
/// topology show each cluster as a package; there the populated sockets of SMBIOS are believed.
fn sockets(counts: &[Counts], info: &CpuInfo, smbios: &Smbios) -> u32 {
    let seen = counts.iter().map(|count| count.sockets).max().unwrap_or(0);
    let told = topology::narrow(smbios.packages.len());
    match info.architecture {
        Some("aarch64" | "armv7l") if told > 0 => seen.min(told),
        _ => seen,
    }
}

/// The running kernel's own word; a captured tree's is told by the keys of `/proc/cpuinfo`.
fn architecture(tree: &Tree, info: &CpuInfo) -> Option<String> {
    if tree.is_live() {
        return nix::sys::utsname::uname().ok()?.machine().to_str().map(str::to_owned);
    }
    info.architecture.map(str::to_owned)
}

fn max_mhz(tree: &Tree, cpus: &[u32]) -> Option<u32> {
    let khz = cpus.iter().filter_map(|cpu| {
        tree.number::<u32>(
            "cpu.max_mhz",
            &format!("{}/cpu{cpu}/cpufreq/cpuinfo_max_freq", topology::FOLDER),
        )
    });
    khz.max().map(|khz| khz / 1000).filter(|mhz| *mhz > 0)
}

fn flags(info: &CpuInfo) -> Vec<String> {
    let mut flags: Vec<String> = info
        .flags
        .iter()
        .filter(|flag| FLAGS.contains(&flag.as_str()))
        .cloned()
        .collect();
    flags.sort_unstable();
    flags.dedup();
    flags
}
