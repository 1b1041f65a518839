//! May the process have as many files open as it serves connections and transfers?

use std::io;

use nix::sys::resource::{Resource, getrlimit};

use super::{Finding, Weight};

const ABOUT: &str = "open_files";

/// How many files a process may have open (`getrlimit(2)`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLimits {
    /// The limit that holds now.
    pub soft: u64,
    /// How far the process may raise it by itself.
    pub hard: u64,
}

/// The limits of this process.
///
/// # Errors
/// What the kernel said.
pub fn file_limits() -> io::Result<FileLimits> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    Ok(FileLimits { soft, hard })
}

pub(super) fn look(needed: u64) -> Finding {
    match file_limits() {
        Ok(limits) => judge(limits, needed),
        Err(error) => Finding::new(
            Weight::Warn,
            ABOUT,
            format!("how many files may be open cannot be asked: {error}"),
            "whether many machines can be served at once is not known",
            "run the check where the system allows getrlimit",
        ),
    }
}

fn judge(limits: FileLimits, needed: u64) -> Finding {
    // The server raises its soft limit by itself.
    let most = limits.hard;
    if most >= needed {
        return Finding::ok(ABOUT, format!("{most} files may be open, {needed} are needed at most"));
    }
    Finding::new(
        Weight::Warn,
        ABOUT,
        format!("only {most} files may be open, and {needed} are needed when all is busy"),
        "fewer machines are served at once than could be; the others wait",
        "raise the hard limit (ulimit -Hn, or LimitNOFILE as packaging/muster.service does)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hard_limit_is_what_counts() {
        let finding = |hard| judge(FileLimits { soft: 1024, hard }, 10_000);
        assert_eq!(finding(10_000).weight, Weight::Ok);
        let low = finding(4096);
        assert_eq!(low.weight, Weight::Warn);
        assert!(low.what.contains("4096") && low.what.contains("10000"));
    }
}
