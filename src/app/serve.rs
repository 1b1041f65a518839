//! `muster serve`: start, supervise, drain.

use std::{
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use axum::Router;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{AppError, housekeeping::run_housekeeping, ledger, listen};
use crate::{
    auth::{Auth, Secret},
    config::{Settings, Sourced},
};

/// Sets the set-up token, for tests and laboratories. It is no setting: it is a secret of one start.
const SETUP_TOKEN: &str = "MUSTER_SETUP_TOKEN";

/// How long requests that are being answered may take once we stop.
const DRAIN: Duration = Duration::from_secs(3);

/// How a part ended: its name, and why when it failed.
type Ending = (&'static str, Result<(), Box<dyn std::error::Error + Send + Sync>>);

/// Runs until SIGTERM or SIGINT, or until a part fails.
///
/// # Errors
/// When something needed cannot be started, or a part that should run until the end ends.
pub async fn serve(settings: &Settings) -> Result<(), AppError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(AppError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(AppError::Signals)?;
    let stop = CancellationToken::new();
    let mut parts: JoinSet<Ending> = JoinSet::new();

    let (store, applied) = ledger::open_migrated(settings).await?;
    for change in &applied {
        tracing::info!(change, "the schema was brought up to date");
    }
    let auth = Auth::new(store.clone());
    let setup = auth
        .open_setup(std::env::var(SETUP_TOKEN).ok().filter(|token| !token.is_empty()))
        .await
        .map_err(AppError::Setup)?;

    let page = listen::tcp("http.listen", &settings.http.listen).await?;
    let page_address = page.local_addr().unwrap_or(settings.http.listen.value);
    tracing::info!(address = %page_address, "the page and its API listen");
    parts.spawn(http("http.listen", page, Router::new(), stop.clone()));
    if let Some(address) = settings.boot.listen.value {
        let origin = settings.boot.listen.origin.clone();
        let boot = listen::tcp("boot.listen", &Sourced { value: address, origin }).await?;
        tracing::info!(%address, "machines that boot are listened to");
        parts.spawn(http("boot.listen", boot, Router::new(), stop.clone()));
    }

    parts.spawn({
        let kept = run_housekeeping(store.clone(), stop.clone());
        async move {
            kept.await;
            ("housekeeping", Ok(()))
        }
    });

    announce(setup.as_ref(), page_address);
    let ended = tokio::select! {
        _ = interrupt.recv() => None,
        _ = terminate.recv() => None,
        ended = parts.join_next() => ended,
    };
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    stop.cancel();
    let drained = tokio::time::timeout(DRAIN, async { while parts.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(
            seconds = DRAIN.as_secs(),
            "requests were still being answered and are cut off"
        );
        parts.abort_all();
    }
    let closed = tokio::time::timeout(DRAIN, store.close()).await;
    match closed {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::error!(%error, "the last writes could not be made"),
        Err(_) => tracing::error!(
            seconds = DRAIN.as_secs(),
            "the last writes took too long and may be lost"
        ),
    }
    match ended {
        None => {
            tracing::info!("stopped");
            Ok(())
        }
        Some(Ok((part, result))) => Err(AppError::Ended {
            part,
            source: result.err(),
        }),
        Some(Err(join)) => Err(AppError::Ended {
            part: "a part of the server",
            source: Some(Box::new(join)),
        }),
    }
}

/// Says that every listener is bound: a line on standard output, and systemd's notification. Before it, while there is
/// no account, the token that makes the first one: it is printed here and nowhere else.
fn announce(setup: Option<&Secret>, page: SocketAddr) {
    let mut out = io::stdout().lock();
    let token = setup.map_or_else(String::new, |token| {
        format!("set-up token: {}  (open {}/setup)\n", token.reveal(), reachable(page))
    });
    if let Err(error) = writeln!(out, "{token}ready").and_then(|()| out.flush()) {
        tracing::debug!(%error, "nobody reads the standard output");
    }
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::warn!(%error, "systemd could not be told that the start is done");
    }
}

/// The page's URL as this machine reaches it.
fn reachable(listen: SocketAddr) -> String {
    let mut address = listen;
    if listen.ip().is_unspecified() {
        address.set_ip(match listen.ip() {
            IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    format!("http://{address}")
}

/// Serves HTTP until told to stop; then finishes the requests it has.
async fn http(part: &'static str, listener: TcpListener, router: Router, stop: CancellationToken) -> Ending {
    let served = axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>())
        .with_graceful_shutdown(stop.cancelled_owned())
        .await;
    (part, served.map_err(Into::into))
}
