//! What the kernel command line tells Anaconda, as far as the stand-in heeds it.

use muster_facts::MacAddr;

/// The options of this boot.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// `inst.ks=`: where the kickstart is.
    pub(crate) kickstart: Option<String>,
    /// `inst.ks.sendmac`: every interface's address goes into the request for it.
    pub(crate) send_mac: bool,
    /// `inst.ks.sendsn`: so does the system's serial number.
    pub(crate) send_serial: bool,
    /// `inst.repo=`: the installation tree.
    pub(crate) tree: Option<String>,
    /// `inst.syslog=`: host and port the log is sent to.
    pub(crate) syslog: Option<String>,
    /// `BOOTIF=`: the interface the firmware booted from.
    pub(crate) boot_interface: Option<MacAddr>,
    /// `stand-in.copy=`: the serial port that the kickstart is written to as it was fetched. Not Anaconda's.
    pub(crate) copy: Option<String>,
}

impl Options {
    /// Reads `/proc/cmdline`. Of an option given twice the last one counts.
    pub(crate) fn parse(line: &str) -> Self {
        let mut options = Self::default();
        for word in line.split_whitespace() {
            let (name, value) = word.split_once('=').unwrap_or((word, ""));
            let text = || Some(value.to_owned()).filter(|value| !value.is_empty());
            // As dracut reads a switch: named alone it is on, and `0`, `no` and `off` put it off.
            let on = !matches!(value, "0" | "no" | "off");
            match name {
                "inst.ks" => options.kickstart = text(),
                "inst.ks.sendmac" => options.send_mac = on,
                "inst.ks.sendsn" => options.send_serial = on,
                "inst.repo" => options.tree = text(),
                "inst.syslog" => options.syslog = text(),
                "BOOTIF" => options.boot_interface = value.split_once('-').and_then(|(_, mac)| mac.parse().ok()),
                // A name in /dev, and no path.
                "stand-in.copy" => options.copy = text().filter(|name| !name.contains('/')),
                _ => {}
            }
        }
        options
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_muster_writes_is_read() {
        let options = Options::parse(
            "inst.ks.sendmac inst.ks=http://10.77.0.1:8081/boot/answer/T inst.repo=http://10.77.0.1:8081/boot/tree/rocky \
             inst.syslog=10.77.0.1:514 ip=dhcp BOOTIF=01-52-54-00-70-00-01 console=ttyS0 inst.ks.sendsn=0 stand-in.copy=ttyS1",
        );
        assert_eq!(
            options.kickstart.as_deref(),
            Some("http://10.77.0.1:8081/boot/answer/T")
        );
        assert_eq!(options.tree.as_deref(), Some("http://10.77.0.1:8081/boot/tree/rocky"));
        assert_eq!(options.syslog.as_deref(), Some("10.77.0.1:514"));
        assert_eq!(options.boot_interface, "52:54:00:70:00:01".parse().ok());
        assert!(options.send_mac && !options.send_serial);
        assert_eq!(options.copy.as_deref(), Some("ttyS1"));
        assert_eq!(Options::parse("stand-in.copy=../etc/x").copy, None);
    }
}
