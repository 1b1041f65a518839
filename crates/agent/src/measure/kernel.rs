//! Processors, load, memory and uptime from `/proc` (proc(5)).

use muster_facts::metrics::{CpuTime, MemoryUse};

use super::rounded;
use crate::gather::tree::Tree;

/// Ticks of all processors: user, nice, system, idle, iowait, irq, softirq, steal. Guests are counted in the first two.
pub(super) type Processors = [u64; 8];

/// The first line of `/proc/stat`; old kernels have fewer columns.
pub(super) fn processors(tree: &Tree) -> Option<Processors> {
    let line = tree.lines("proc/stat").next()?;
    let mut ticks = Processors::default();
    let mut known = 0;
    for (tick, word) in ticks.iter_mut().zip(line.strip_prefix("cpu ")?.split_whitespace()) {
        *tick = word.parse().ok()?;
        known += 1;
    }
    (known >= 4).then_some(ticks)
}

/// How the time between two readings was spent; `None` when none has passed.
pub(super) fn shares(before: Option<&Processors>, now: Option<&Processors>) -> Option<CpuTime> {
    let (before, now) = (before?, now?);
    // The kernel's count of waiting may go back (proc(5)).
    let spent: Vec<f64> = now
        .iter()
        .zip(before)
        .map(|(now, before)| now.saturating_sub(*before) as f64)
        .collect();
    let all: f64 = spent.iter().sum();
    let [user, nice, system, idle, iowait, irq, softirq, steal] = spent.as_slice() else {
        return None;
    };
    let share = |ticks: f64| rounded(ticks / all, 4);
    (all > 0.0).then(|| CpuTime {
        user: share(user + nice),
        system: share(system + irq + softirq),
        iowait: share(*iowait),
        steal: share(*steal),
        idle: share(*idle),
    })
}

/// Since the kernel started, seconds.
pub(super) fn uptime(tree: &Tree) -> Option<u64> {
    let text = tree.value("uptime", "proc/uptime")?;
    text.split(['.', ' ']).next()?.parse().ok()
}

/// Load averages.
pub(super) fn load(tree: &Tree) -> Option<[f64; 3]> {
    let text = tree.value("load", "proc/loadavg")?;
    let mut words = text
        .split_whitespace()
        .map(|word| word.parse::<f64>().ok().filter(|load| load.is_finite()));
    Some([words.next()??, words.next()??, words.next()??])
}

/// Memory and swap. Kernels before 3.14 do not say what is available; free memory and the caches stand in for it.
pub(super) fn memory(tree: &Tree) -> Option<MemoryUse> {
    let text = tree.text("memory", "proc/meminfo")?;
    let bytes = |name: &str| -> Option<u64> {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        kilobytes.checked_mul(1024)
    };
    let or_nothing = |name: &str| bytes(name).unwrap_or(0);
    let total_bytes = bytes("MemTotal")?;
    let available = bytes("MemAvailable").or_else(|| {
        let caches = or_nothing("Buffers").saturating_add(or_nothing("Cached"));
        Some(bytes("MemFree")?.saturating_add(caches))
    });
    Some(MemoryUse {
        total_bytes,
        available_bytes: available?.min(total_bytes),
        swap_total_bytes: or_nothing("SwapTotal"),
        swap_free_bytes: or_nothing("SwapFree"),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn tree(path: &str, text: &str) -> (tempfile::TempDir, Tree) {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("proc")).unwrap();
        fs::write(root.path().join("proc").join(path), text).unwrap();
        let tree = Tree::new(root.path());
        (root, tree)
    }

    #[test]
    fn nonsense_is_nothing() {
        for text in [
            "",
            "cpu",
            "cpu  ",
            "cpu  1 2 3\n",
            "cpu  1 2 3 x\n",
            "cpu  1 2 3 -4\n",
            "intr 1 2 3 4\n",
        ] {
            assert_eq!(processors(&tree("stat", text).1), None, "{text}");
        }
        for text in ["", "1 2", "nan inf 1", "a b c", "0.1 0.2"] {
            assert_eq!(load(&tree("loadavg", text).1), None, "{text}");
        }
        for text in ["", "x", "-1 2"] {
            assert_eq!(uptime(&tree("uptime", text).1), None, "{text}");
        }
        for text in [
            "",
            "MemTotal: x kB\n",
            "MemTotal: 99999999999999999999 kB\n",
            "MemTotal: 1 kB\n",
        ] {
            assert_eq!(memory(&tree("meminfo", text).1), None, "{text}");
        }
    }

    #[test]
    fn shares_add_up_and_a_count_that_goes_back_is_none() {
        let before = [10, 0, 10, 100, 50, 0, 0, 0];
        let now = [20, 10, 20, 160, 40, 5, 5, 0];
        let cpu = shares(Some(&before), Some(&now)).unwrap();
        assert_eq!((cpu.user, cpu.system, cpu.iowait, cpu.idle), (0.2, 0.2, 0.0, 0.6));
        assert_eq!(shares(Some(&now), Some(&now)), None);
        assert_eq!(shares(None, Some(&now)), None);
    }

    #[test]
    fn old_kernels_do_not_say_what_is_available() {
        let old =
            "MemTotal:  1000 kB\nMemFree: 100 kB\nBuffers: 20 kB\nCached: 300 kB\nSwapTotal: 10 kB\nSwapFree: 4 kB\n";
        let memory = memory(&tree("meminfo", old).1).unwrap();
        assert_eq!((memory.total_bytes, memory.available_bytes), (1_024_000, 420 * 1024));
        assert_eq!((memory.swap_total_bytes, memory.swap_free_bytes), (10_240, 4096));
    }
}
