//! `muster serve`: start, supervise, drain.

use std::{
    io::{self, Write},
    time::Duration,
};

use axum::Router;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;

use super::{AppError, ledger, listen};
use crate::config::{Settings, Sourced};

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

    let page = listen::tcp("http.listen", &settings.http.listen).await?;
    tracing::info!(address = %settings.http.listen.value, "the page and its API listen");
    parts.spawn(http("http.listen", page, Router::new(), stop.clone()));
    if let Some(address) = settings.boot.listen.value {
        let origin = settings.boot.listen.origin.clone();
        let boot = listen::tcp("boot.listen", &Sourced { value: address, origin }).await?;
        tracing::info!(%address, "machines that boot are listened to");
        parts.spawn(http("boot.listen", boot, Router::new(), stop.clone()));
    }

    announce();
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

/// Says that every listener is bound: a line on standard output, and systemd's notification.
fn announce() {
    let mut out = io::stdout().lock();
    if let Err(error) = writeln!(out, "ready").and_then(|()| out.flush()) {
        tracing::debug!(%error, "nobody reads the standard output");
    }
    if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        tracing::warn!(%error, "systemd could not be told that the start is done");
    }
}

/// Serves HTTP until told to stop; then finishes the requests it has.
async fn http(part: &'static str, listener: TcpListener, router: Router, stop: CancellationToken) -> Ending {
    let served = axum::serve(
        listener,
        router.into_make_service_with_connect_info::<std::net::SocketAddr>(),
    )
    .with_graceful_shutdown(stop.cancelled_owned())
    .await;
    (part, served.map_err(Into::into))
}
