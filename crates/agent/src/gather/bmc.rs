//! The board management controller: what firmware says of it, and what it says of itself by IPMI.

use std::fs::OpenOptions;
use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use muster_facts::{Bmc, MacAddr};

use super::smbios::Smbios;
use super::tree::{Tree, reason};
use crate::sys;

const DEVICE: &str = "dev/ipmi0";
/// Controllers answer within milliseconds, or are busy; IPMI 2.0 lets them take up to five seconds,
/// which no boot waits for.
const WAIT: Duration = Duration::from_millis(1500);

const NETFN_APP: u8 = 0x06;
const NETFN_TRANSPORT: u8 = 0x0c;
const GET_DEVICE_ID: u8 = 0x01;
const GET_LAN_PARAMETERS: u8 = 0x02;
const IP_ADDRESS: u8 = 3;
const MAC_ADDRESS: u8 = 5;
/// Channels that may be a LAN (IPMI 2.0 table 6-1 leaves 1 to Bh to the implementation); makers use
/// the first ones, 1 by far most often and 8 next.
const LAN_CHANNELS: [u8; 4] = [1, 2, 3, 8];

/// What firmware alone says.
pub(super) fn told_by_firmware(smbios: &Smbios) -> Option<Bmc> {
    smbios.bmc.as_ref().map(|controller| Bmc {
        ipmi_version: controller.ipmi_version.clone(),
        ..Bmc::default()
    })
}

pub(super) fn gather(tree: &Tree, smbios: &Smbios) -> Option<Bmc> {
    let told = told_by_firmware(smbios);
    if !tree.is_live() {
        return told;
    }
    if !tree.exists(DEVICE) {
        if told.is_some() {
            tree.note(
                "bmc.address",
                format!("/{DEVICE}: not there; the modules ipmi_si and ipmi_devintf are not loaded"),
            );
        }
        return told;
    }
    let device = match OpenOptions::new().read(true).write(true).open(format!("/{DEVICE}")) {
        Ok(device) => device,
        Err(error) => {
            tree.note("bmc", format!("/{DEVICE}: {}", reason(&error)));
            return Some(told.unwrap_or_default());
        }
    };
    let mut bmc = told.unwrap_or_default();
    let ask = |netfn, cmd, data: &[u8]| sys::ipmi(&device, netfn, cmd, data, WAIT);
    match ask(NETFN_APP, GET_DEVICE_ID, &[]) {
        Ok(answer) => {
            if let Some((firmware, version)) = device_id(&answer) {
                bmc.firmware = Some(firmware);
                bmc.ipmi_version = Some(version);
            }
        }
        Err(error) => {
            // One that does not answer its simplest request answers none.
            tree.note("bmc", format!("/{DEVICE}: {}", reason(&error)));
            return Some(bmc);
        }
    }
    for channel in LAN_CHANNELS {
        let parameter = |number| ask(NETFN_TRANSPORT, GET_LAN_PARAMETERS, &[channel, number, 0, 0]);
        match lan(parameter) {
            Ok(Some((address, mac))) => {
                bmc.address = address;
                bmc.mac = Some(mac);
                break;
            }
            Ok(None) => {}
            Err(error) => {
                tree.note("bmc.address", format!("/{DEVICE}: {}", reason(&error)));
                break;
            }
        }
    }
    Some(bmc)
}

/// Address and MAC of a channel; `None` when it is no LAN or has no MAC.
fn lan(parameter: impl Fn(u8) -> io::Result<Vec<u8>>) -> io::Result<Option<(Option<String>, MacAddr)>> {
    let Some(mac) = parameter_data::<6>(&parameter(MAC_ADDRESS)?)
        .map(MacAddr)
        .filter(|mac| !mac.is_unusable())
    else {
        return Ok(None);
    };
    let address = parameter_data::<4>(&parameter(IP_ADDRESS)?).map(Ipv4Addr::from);
    Ok(Some((
        address
            .filter(|address| !address.is_unspecified())
            .map(|address| address.to_string()),
        mac,
    )))
}

/// IPMI 2.0 23.2: completion code, parameter revision, data.
fn parameter_data<const N: usize>(answer: &[u8]) -> Option<[u8; N]> {
    match answer {
        [0, _, data @ ..] => data.get(..N)?.try_into().ok(),
        _ => None,
    }
}

/// IPMI 2.0 20.1: completion code, device id, device revision, firmware major (bits 6:0), firmware
/// minor (BCD), IPMI version (BCD, the major in the low digit). Firmware and IPMI version.
fn device_id(answer: &[u8]) -> Option<(String, String)> {
    let [0, _, _, major, minor, version, ..] = answer else {
        return None;
    };
    Some((
        format!("{}.{minor:02x}", major & 0x7f),
        format!("{}.{}", version & 0x0f, version >> 4),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_binary_coded_decimal() {
        let answer = [0, 0x20, 0x81, 0x03, 0x74, 0x02, 0xdf];
        assert_eq!(device_id(&answer), Some(("3.74".to_owned(), "2.0".to_owned())));
        assert_eq!(
            device_id(&[0, 0x20, 0x01, 0x81, 0x05, 0x51]),
            Some(("1.05".to_owned(), "1.5".to_owned()))
        );
        assert_eq!(device_id(&[0xc1]), None);
    }

    #[test]
    fn a_channel_without_lan_is_passed_over() {
        assert_eq!(lan(|_| Ok(vec![0xcc])).unwrap(), None);
        let found = lan(|number| {
            Ok(match number {
                MAC_ADDRESS => vec![0, 0x11, 0x3c, 0xec, 0xef, 1, 2, 3],
                _ => vec![0, 0x11, 10, 0, 0, 9],
            })
        });
        let (address, mac) = found.unwrap().unwrap();
        assert_eq!(address.as_deref(), Some("10.0.0.9"));
        assert_eq!(mac.to_string(), "3c:ec:ef:01:02:03");
    }
}
