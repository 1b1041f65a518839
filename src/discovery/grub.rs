//! What GRUB asks for below its folder: a configuration, under several names until it gets one, and modules, which a
//! signed GRUB has built in and goes on without. There is no such folder: the configuration is computed.

use muster_facts::MacAddr;

use super::{BootFile, Discovery, FileFault};
use crate::render::render_grub_start;

/// The folder that Debian's signed GRUB has its files in, seen from where it was loaded.
const FOLDER: &str = "grub/";
/// The name of the configuration, of which GRUB first asks for longer ones: `-01-MAC`, `-ADDRESS`.
const CONFIGURATION: &str = "grub.cfg";

/// What a name below GRUB's folder is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum GrubAsks {
    /// The configuration; the name may say for which interface.
    Configuration(Option<MacAddr>),
    /// Anything else, by its whole name.
    Part(String),
}

/// Reads a name as it was asked for; `None` when it is not below GRUB's folder.
pub(super) fn grub_asks(name: &str) -> Option<GrubAsks> {
    let below = name.trim_start_matches('/').strip_prefix(FOLDER)?;
    let Some(end) = below.strip_prefix(CONFIGURATION) else {
        return Some(GrubAsks::Part(name.chars().take(128).collect()));
    };
    // 01 is Ethernet, as in BOOTIF.
    let mac = end
        .strip_prefix("-01-")
        .and_then(|mac| mac.replace('-', ":").parse().ok());
    Some(GrubAsks::Configuration(mac))
}

impl Discovery {
    /// `http://address:port` by which a GRUB reaches us: in `Host` it leaves the port out.
    pub(super) fn base_for_grub(&self, asked_host: &str) -> String {
        match asked_host.parse() {
            Ok(address) => self.boot_base(address),
            Err(_) => self.base_for(asked_host),
        }
    }

    /// A file below GRUB's folder. `mac` is the machine that asks, as far as its address tells; `base` is
    /// `http://address:port` by which it reaches us.
    ///
    /// # Errors
    /// When it is not the configuration, or nobody knows which machine asks.
    pub(super) fn grub_file(
        &self,
        asked: &GrubAsks,
        mac: Option<MacAddr>,
        base: impl FnOnce() -> String,
    ) -> Result<BootFile, FileFault> {
        let missing = |name: &str| FileFault::Missing { path: name.into() };
        let mac = match asked {
            GrubAsks::Configuration(named) => named.or(mac),
            GrubAsks::Part(name) => return Err(missing(name)),
        };
        // GRUB asks again by a name that says more.
        let mac = mac.ok_or_else(|| missing(CONFIGURATION))?;
        let script = format!("{}/boot/grub/script?mac={mac}", base());
        match render_grub_start(&script) {
            Ok(text) => Ok(BootFile::computed(text)),
            Err(error) => {
                tracing::error!(%error, "GRUB's first configuration cannot be made");
                Err(missing(CONFIGURATION))
            }
        }
    }

    /// A file below GRUB's folder, for a GRUB that was loaded by HTTP. `name` begins with the folder's name.
    ///
    /// # Errors
    /// As for TFTP.
    pub fn grub_http_file(
        &self,
        client: std::net::IpAddr,
        name: &str,
        asked_host: &str,
    ) -> Result<BootFile, FileFault> {
        let asked = grub_asks(name).ok_or_else(|| FileFault::BadName(name.chars().take(128).collect()))?;
        let given = self.grub_file(&asked, self.mac_of_address(client), || self.base_for_grub(asked_host));
        match &given {
            Ok(file) => self.http_file_served(client, name, file.bytes.len() as u64),
            Err(fault) => self.http_file_refused(client, name, fault),
        }
        given
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_for_whom() {
        let mac = MacAddr([0x52, 0x54, 0, 0x77, 0, 1]);
        for (name, asked) in [
            (
                "/grub/grub.cfg-01-52-54-00-77-00-01",
                Some(GrubAsks::Configuration(Some(mac))),
            ),
            ("grub/grub.cfg-0A4D0064", Some(GrubAsks::Configuration(None))),
            ("grub/grub.cfg", Some(GrubAsks::Configuration(None))),
            (
                "grub/x86_64-efi/command.lst",
                Some(GrubAsks::Part("grub/x86_64-efi/command.lst".into())),
            ),
            ("grubx64.efi", None),
            ("snponly.efi", None),
        ] {
            assert_eq!(grub_asks(name), asked, "{name}");
        }
    }
}
