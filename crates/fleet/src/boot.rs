use std::{
    net::{Ipv4Addr, SocketAddrV4},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use muster_facts::{Facts, MacAddr};
use muster_wire::dhcp::{Message, MessageType};
use serde::Deserialize;
use tokio::time::sleep;

use crate::{
    Firmware, Machine, Stage,
    clients::{RelayError, RelayPort, TftpClientError, fetch},
    hardware, ipxe,
    mix::Fault,
    run::http_client,
};

/// Why a machine stopped.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Stopped {
    #[error("{0}")]
    Dhcp(#[from] RelayError),
    #[error("{0}")]
    Tftp(#[from] TftpClientError),
    #[error("{what}: {source}")]
    Http { what: &'static str, source: reqwest::Error },
    #[error("the DHCP answer has no {0}")]
    Lacks(&'static str),
    #[error("the server refused the address with a NAK")]
    Nak,
    #[error("the script starts no kernel: {0}")]
    NoKernel(String),
    #[error("{what} was answered {status}: {text}")]
    Refused {
        what: &'static str,
        status: u16,
        text: String,
    },
    #[error("stopped on purpose")]
    Purpose,
}

/// How often a report is sent to a server that has no room for it.
const MOST_REPORTS: u32 = 20;

/// How often a machine whose loader hands back to the firmware goes round.
const ROUNDS: u32 = 5;

#[derive(Deserialize)]
struct Accepted {
    host: String,
}

struct Script {
    server: String,
    token: String,
    files: Vec<String>,
}

/// One boot of one machine, from power-on to acknowledged facts.
pub(crate) struct Boot<'a> {
    machine: &'a Machine,
    mac: MacAddr,
    port: RelayPort,
    http: reqwest::Client,
    /// How far it came.
    pub(crate) stage: Stage,
    /// The addresses it was given, in order.
    pub(crate) addresses: Vec<Ipv4Addr>,
    lose: u32,
}

impl<'a> Boot<'a> {
    pub(crate) fn new(machine: &'a Machine, mac: MacAddr, port: RelayPort, http: &'a reqwest::Client) -> Self {
        Self {
            machine,
            mac,
            port,
            http: http.clone(),
            stage: Stage::Firmware,
            addresses: Vec::new(),
            lose: u32::from(machine.fault == Fault::Loses),
        }
    }

    /// Boots; gives the host the server named. `nic` is the port that the facts say is the first one.
    pub(crate) async fn run(&mut self, nic: u8) -> Result<String, Stopped> {
        let (firmware, fault) = (self.machine.firmware, self.machine.fault);
        let rounds = if fault == Fault::Loops {
            ROUNDS
        } else {
            u32::from(firmware != Firmware::BiosIpxe)
        };
        for _ in 0..rounds {
            let answer = self.lease(|message| self.machine.speak_firmware(message)).await?;
            self.stage = Stage::Loader;
            self.load(&answer).await?;
        }
        if fault == Fault::Loops {
            return Err(Stopped::Purpose);
        }
        self.stage = Stage::Ipxe;
        let answer = self.lease(|message| self.machine.speak_ipxe(message)).await?;
        self.stage = Stage::Script;
        if fault == Fault::NoHttp {
            return Err(Stopped::Purpose);
        }
        let url = answer.boot_file_name().ok_or(Stopped::Lacks("boot file"))?.to_owned();
        let script = self.script(&self.expand(&url)).await?;
        self.stage = Stage::Image;
        for file in &script.files {
            self.fetch_file(file).await?;
        }
        self.stage = Stage::Address;
        self.lease(|message| message.vendor_class = Some(b"muster-agent".to_vec()))
            .await?;
        self.stage = Stage::Report;
        self.tell(&script, "address", "an address was given").await?;
        if fault == Fault::Stalls {
            return Err(Stopped::Purpose);
        }
        self.tell(&script, "gather", "reading the hardware").await?;
        let host = self.report(&script, nic).await?;
        self.stage = Stage::Reported;
        Ok(host)
    }

    /// DISCOVER to ACK.
    async fn lease(&mut self, speak: impl Fn(&mut Message)) -> Result<Message, Stopped> {
        if self.machine.fault == Fault::Garbage {
            let noise: Vec<u8> = (0..300).map(|_| rand::random()).collect();
            self.port.relay().send_garbage(&noise).await.map_err(RelayError::from)?;
        }
        let copies = if self.machine.fault == Fault::Doubles { 2 } else { 1 };
        let mut discover = Message::request(MessageType::Discover, rand::random(), self.mac);
        if self.machine.fault != Fault::JunkIdentity {
            discover.set_uuid(hardware::uuid(self.machine.seed, self.machine.index));
        }
        discover.parameters = vec![1, 3, 6, 12, 15, 43, 54, 60, 66, 67, 97, 175];
        discover.max_size = Some(1472);
        speak(&mut discover);
        let lose = std::mem::take(&mut self.lose);
        let offer = self
            .port
            .ask(discover.clone(), copies, lose, |answer| {
                answer.message_type == Some(MessageType::Offer)
            })
            .await?;
        let server = offer.server_id.ok_or(Stopped::Lacks("server identifier"))?;
        let mut request = discover;
        request.message_type = Some(MessageType::Request);
        request.requested_ip = Some(offer.yiaddr);
        request.server_id = Some(server);
        let answer = self
            .port
            .ask(request, copies, 0, |answer| {
                matches!(answer.message_type, Some(MessageType::Ack | MessageType::Nak))
            })
            .await?;
        if answer.message_type == Some(MessageType::Nak) {
            return Err(Stopped::Nak);
        }
        self.move_to(answer.yiaddr)?;
        Ok(answer)
    }

    /// Speaks from this address from now on where the kernel lets us: on loopback every address is ours, and the
    /// server tells machines apart by it.
    fn move_to(&mut self, address: Ipv4Addr) -> Result<(), Stopped> {
        if address.is_loopback() && self.addresses.last() != Some(&address) {
            self.http = http_client(Some(address.into())).map_err(|source| Stopped::Http { what: "client", source })?;
        }
        self.addresses.push(address);
        Ok(())
    }

    /// The address it speaks from.
    fn own_address(&self) -> Ipv4Addr {
        let last = self.addresses.last().copied();
        last.filter(Ipv4Addr::is_loopback).unwrap_or(Ipv4Addr::UNSPECIFIED)
    }

    /// The loader the answer names, by TFTP or HTTP.
    async fn load(&self, answer: &Message) -> Result<(), Stopped> {
        let file = answer.boot_file_name().ok_or(Stopped::Lacks("boot file"))?;
        if file.starts_with("http://") {
            return self.fetch_file(file).await;
        }
        let server = match answer.siaddr {
            Ipv4Addr::UNSPECIFIED => answer.server_id.ok_or(Stopped::Lacks("next server"))?,
            server => server,
        };
        fetch(
            self.own_address(),
            SocketAddrV4::new(server, self.machine.tftp_port),
            file,
        )
        .await?;
        Ok(())
    }

    /// iPXE's variables in the script's address.
    fn expand(&self, url: &str) -> String {
        let system = self.facts(0).system;
        let arm = self.machine.firmware == Firmware::Arm64;
        let (mac, address) = (
            self.mac.to_string(),
            self.addresses.last().map(ToString::to_string).unwrap_or_default(),
        );
        ipxe::expand(url, |name| {
            Some(match name {
                "mac" | "net0/mac" | "netX/mac" => mac.clone(),
                "ip" | "net0/ip" | "netX/ip" => address.clone(),
                "uuid" => system.uuid.clone()?,
                "buildarch" => if arm { "arm64" } else { "x86_64" }.to_owned(),
                "platform" => if self.machine.firmware.is_uefi() {
                    "efi"
                } else {
                    "pcbios"
                }
                .to_owned(),
                "serial" => system.serial.clone()?,
                "product" => system.product.clone()?,
                "manufacturer" => system.vendor.clone()?,
                "version" => "1.21.1".to_owned(),
                _ => return None,
            })
        })
    }

    async fn script(&self, url: &str) -> Result<Script, Stopped> {
        let text = self
            .http
            .get(url)
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(|source| Stopped::Http {
                what: "boot script",
                source,
            })?
            .text()
            .await
            .map_err(|source| Stopped::Http {
                what: "boot script",
                source,
            })?;
        let word = |name: &str| {
            text.split_whitespace()
                .find_map(|word| word.strip_prefix(name))
                .map(str::to_owned)
        };
        let files = ["kernel", "initrd"].iter().filter_map(|command| {
            let line = text.lines().find(|line| line.starts_with(command))?;
            line.split_whitespace()
                .find(|word| word.starts_with("http://"))
                .map(str::to_owned)
        });
        match (word("muster.server="), word("muster.token=")) {
            (Some(server), Some(token)) => Ok(Script {
                server,
                token,
                files: files.collect(),
            }),
            _ => Err(Stopped::NoKernel(text.lines().take(6).collect::<Vec<_>>().join(" / "))),
        }
    }

    async fn fetch_file(&self, url: &str) -> Result<(), Stopped> {
        let http_failed = |source| Stopped::Http {
            what: "boot file",
            source,
        };
        let request = if self.machine.whole_image {
            self.http.get(url)
        } else {
            self.http.head(url)
        };
        let mut response = request
            .send()
            .await
            .and_then(reqwest::Response::error_for_status)
            .map_err(http_failed)?;
        while response.chunk().await.map_err(http_failed)?.is_some() {}
        Ok(())
    }

    fn facts(&self, nic: u8) -> Facts {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |elapsed| elapsed.as_secs());
        let mut facts = hardware::facts(self.machine.seed, self.machine.index, self.machine.firmware, now);
        if self.machine.fault == Fault::JunkIdentity {
            hardware::forget_identity(&mut facts);
        }
        if nic != 0
            && let Some(first) = facts.nics.first_mut()
        {
            first.mac = Some(hardware::mac(self.machine.index, nic));
        }
        facts
    }

    /// A line of the boot transcript, as the collection image sends it.
    async fn tell(&self, script: &Script, stage: &str, message: &str) -> Result<(), Stopped> {
        let answer = self
            .http
            .post(format!("{}/boot/progress", script.server))
            .bearer_auth(&script.token)
            .json(&serde_json::json!({ "stage": stage, "message": message }))
            .send()
            .await
            .map_err(|source| Stopped::Http {
                what: "progress",
                source,
            })?;
        admitted("progress", answer).await.map(drop)
    }

    async fn report(&self, script: &Script, nic: u8) -> Result<String, Stopped> {
        let facts = self.facts(nic);
        let url = format!("{}/boot/facts", script.server);
        if self.machine.fault == Fault::BadReports {
            let bad = [
                (
                    script.token.as_str(),
                    r#"{"version":1,"memory":{"total_bytes":"much"}}"#.to_owned(),
                ),
                ("a-guessed-token", "{}".to_owned()),
                (script.token.as_str(), " ".repeat(5 << 20)),
            ];
            // Over connections of its own: the server closes the one by which it gets a body that is too large,
            // which is an answer too.
            let own = Some(self.own_address()).filter(|address| !address.is_unspecified());
            let http = http_client(own.map(Into::into)).map_err(|source| Stopped::Http { what: "client", source })?;
            for (token, body) in bad {
                if let Ok(answer) = http.post(&url).bearer_auth(token).body(body).send().await
                    && answer.status().is_success()
                {
                    return Err(Stopped::Refused {
                        what: "a bad report",
                        status: answer.status().as_u16(),
                        text: "it should have been refused".to_owned(),
                    });
                }
            }
        }
        let send = || self.http.post(&url).bearer_auth(&script.token).json(&facts).send();
        let mut attempts = 0;
        let answer = loop {
            let answer = send().await.map_err(|source| Stopped::Http { what: "facts", source })?;
            attempts += 1;
            // As the agent does: a server without room says when to come again.
            match retry_after(&answer).filter(|_| attempts < MOST_REPORTS) {
                Some(pause) => sleep(pause).await,
                None => break admitted("facts", answer).await?,
            }
        };
        let accepted: Accepted = answer.json().await.map_err(|source| Stopped::Http {
            what: "answer to facts",
            source,
        })?;
        Ok(accepted.host)
    }
}

/// When a server without room wants to be asked again.
fn retry_after(answer: &reqwest::Response) -> Option<Duration> {
    let seconds = (answer.status() == reqwest::StatusCode::SERVICE_UNAVAILABLE)
        .then(|| {
            answer
                .headers()
                .get(reqwest::header::RETRY_AFTER)?
                .to_str()
                .ok()?
                .parse()
                .ok()
        })
        .flatten()?;
    Some(Duration::from_secs(seconds))
}

/// The answer when it is a success, its status and words otherwise.
async fn admitted(what: &'static str, answer: reqwest::Response) -> Result<reqwest::Response, Stopped> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let text = answer.text().await.unwrap_or_default();
    Err(Stopped::Refused {
        what,
        status: status.as_u16(),
        text: text.chars().take(300).collect(),
    })
}
