//! The server's ledger as its API shows it: hosts, their facts, and the story of their boots.

use std::collections::BTreeMap;

use muster_facts::Facts;
use serde_json::Value;

use crate::{LabError, compare, hardware::Hardware, http::Client, site::Site};

/// A host that has reported.
#[derive(Debug, Clone, PartialEq)]
pub struct HostReport {
    /// The ledger's id of the host.
    pub id: String,
    /// What it said of itself.
    pub facts: Facts,
}

/// One line of a boot's story.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// What happened, for example `dhcp_discover`.
    pub kind: String,
    /// `info`, `warn` or `fail`.
    pub level: String,
    /// The rule that decided, where something was decided.
    pub rule: Option<String>,
    /// Values: address, file, bytes, ….
    pub params: BTreeMap<String, String>,
    /// The same as a sentence.
    pub words: String,
}

impl Event {
    fn read(value: &Value) -> Self {
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        let params = value["params"].as_object().into_iter().flatten();
        let params = params.map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            (name.clone(), value)
        });
        Self {
            kind: text("kind").unwrap_or_default(),
            level: text("level").unwrap_or_default(),
            rule: text("rule"),
            params: params.collect(),
            words: text("words").unwrap_or_default(),
        }
    }

    /// A value, or an empty text.
    pub fn param(&self, name: &str) -> &str {
        self.params.get(name).map_or("", String::as_str)
    }
}

impl std::fmt::Display for Event {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{:<16} {}", self.kind, self.words)?;
        if self.level != "info" {
            write!(formatter, " [{}]", self.level)?;
        }
        Ok(())
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The API of a site's server, signed in.
#[derive(Debug)]
pub struct Ledger<'a> {
    client: Client<'a>,
}

impl<'a> Ledger<'a> {
    /// Makes the first account with the set-up token, and stays signed in as it.
    ///
    /// # Errors
    /// When the server refuses the token, the name or the password.
    pub fn set_up(site: &'a Site, token: &str, name: &str, password: &str) -> Result<Self, LabError> {
        let client = site.client();
        let form = format!("token={token}&name={name}&password={password}");
        let answer = client.send("POST", "/setup", "application/x-www-form-urlencoded", form.as_bytes())?;
        let cookie = answer.header("set-cookie").and_then(|cookie| cookie.split(';').next());
        match cookie {
            Some(cookie) if (300..400).contains(&answer.status) => {
                let client = site.client().with_header("Cookie", cookie);
                Ok(Self { client })
            }
            _ => Err(answer.unexpected("POST /setup")),
        }
    }

    /// The client that is signed in.
    pub fn client(&self) -> &Client<'a> {
        &self.client
    }

    /// The host with this hardware, once it has reported.
    ///
    /// # Errors
    /// When the API does not answer as expected.
    pub fn report_of(&self, hardware: &Hardware) -> Result<Option<HostReport>, LabError> {
        let Some(nic) = hardware.nics.first() else {
            return Ok(None);
        };
        let found = self.client.get_json(&format!("/api/v1/hosts?q={}", nic.mac))?;
        for host in list(&found["hosts"]) {
            let Some(id) = host["id"].as_str() else { continue };
            let sets = self.client.get_json(&format!("/api/v1/hosts/{id}/facts"))?;
            let reported = list(&sets).iter().filter(|set| set["source"] == "netboot");
            let facts = reported.filter_map(|set| serde_json::from_value::<Facts>(set["facts"].clone()).ok());
            if let Some(facts) = facts.into_iter().find(|facts| compare::is_of(facts, hardware)) {
                return Ok(Some(HostReport {
                    id: id.to_owned(),
                    facts,
                }));
            }
        }
        Ok(None)
    }

    /// What the server has seen of a card so far, oldest first.
    ///
    /// # Errors
    /// When the API does not answer as expected.
    pub fn story(&self, mac: &str) -> Result<Vec<Event>, LabError> {
        let answer = self.client.get_json(&format!("/api/v1/events?mac={mac}&limit=500"))?;
        // The API gives the newest first.
        Ok(list(&answer).iter().rev().map(Event::read).collect())
    }
}
