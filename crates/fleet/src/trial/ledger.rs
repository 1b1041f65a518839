use std::net::SocketAddr;

use serde::Deserialize;
use serde_json::Value;

use super::{Site, TrialError};

/// Hosts asked for at once.
const PAGE: usize = 500;
/// The account that a trial makes.
pub(crate) const ACCOUNT: &str = "trial";

/// A host as the API lists it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct LedgerHost {
    /// Its id.
    pub id: String,
    /// The serial it reported.
    pub serial: Option<String>,
    /// Where it is in its life.
    pub state: String,
}

/// The API of a site's server, signed in.
#[derive(Debug)]
pub struct Ledger {
    http: reqwest::Client,
    page: SocketAddr,
    cookie: String,
}

impl Ledger {
    /// Makes the first account with the site's set-up token, and stays signed in as it.
    ///
    /// # Errors
    /// When the server cannot be reached or refuses.
    pub async fn set_up(site: &Site, password: &str) -> Result<Self, TrialError> {
        let request = "POST /setup";
        let failed = |source| TrialError::Http {
            request: request.to_owned(),
            source,
        };
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(std::time::Duration::from_secs(30))
            .build()
            .map_err(failed)?;
        let answer = http
            .post(format!("http://{}/setup", site.page()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(format!(
                "token={}&name={ACCOUNT}&password={password}",
                site.setup_token()
            ))
            .send()
            .await
            .map_err(failed)?;
        let cookie = answer
            .headers()
            .get("set-cookie")
            .and_then(|cookie| cookie.to_str().ok()?.split(';').next().map(str::to_owned));
        let status = answer.status();
        match cookie {
            Some(cookie) if status.is_redirection() || status.is_success() => Ok(Self {
                http,
                page: site.page(),
                cookie,
            }),
            _ => Err(TrialError::Answer {
                request: request.to_owned(),
                status: status.as_u16(),
                text: answer.text().await.unwrap_or_default().chars().take(300).collect(),
            }),
        }
    }

    /// Number of hosts in the ledger.
    ///
    /// # Errors
    /// When the API does not answer as expected.
    pub async fn host_count(&self) -> Result<u64, TrialError> {
        let answer = self.get("/api/v1/hosts?limit=1").await?;
        Ok(answer["total"].as_u64().unwrap_or_default())
    }

    /// Every host of the ledger.
    ///
    /// # Errors
    /// When the API does not answer as expected.
    pub async fn hosts(&self) -> Result<Vec<LedgerHost>, TrialError> {
        let mut hosts: Vec<LedgerHost> = Vec::new();
        loop {
            // By age, which does not change while pages are read.
            let path = format!("/api/v1/hosts?sort=created&limit={PAGE}&offset={}", hosts.len());
            let answer = self.get(&path).await?;
            let items: Vec<LedgerHost> =
                serde_json::from_value(answer["hosts"].clone()).map_err(|error| TrialError::Answer {
                    request: path.clone(),
                    status: 200,
                    text: format!("no list of hosts: {error}"),
                })?;
            let more = !items.is_empty();
            hosts.extend(items);
            let total = answer["total"].as_u64().unwrap_or_default();
            if !more || hosts.len() as u64 >= total {
                return Ok(hosts);
            }
        }
    }

    async fn get(&self, path: &str) -> Result<Value, TrialError> {
        let request = format!("GET {path}");
        let failed = |source| TrialError::Http {
            request: request.clone(),
            source,
        };
        let answer = self
            .http
            .get(format!("http://{}{path}", self.page))
            .header("cookie", &self.cookie)
            .send()
            .await
            .map_err(failed)?;
        let status = answer.status();
        let body = answer.bytes().await.map_err(failed)?;
        let unexpected = || TrialError::Answer {
            request: request.clone(),
            status: status.as_u16(),
            text: String::from_utf8_lossy(&body).chars().take(300).collect(),
        };
        if !status.is_success() {
            return Err(unexpected());
        }
        serde_json::from_slice(&body).map_err(|_| unexpected())
    }
}
