use chrono::{DateTime, TimeDelta, Utc};

use super::{Surroundings, Verdict, VerdictCode, fetched_loader, is_image_file, param};
use crate::boot::{Architecture, Event, EventKind, Rule, is_optional_file};

/// iPXE asks for its script within a second of its address; firmware that boots by HTTP within a few.
const HTTP_WAIT: TimeDelta = TimeDelta::seconds(20);
/// Firmware asks the boot server at once when it listens to `ProxyDHCP` at all.
const PROXY_WAIT: TimeDelta = TimeDelta::seconds(30);
/// A loader that runs is back as iPXE within some seconds.
const LOADER_WAIT: TimeDelta = TimeDelta::seconds(30);
/// Longest silence of a boot that goes on: kernel, modules and slow firmware.
const QUIET: TimeDelta = TimeDelta::seconds(150);
/// Loaders fetched without iPXE coming of it: the third is a loop.
const LOOP: u32 = 3;
/// Scripts fetched in one boot without the image being fetched.
const SCRIPT_LOOP: u32 = 6;

/// What has to come next.
#[derive(Debug, Default)]
enum Wait {
    #[default]
    Nothing,
    /// A loader was offered beside another server.
    Proxy { since: DateTime<Utc> },
    /// A URL was given.
    Http { since: DateTime<Utc>, url: Option<String> },
    /// The loader was fetched: iPXE has to show up.
    Loader { since: DateTime<Utc>, file: String },
}

/// What is known after some of the events.
#[derive(Debug, Default)]
pub(super) struct Story {
    trouble: Option<Verdict>,
    wait: Wait,
    arch: Option<String>,
    /// The other server whose address the client took.
    other_server: Option<String>,
    /// The loader that was fetched first since the firmware started.
    first_loader: Option<String>,
    loads: u32,
    scripts: u32,
    phase: &'static str,
    began_at: Option<DateTime<Utc>>,
    last_at: Option<DateTime<Utc>>,
    reported: bool,
}

impl Story {
    pub(super) fn read(&mut self, event: &Event) {
        self.began_at.get_or_insert(event.at);
        self.last_at = self.last_at.max(Some(event.at));
        if let Some(arch) = param(event, "arch") {
            self.arch = Some(arch.to_owned());
        }
        match event.kind {
            EventKind::DhcpDiscover | EventKind::DhcpRequest | EventKind::DhcpInform => self.packet(event),
            EventKind::DhcpSilence | EventKind::DhcpNak => self.unanswered(event),
            EventKind::DhcpOffer | EventKind::DhcpAck => self.answered(event),
            EventKind::ProxyOffer => self.offered_beside(event),
            EventKind::DhcpOtherServer => self.other_server(event),
            EventKind::DhcpDecline => {
                self.trouble =
                    Some(Verdict::new(VerdictCode::AddressConflict).with("address", param(event, "address")));
            }
            EventKind::TftpRequest => self.wait = Wait::Nothing,
            EventKind::TftpDone | EventKind::HttpFile => self.fetched(event),
            EventKind::TftpFailed => self.not_fetched(event),
            EventKind::BootScript => self.script(event),
            EventKind::HttpRefused => self.refused(event),
            EventKind::ImageProgress => self.image(event),
            EventKind::FactsAccepted => {
                self.reported = true;
                self.wait = Wait::Nothing;
                self.trouble = None;
            }
            EventKind::FactsRefused => self.facts_refused(event),
            EventKind::InstallStarted
            | EventKind::AnswerServed
            | EventKind::AnswerRefused
            | EventKind::InstallStage
            | EventKind::InstallHeld
            | EventKind::InstallStuck
            | EventKind::InstallEnded
            | EventKind::AgentEnrolled
            | EventKind::AgentRefused
            | EventKind::AgentRevoked
            | EventKind::MetricsRefused
            | EventKind::MetricsGap
            | EventKind::AgentClock
            | EventKind::RuleGave
            | EventKind::RuleRefused
            | EventKind::DhcpRelease
            | EventKind::NextTold
            | EventKind::HostCreated
            | EventKind::HostRecognised
            | EventKind::HostAmbiguous => {}
        }
    }

    fn stands(&self, code: VerdictCode) -> bool {
        self.trouble.as_ref().is_some_and(|trouble| trouble.code == code)
    }

    fn packet(&mut self, event: &Event) {
        match param(event, "client") {
            Some("ipxe") => {
                self.phase = "ipxe";
                self.loads = 0;
                self.wait = Wait::Nothing;
                if self.stands(VerdictCode::WrongLoader)
                    || self.stands(VerdictCode::LoaderLoop)
                    || self.stands(VerdictCode::NoLoader)
                {
                    self.trouble = None;
                }
            }
            Some("image") => {
                self.phase = "image";
                self.wait = Wait::Nothing;
            }
            Some("firmware") if event.kind == EventKind::DhcpDiscover => self.firmware_again(),
            _ => {}
        }
    }

    /// Firmware looks for a server: it has started, or what it was sent to fetch by HTTP did not come.
    fn firmware_again(&mut self) {
        self.phase = "firmware";
        self.first_loader = None;
        if let Wait::Http { url, .. } = std::mem::take(&mut self.wait) {
            self.trouble = Some(Verdict::new(VerdictCode::HttpUnreachable).with("url", url));
        }
    }

    fn unanswered(&mut self, event: &Event) {
        let rule = event.rule.as_deref().unwrap_or_default();
        let code = [
            (Rule::NoSubnet, VerdictCode::NoSubnet),
            (Rule::Observe, VerdictCode::ObservedOnly),
            (Rule::RefusedByPolicy, VerdictCode::RefusedByPolicy),
            (Rule::PoolExhausted, VerdictCode::PoolExhausted),
            (Rule::NotKnown, VerdictCode::NotKnown),
            (Rule::ReservationInUse, VerdictCode::AddressConflict),
            (Rule::AddressTaken, VerdictCode::AddressConflict),
        ]
        .into_iter()
        .find_map(|(known, code)| (known.as_str() == rule).then_some(code));
        if let Some(code) = code {
            let mut verdict = Verdict::new(code);
            for name in ["subnet", "interface", "relay", "address", "pattern"] {
                verdict = verdict.with(name, param(event, name));
            }
            self.trouble = Some(verdict);
        }
    }

    fn answered(&mut self, event: &Event) {
        // Each round of a loop is answered well: only iPXE, or something by HTTP, ends it.
        let loops = [
            VerdictCode::LoaderLoop,
            VerdictCode::WrongLoader,
            VerdictCode::HttpUnreachable,
        ];
        if !loops.into_iter().any(|code| self.stands(code)) {
            self.trouble = None;
        }
        if event.kind == EventKind::DhcpAck {
            self.other_server = None;
        }
        let rule = event.rule.as_deref().unwrap_or_default();
        if rule == Rule::NoLoaderForArchitecture.as_str() || rule == Rule::LoaderMissing.as_str() {
            self.trouble = Some(
                Verdict::new(VerdictCode::NoLoader)
                    .with("arch", param(event, "arch"))
                    .with("file", param(event, "file")),
            );
        }
        if event.kind == EventKind::DhcpAck {
            self.wait = param(event, "url").map_or(Wait::Nothing, |url| Wait::Http {
                since: event.at,
                url: Some(url.to_owned()),
            });
        }
    }

    fn offered_beside(&mut self, event: &Event) {
        self.answered(event);
        self.wait = match param(event, "url") {
            // iPXE takes the URL out of the offer itself.
            Some(url) if param(event, "client") == Some("ipxe") => Wait::Http {
                since: event.at,
                url: Some(url.to_owned()),
            },
            _ => Wait::Proxy { since: event.at },
        };
    }

    fn other_server(&mut self, event: &Event) {
        let server = param(event, "server").map(str::to_owned);
        let chosen = event.rule.as_deref() == Some(Rule::OtherServerChosen.as_str());
        match param(event, "mode") {
            Some("pool" | "reserved") if chosen => {
                self.wait = Wait::Nothing;
                self.trouble = Some(
                    Verdict::new(VerdictCode::OtherServerFirst)
                        .with("server", server.clone())
                        .with("subnet", param(event, "subnet")),
                );
            }
            Some("observe") => {
                if let Some(trouble) = self
                    .trouble
                    .take_if(|trouble| trouble.code == VerdictCode::ObservedOnly)
                {
                    self.trouble = Some(trouble.with("server", server.clone()));
                }
            }
            _ => {}
        }
        if chosen {
            self.other_server = server;
        }
    }

    fn fetched(&mut self, event: &Event) {
        self.wait = Wait::Nothing;
        let Some(file) = fetched_loader(event) else {
            self.phase = "image";
            self.scripts = 0;
            self.trouble = None;
            return;
        };
        // What finds the system on the disk is a loader too, and no end of being sent there; so is the memory test.
        let sent = [VerdictCode::LocalBoot, VerdictCode::MemoryTest];
        if self.phase == "script" && sent.into_iter().any(|code| self.stands(code)) {
            return;
        }
        if event.kind == EventKind::HttpFile || !self.stands(VerdictCode::HttpUnreachable) {
            self.trouble = None;
        }
        // Once iPXE runs, whatever it fetches is no loader that could be the wrong one.
        if matches!(self.phase, "ipxe" | "script" | "image") {
            return;
        }
        self.phase = "loader";
        // Shim fetches GRUB, and GRUB what it is told: steps of one start, not starts.
        let first = self.first_loader.get_or_insert_with(|| file.to_owned());
        if first != file {
            self.wait = Wait::Nothing;
            return;
        }
        self.loads += 1;
        self.wait = Wait::Loader {
            since: event.at,
            file: file.to_owned(),
        };
        if self.loads > 1
            && let Some(wrong) = self.wrong_loader(file)
        {
            self.trouble = Some(wrong);
        } else if self.loads >= LOOP {
            self.trouble = Some(
                Verdict::new(VerdictCode::LoaderLoop)
                    .with("file", Some(file))
                    .with("times", Some(self.loads.to_string())),
            );
        }
    }

    /// The verdict on a loader that cannot start on this firmware.
    fn wrong_loader(&self, file: &str) -> Option<Verdict> {
        let own = self.arch.as_deref().and_then(Architecture::from_word)?;
        let of_file = Architecture::of_file_name(file)?;
        (!own.runs_programs_of(of_file)).then(|| {
            Verdict::new(VerdictCode::WrongLoader)
                .with("file", Some(file))
                .with("arch", Some(own.to_string()))
                .with("file_arch", Some(of_file.to_string()))
        })
    }

    fn not_fetched(&mut self, event: &Event) {
        let Some(file) = param(event, "file") else { return };
        let wanted = Architecture::of_file_name(file).is_some() && !is_optional_file(file);
        let missing = matches!(param(event, "why"), Some("missing" | "not_found" | "no_such_file"));
        if wanted && missing && !matches!(self.phase, "ipxe" | "script" | "image") {
            self.trouble = Some(
                Verdict::new(VerdictCode::NoLoader)
                    .with("arch", self.arch.clone())
                    .with("file", Some(file)),
            );
        }
    }

    fn script(&mut self, event: &Event) {
        self.phase = "script";
        self.wait = Wait::Nothing;
        self.loads = 0;
        self.scripts += 1;
        if param(event, "action") == Some("menu") {
            // What comes of it is asked for by another script.
            self.trouble = None;
            return;
        }
        let rule = event.rule.as_deref().unwrap_or_default();
        let is = |one: Rule| one.as_str() == rule;
        self.trouble = if is(Rule::NoImage) {
            Some(Verdict::new(VerdictCode::NoImage))
        } else if is(Rule::RefusedByPolicy) {
            Some(Verdict::new(VerdictCode::RefusedByPolicy).with("pattern", param(event, "pattern")))
        } else if is(Rule::UnknownLocal)
            || is(Rule::ReportedLocal)
            || is(Rule::InServiceLocal)
            || is(Rule::InstallLocal)
            || is(Rule::ChosenLocal)
        {
            Some(Verdict::new(VerdictCode::LocalBoot))
        } else if is(Rule::ChosenMemoryTest) {
            Some(Verdict::new(VerdictCode::MemoryTest))
        } else if is(Rule::InstallOpen) {
            // How it goes on is told by the installation.
            Some(Verdict::new(VerdictCode::Installing))
        } else if self.scripts >= SCRIPT_LOOP {
            Some(Verdict::new(VerdictCode::LoaderLoop).with("times", Some(self.scripts.to_string())))
        } else {
            None
        };
    }

    fn refused(&mut self, event: &Event) {
        self.wait = Wait::Nothing;
        // A refusal is an answer.
        self.trouble
            .take_if(|trouble| trouble.code == VerdictCode::HttpUnreachable);
        match param(event, "code") {
            Some("boot_token_expired") => self.trouble = Some(Verdict::new(VerdictCode::TokenExpired)),
            Some("facts_too_large" | "facts_malformed") => self.facts_refused(event),
            _ => {
                if param(event, "file").is_some_and(is_image_file) {
                    self.trouble = Some(Verdict::new(VerdictCode::NoImage));
                } else if param(event, "file")
                    .is_some_and(|file| Architecture::of_file_name(file).is_some() && !is_optional_file(file))
                {
                    self.trouble = Some(
                        Verdict::new(VerdictCode::NoLoader)
                            .with("arch", self.arch.clone())
                            .with("file", param(event, "file")),
                    );
                }
            }
        }
    }

    fn image(&mut self, event: &Event) {
        self.phase = "image";
        self.wait = Wait::Nothing;
        if param(event, "stage") == Some("failed") {
            self.trouble = Some(Verdict::new(VerdictCode::ImageTrouble).with("why", param(event, "message")));
        } else if !self.stands(VerdictCode::TokenExpired) && !self.stands(VerdictCode::FactsRefused) {
            self.trouble = None;
        }
    }

    fn facts_refused(&mut self, event: &Event) {
        let expired = param(event, "code") == Some("boot_token_expired");
        if expired && self.reported {
            // It only goes on asking what to do.
            return;
        }
        self.trouble = Some(if expired {
            Verdict::new(VerdictCode::TokenExpired)
        } else {
            let why = param(event, "why").or_else(|| param(event, "code"));
            Verdict::new(VerdictCode::FactsRefused).with("why", why)
        });
    }

    pub(super) fn verdict(self, surroundings: &Surroundings, now: DateTime<Utc>) -> Verdict {
        let elapsed = |since: DateTime<Utc>| (now - since).max(TimeDelta::zero());
        if let Some(trouble) = self.trouble {
            return trouble;
        }
        if self.reported {
            let took = self.began_at.zip(self.last_at).map(|(began, last)| last - began);
            return Verdict::new(VerdictCode::Reported)
                .with("seconds", took.map(|took| took.num_seconds().to_string()));
        }
        match &self.wait {
            Wait::Loader { since, file } => {
                if elapsed(*since) >= LOADER_WAIT
                    && let Some(wrong) = self.wrong_loader(file)
                {
                    return wrong;
                }
            }
            Wait::Proxy { since } if elapsed(*since) >= PROXY_WAIT && self.other_server.is_some() => {
                return Verdict::new(VerdictCode::ProxyIgnored).with("server", self.other_server);
            }
            Wait::Http { since, url } if elapsed(*since) >= HTTP_WAIT => {
                return Verdict::new(VerdictCode::HttpUnreachable).with("url", url.clone());
            }
            _ => {}
        }
        if self.phase == "script" && !surroundings.image {
            return Verdict::new(VerdictCode::NoImage);
        }
        let phase = (!self.phase.is_empty()).then_some(self.phase);
        match self.last_at {
            Some(last) if elapsed(last) >= QUIET => Verdict::new(VerdictCode::Stalled)
                .with("phase", phase)
                .with("seconds", Some(elapsed(last).num_seconds().to_string())),
            _ => Verdict::new(VerdictCode::InProgress).with("phase", phase),
        }
    }
}
