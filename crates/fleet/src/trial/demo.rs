//! A server to look at, while a fleet with its troubles comes up.

use std::{net::SocketAddr, path::Path};

use super::{Ledger, Server, Site, SitePlan, TrialError, ledger::ACCOUNT, load::LoadPlan};
use crate::{Fleet, Outcome, Summary, hardware};

/// A running demonstration.
#[derive(Debug)]
pub struct Demo {
    site: Site,
    server: Server,
    password: String,
}

impl Demo {
    /// Starts the server and makes the account that one signs in with.
    ///
    /// # Errors
    /// When the server does not start; most often because the page's port is taken.
    pub async fn start(binary: &Path, page: SocketAddr, log: String, password: String) -> Result<Self, TrialError> {
        let site = Site::create(&SitePlan {
            page: Some(page),
            without_arm64_loader: true,
            refuse: vec![format!("{}:*", prefix(hardware::mac(REFUSED, 0)))],
            log,
            ..SitePlan::default()
        })?;
        let server = Server::start(binary, &site).await?;
        Ledger::set_up(&site, &password).await?;
        Ok(Self { site, server, password })
    }

    /// Where the page is.
    #[must_use]
    pub const fn page(&self) -> SocketAddr {
        self.site.page()
    }

    /// Name and password to sign in with.
    #[must_use]
    pub fn account(&self) -> (&str, &str) {
        (ACCOUNT, &self.password)
    }

    /// Powers the fleet on; `seen` hears each outcome as it comes.
    ///
    /// # Errors
    /// When the fleet cannot run at all.
    pub async fn power_on(&self, plan: &LoadPlan, seen: impl FnMut(&Outcome)) -> Result<Summary, TrialError> {
        Ok(Fleet::new(plan.fleet(&self.site))?.run(seen).await)
    }

    /// Ends the server in order.
    ///
    /// # Errors
    /// When it does not end well.
    pub async fn finish(self) -> Result<(), TrialError> {
        self.server.finish().await
    }
}

/// The machine that the demonstration's policy refuses.
const REFUSED: u32 = 13;

/// An address without its last byte, which is the port's number.
fn prefix(mac: muster_facts::MacAddr) -> String {
    let text = mac.to_string();
    text.rsplit_once(':')
        .map_or_else(String::new, |(prefix, _)| prefix.to_owned())
}
