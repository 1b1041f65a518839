use super::{FailedBy, Progress, Stage};

/// Times the installer is started without asking for its answer file before that counts as a loop.
pub const MOST_STARTS: u32 = 5;

/// Why an installation ends when its machine boots.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interruption {
    /// The reason.
    pub by: FailedBy,
    /// Where it was.
    pub stage: Stage,
}

/// What a machine with an open installation is given when it boots from the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootChoice {
    /// The installer.
    Installer,
    /// Its own disk: the installer has ended.
    Local,
    /// The installation fails now; what the machine boots is what its host's state says.
    Fail(Interruption),
}

/// Decides what a boot in the middle of an installation means.
///
/// Before the answer file was given nothing can have been written, so that the installer is started again, some times.
/// Once it was given, the disks may be half written: whether to begin anew is a person's decision, unless the host was
/// meant to be installed at every boot (`install_once` false). A machine that boots after the packages are in has come to
/// the installer's end, of which the last word may get lost.
#[must_use]
pub fn boot(progress: &Progress, install_once: bool) -> BootChoice {
    let stage = progress.stage;
    if stage.is_installed() || stage == Stage::Post {
        return BootChoice::Local;
    }
    if stage.may_have_written() && install_once {
        return BootChoice::Fail(Interruption {
            by: FailedBy::Interrupted,
            stage,
        });
    }
    if progress.starts >= MOST_STARTS {
        return BootChoice::Fail(Interruption {
            by: FailedBy::Loop,
            stage,
        });
    }
    BootChoice::Installer
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::{super::Evidence, *};

    const START: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn at(stage: Stage) -> Progress {
        let mut progress = Progress::requested("anna", START);
        progress.start_installer("the boot script", START);
        progress.hear(&Evidence::new(stage, "as told"), START + TimeDelta::minutes(1));
        progress
    }

    #[test]
    fn power_that_is_cut_at_any_stage_goes_on_or_fails_and_installs_once() {
        for stage in Stage::ALL.iter().copied() {
            let choice = boot(&at(stage), true);
            let expected = match stage {
                Stage::Requested | Stage::WaitingBoot | Stage::Loader | Stage::Installer => BootChoice::Installer,
                Stage::Answer | Stage::Disks | Stage::Packages => BootChoice::Fail(Interruption {
                    by: FailedBy::Interrupted,
                    stage,
                }),
                _ => BootChoice::Local,
            };
            assert_eq!(choice, expected, "{stage:?}");
        }
    }

    #[test]
    fn an_installer_that_never_asks_for_its_answer_file_is_not_started_for_ever() {
        let mut progress = Progress::requested("anna", START);
        let mut starts = 0;
        while boot(&progress, true) == BootChoice::Installer {
            progress.start_installer("the boot script", START);
            starts += 1;
            assert!(starts < 100, "a loop");
        }
        assert_eq!(starts, MOST_STARTS);
        assert_eq!(
            boot(&progress, true),
            BootChoice::Fail(Interruption {
                by: FailedBy::Loop,
                stage: Stage::Loader
            })
        );
    }

    #[test]
    fn who_wants_it_at_every_boot_gets_it_and_not_in_a_loop() {
        let mut progress = at(Stage::Disks);
        assert_eq!(boot(&progress, false), BootChoice::Installer);
        progress.starts = MOST_STARTS;
        assert!(matches!(boot(&progress, false), BootChoice::Fail(_)));
    }
}
