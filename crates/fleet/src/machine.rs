use std::{
    net::{Ipv4Addr, SocketAddrV4},
    sync::Arc,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use muster_facts::{Facts, MacAddr};
use muster_wire::dhcp::{Architecture, Message, MessageType, Undi};
use serde::Deserialize;

use crate::{
    clients::{Relay, RelayError, RelayPort, TftpClientError, fetch},
    hardware,
    mix::Fault,
};

/// How a machine's firmware boots from the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Firmware {
    /// BIOS whose NIC has iPXE as its ROM, as in QEMU.
    BiosIpxe,
    /// BIOS with a PXE ROM: loads iPXE by TFTP.
    Bios,
    /// UEFI PXE on x64: loads iPXE by TFTP.
    Uefi,
    /// UEFI HTTP boot on x64: loads iPXE by HTTP.
    UefiHttp,
    /// UEFI PXE on arm64.
    Arm64,
}

impl Firmware {
    pub(crate) const NAMES: [(&'static str, Self); 5] = [
        ("ipxe", Self::BiosIpxe),
        ("bios", Self::Bios),
        ("uefi", Self::Uefi),
        ("uefi-http", Self::UefiHttp),
        ("arm64", Self::Arm64),
    ];

    /// True for UEFI.
    #[must_use]
    pub const fn is_uefi(self) -> bool {
        matches!(self, Self::Uefi | Self::UefiHttp | Self::Arm64)
    }

    /// What option 93 says before iPXE runs.
    const fn architecture(self) -> u16 {
        match self {
            Self::BiosIpxe | Self::Bios => 0,
            Self::Uefi => 7,
            Self::UefiHttp => 16,
            Self::Arm64 => 11,
        }
    }

    /// What option 93 says once iPXE runs.
    const fn ipxe_architecture(self) -> u16 {
        match self {
            Self::BiosIpxe | Self::Bios => 0,
            Self::Uefi | Self::UefiHttp => 7,
            Self::Arm64 => 11,
        }
    }
}

/// How far a machine came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Asks for an address.
    Firmware,
    /// Loads its loader.
    Loader,
    /// iPXE asks for an address.
    Ipxe,
    /// Asks for its script.
    Script,
    /// Loads kernel and initramfs.
    Image,
    /// The collection image asks for an address.
    Address,
    /// Sends its facts.
    Report,
    /// The facts are acknowledged.
    Reported,
}

/// How a machine's boot ended.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// Number of the machine.
    pub index: u32,
    /// How far it came.
    pub stage: Stage,
    /// From power-on to the end.
    pub took: Duration,
    /// The host the server named.
    pub host: Option<String>,
    /// The addresses it was given, in order.
    pub addresses: Vec<Ipv4Addr>,
    /// What went wrong.
    pub error: Option<String>,
}

/// Why a machine stopped.
#[derive(Debug, thiserror::Error)]
enum Stopped {
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
    #[error("facts were answered {status}: {text}")]
    Refused { status: u16, text: String },
}

/// One simulated machine.
#[derive(Debug)]
pub struct Machine {
    /// Its number: everything about it follows from this and the seed.
    pub index: u32,
    /// Seed of the fleet.
    pub seed: u64,
    /// How it boots.
    pub firmware: Firmware,
    /// What is wrong with it.
    pub fault: Fault,
    /// Fetch kernel and initramfs whole, or ask for their headers only (to spare loopback).
    pub whole_image: bool,
    /// TFTP port of the server.
    pub tftp_port: u16,
}

#[derive(Deserialize)]
struct Accepted {
    host: String,
}

struct Script {
    server: String,
    token: String,
    files: Vec<String>,
}

impl Machine {
    /// Boots once, from power-on to acknowledged facts. `nic` is the port's number: another one after a swap.
    pub async fn boot(&self, relay: &Arc<Relay>, http: &reqwest::Client, nic: u8) -> Outcome {
        let began = Instant::now();
        let mac = hardware::mac(self.index, nic);
        let mut boot = Boot {
            machine: self,
            mac,
            port: relay.plug(mac),
            http,
            stage: Stage::Firmware,
            addresses: Vec::new(),
            lose: u32::from(self.fault == Fault::Loses),
        };
        let result = boot.run(nic).await;
        Outcome {
            index: self.index,
            stage: boot.stage,
            took: began.elapsed(),
            addresses: boot.addresses,
            error: result.as_ref().err().map(ToString::to_string),
            host: result.ok(),
        }
    }
}

struct Boot<'a> {
    machine: &'a Machine,
    mac: MacAddr,
    port: RelayPort,
    http: &'a reqwest::Client,
    stage: Stage,
    addresses: Vec<Ipv4Addr>,
    lose: u32,
}

impl Boot<'_> {
    async fn run(&mut self, nic: u8) -> Result<String, Stopped> {
        let firmware = self.machine.firmware;
        if firmware != Firmware::BiosIpxe {
            let answer = self.lease(|message| self.machine.speak_firmware(message)).await?;
            self.stage = Stage::Loader;
            self.load(&answer).await?;
        }
        self.stage = Stage::Ipxe;
        let answer = self.lease(|message| self.machine.speak_ipxe(message)).await?;
        self.stage = Stage::Script;
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
        self.addresses.push(answer.yiaddr);
        Ok(answer)
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
        fetch(SocketAddrV4::new(server, self.machine.tftp_port), file).await?;
        Ok(())
    }

    /// iPXE's variables in the script's address.
    fn expand(&self, url: &str) -> String {
        let machine = self.machine;
        let facts = self.facts(0);
        let platform = if machine.firmware.is_uefi() { "efi" } else { "pcbios" };
        let values = [
            ("${net0/mac}", self.mac.to_string()),
            ("${netX/mac}", self.mac.to_string()),
            ("${mac}", self.mac.to_string()),
            ("${uuid}", facts.system.uuid.unwrap_or_default()),
            (
                "${buildarch}",
                if machine.firmware == Firmware::Arm64 {
                    "arm64"
                } else {
                    "x86_64"
                }
                .to_owned(),
            ),
            ("${platform}", platform.to_owned()),
            ("${serial}", facts.system.serial.unwrap_or_default()),
            ("${product}", facts.system.product.unwrap_or_default()),
            ("${manufacturer}", facts.system.vendor.unwrap_or_default()),
            ("${version}", "1.21.1".to_owned()),
        ];
        let mut url = url.to_owned();
        for (name, value) in values {
            url = url.replace(name, &value);
            url = url.replace(&name.replace('}', ":uristring}"), &value.replace(' ', "%20"));
        }
        // What this machine does not know is empty in iPXE.
        while let (Some(start), Some(end)) = (url.find("${"), url.find('}')) {
            if start < end {
                url.replace_range(start..=end, "");
            } else {
                break;
            }
        }
        url.replace(' ', "%20")
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
            for (token, body) in bad {
                // The server may close the connection on a body that is too large: that is an answer too.
                if let Ok(answer) = self.http.post(&url).bearer_auth(token).body(body).send().await
                    && answer.status().is_success()
                {
                    return Err(Stopped::Refused {
                        status: answer.status().as_u16(),
                        text: "a bad report was accepted".to_owned(),
                    });
                }
            }
        }
        let answer = self
            .http
            .post(&url)
            .bearer_auth(&script.token)
            .json(&facts)
            .send()
            .await
            .map_err(|source| Stopped::Http { what: "facts", source })?;
        let status = answer.status();
        if !status.is_success() {
            return Err(Stopped::Refused {
                status: status.as_u16(),
                text: answer.text().await.unwrap_or_default().chars().take(300).collect(),
            });
        }
        let accepted: Accepted = answer.json().await.map_err(|source| Stopped::Http {
            what: "answer to facts",
            source,
        })?;
        Ok(accepted.host)
    }
}

impl Machine {
    fn speak_firmware(&self, message: &mut Message) {
        let class = if self.firmware == Firmware::UefiHttp {
            "HTTPClient"
        } else {
            "PXEClient"
        };
        let arch = self.firmware.architecture();
        let undi = if self.firmware.is_uefi() { "003000" } else { "002001" };
        message.vendor_class = Some(format!("{class}:Arch:{arch:05}:UNDI:{undi}").into_bytes());
        message.architectures = vec![Architecture(arch)];
        message.undi = Some(Undi {
            kind: 1,
            major: if self.firmware.is_uefi() { 3 } else { 2 },
            minor: 0,
        });
        message.broadcast = self.firmware.is_uefi();
    }

    fn speak_ipxe(&self, message: &mut Message) {
        let arch = self.firmware.ipxe_architecture();
        message.vendor_class = Some(format!("PXEClient:Arch:{arch:05}:UNDI:003010").into_bytes());
        message.architectures = vec![Architecture(arch)];
        message.undi = Some(Undi {
            kind: 1,
            major: 3,
            minor: 10,
        });
        message.user_class = Some(b"iPXE".to_vec());
    }
}
