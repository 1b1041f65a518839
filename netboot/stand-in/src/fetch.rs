//! Files by HTTP, and the headers that Anaconda's initramfs sends with its request for the kickstart.

use std::{fs, path::Path, time::Duration};

use crate::{buildstamp::Buildstamp, options::Options};

/// The longest file, bytes.
const LONGEST: u64 = 1024 * 1024;
/// How long one file may take.
const LIMIT: Duration = Duration::from_secs(60);

/// Why a file was not had.
#[derive(Debug, thiserror::Error)]
#[error("{what} cannot be fetched: {why}")]
pub(crate) struct FetchFault {
    /// Its address, without the part that may be a token.
    what: String,
    /// What the server or the network said.
    why: String,
}

/// A header's name and value.
pub(crate) type Header = (String, String);

/// The headers for this machine: architecture and product always, addresses and serial where the options ask.
pub(crate) fn headers(options: &Options, buildstamp: &Buildstamp, sysfs: &Path) -> Vec<Header> {
    let mut headers = vec![
        ("X-Anaconda-Architecture".to_owned(), std::env::consts::ARCH.to_owned()),
        ("X-Anaconda-System-Release".to_owned(), buildstamp.product.clone()),
    ];
    if options.send_mac {
        for (number, (name, mac)) in addresses(sysfs).into_iter().enumerate() {
            headers.push((format!("X-RHN-Provisioning-MAC-{number}"), format!("{name} {mac}")));
        }
    }
    if options.send_serial {
        let serial = fs::read_to_string(sysfs.join("class/dmi/id/product_serial")).unwrap_or_default();
        if !serial.trim().is_empty() {
            headers.push(("X-System-Serial-Number".to_owned(), serial.trim().to_owned()));
        }
    }
    headers
}

/// Every interface but `lo` with its address, sorted by name.
fn addresses(sysfs: &Path) -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = fs::read_dir(sysfs.join("class/net"))
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| {
            let name = entry.file_name().to_str()?.to_owned();
            let mac = fs::read_to_string(entry.path().join("address")).ok()?;
            let mac = mac.trim().to_owned();
            (name != "lo" && !mac.is_empty()).then_some((name, mac))
        })
        .collect();
    found.sort();
    found
}

/// A file's text.
pub(crate) fn text(url: &str, headers: &[Header]) -> Result<String, FetchFault> {
    let fault = |why: String| FetchFault {
        what: url.rsplit_once('/').map_or(url, |(folder, _)| folder).to_owned(),
        why,
    };
    let config = ureq::Agent::config_builder()
        .proxy(None)
        .timeout_global(Some(LIMIT))
        .user_agent(concat!("anaconda-stand-in/", env!("CARGO_PKG_VERSION")))
        .build();
    let mut request = ureq::Agent::new_with_config(config).get(url);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    let mut response = request.call().map_err(|error| fault(error.to_string()))?;
    response
        .body_mut()
        .with_config()
        .limit(LONGEST)
        .read_to_string()
        .map_err(|error| fault(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_serial_are_sent_where_they_are_asked_for() {
        let stamp = Buildstamp::parse("[Main]\nProduct=Rocky Linux\nVersion=9.6\n");
        let plain = headers(&Options::parse(""), &stamp, Path::new("/nowhere"));
        assert_eq!(plain.len(), 2);
        assert_eq!(
            plain[1],
            ("X-Anaconda-System-Release".to_owned(), "Rocky Linux".to_owned())
        );
        let asked = headers(
            &Options::parse("inst.ks.sendmac inst.ks.sendsn"),
            &stamp,
            Path::new("/nowhere"),
        );
        assert_eq!(asked.len(), 2, "nothing is made up where the machine says nothing");
    }

    #[test]
    fn a_fault_does_not_tell_the_token() {
        let fault = text("http://127.0.0.1:1/boot/answer/TOKEN", &[]).unwrap_err();
        assert!(!fault.to_string().contains("TOKEN"), "{fault}");
    }
}
