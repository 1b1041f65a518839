//! Other servers on the machines' network: dnsmasq as the DHCP server that was there before.

use std::{fmt::Write as _, fs, net::Ipv4Addr, path::Path, time::Duration};

use crate::{Console, LabError, Namespace, Process};

/// How long dnsmasq may take to start.
const START_LIMIT: Duration = Duration::from_secs(10);

/// A DHCP server beside Muster.
#[derive(Debug, Clone)]
pub struct Peer {
    /// The interface it answers on.
    pub interface: String,
    /// First and last address it gives out.
    pub range: (Ipv4Addr, Ipv4Addr),
    /// The router it tells.
    pub router: Ipv4Addr,
    /// A boot file it names, for a server that has a boot service of its own.
    pub boot_file: Option<String>,
}

/// A running peer; it ends when this is dropped.
#[derive(Debug)]
pub struct RunningPeer {
    process: Process,
    _namespace: Namespace,
}

impl Peer {
    /// Starts dnsmasq in a namespace, which ends with it.
    ///
    /// # Errors
    /// When dnsmasq does not start; the error holds its last lines.
    pub fn start(&self, namespace: Namespace, folder: &Path, log: &Path) -> Result<RunningPeer, LabError> {
        let file = folder.join("dnsmasq.conf");
        fs::write(&file, self.text(folder)).map_err(LabError::io(format!("writing {}", file.display())))?;
        let arguments = [format!("--conf-file={}", file.display())];
        let process = Process::start("dnsmasq", &namespace, Path::new("dnsmasq"), &arguments, &[], log)?;
        process.console().wait_for("IP range", START_LIMIT)?;
        Ok(RunningPeer {
            process,
            _namespace: namespace,
        })
    }

    fn text(&self, folder: &Path) -> String {
        let (first, last) = self.range;
        let mut out = format!(
            "port=0\nno-daemon\nuser=root\nlog-dhcp\nno-ping\nbind-dynamic\ninterface={}\nexcept-interface=lo\n\
             dhcp-range={first},{last},1h\ndhcp-option=option:router,{}\ndhcp-leasefile={}/dnsmasq.leases\n",
            self.interface,
            self.router,
            folder.display()
        );
        if let Some(file) = &self.boot_file {
            let _ = writeln!(out, "dhcp-boot={file}");
        }
        out
    }
}

impl RunningPeer {
    /// What dnsmasq logs: each message with its options.
    pub fn console(&self) -> &Console {
        self.process.console()
    }
}
