//! `muster serve`: start, supervise, drain.

use std::{
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use axum::Router;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    task::{JoinError, JoinSet},
};
use tokio_util::sync::CancellationToken;

use super::{AppError, housekeeping::run_housekeeping, ledger, listen, open_files, plain};
use crate::{
    auth::{Auth, Secret},
    config::{Settings, Sourced},
    discovery::{ArrivalPort, Discovery},
    http::{
        HttpBounds, PageSetup, PageState,
        agent::agent_router,
        boot::{BootBounds, boot_router, install_router, tree_router},
        page_router, serve_http,
    },
    net::{
        dhcp::{DhcpListener, DhcpPorts, run_dhcp},
        syslog::run_syslog,
        tftp::{TftpBounds, run_tftp},
    },
    provision::{
        Loaders,
        agents::Agents,
        answers::Answers,
        install::Installs,
        metrics::Metrics,
        rules::{RuleGiver, Rules},
        trees::Trees,
    },
    render::answer::Library,
    store::Store,
};

/// Sets the set-up token, for tests and laboratories. It is no setting: it is a secret of one start.
const SETUP_TOKEN: &str = "MUSTER_SETUP_TOKEN";

/// How long requests that are being answered may take once we stop.
const DRAIN: Duration = Duration::from_secs(3);

/// How often installations are looked at that nothing is heard of.
const LOOK_AFTER_INSTALLS: Duration = Duration::from_secs(60);

/// How often it is looked whether a command wants something of an installation.
const LOOK_AFTER_WISHES: Duration = Duration::from_secs(1);

/// How often what was measured is laid into blocks and rolled up.
const KEEP_METRICS: Duration = Duration::from_secs(300);

/// How often it is looked whether somebody wants rules to be applied to all hosts.
const LOOK_AFTER_RULES: Duration = Duration::from_secs(5);

type Fault = Box<dyn std::error::Error + Send + Sync>;

/// How a part ended: its name, and why when it failed.
type Ending = (&'static str, Result<(), Fault>);

/// Runs until SIGTERM or SIGINT, or until a part fails.
///
/// # Errors
/// When something needed cannot be started, or a part that should run until the end ends.
pub async fn serve(settings: &Settings) -> Result<(), AppError> {
    let interrupt = signal(SignalKind::interrupt()).map_err(AppError::Signals)?;
    let terminate = signal(SignalKind::terminate()).map_err(AppError::Signals)?;

    let open_files = open_files::raise(plain::open_files(settings));
    let (store, applied) = ledger::open_migrated(settings).await?;
    for change in &applied {
        tracing::info!(change, "the schema was brought up to date");
    }
    let auth = Auth::new(store.clone());
    let setup = auth
        .open_setup(std::env::var(SETUP_TOKEN).ok().filter(|token| !token.is_empty()))
        .await
        .map_err(AppError::Setup)?;
    let discovery = Discovery::start(&store, plain::discovery(settings), ledger::clock())
        .await
        .map_err(AppError::View)?;

    let library = Arc::new(Library::open(&settings.templates.dir.value).map_err(AppError::Templates)?);
    for skipped in library.skipped() {
        tracing::warn!(path = %skipped.path.display(), why = skipped.why, "a template of the site is not used");
    }
    let catalog = plain::catalog(settings, store.clone());
    let answers = Answers::new(store.clone(), catalog.clone(), library);
    let installs = Installs::open(
        &discovery,
        Arc::new(answers.clone()),
        settings.syslog.enabled.value.then_some(settings.syslog.port.value.0),
    )
    .await
    .map_err(AppError::View)?;

    let giver = RuleGiver::open(&discovery, Rules::new(store.clone()), Some(installs.clone()));
    let mut loaders = Loaders::new(catalog, discovery.clone());
    loaders.look().await.map_err(AppError::View)?;

    let mut parts = Parts::default();
    parts.start_dhcp(settings, &discovery)?;
    parts.start_tftp(settings, &discovery)?;
    let bounds = plain::http_bounds(settings, open_files);
    let page = parts
        .start_http(settings, &discovery, &installs, answers, auth, &bounds)
        .await?;
    parts.spawn("housekeeping", {
        let kept = run_housekeeping(store.clone(), parts.stop.clone());
        async move {
            kept.await;
            Ok(())
        }
    });

    parts.spawn("the writer of the ledger", {
        let (writer, stop) = (store.writer(), parts.stop.clone());
        async move {
            tokio::select! {
                () = stop.cancelled() => Ok(()),
                () = writer.ended() => Err("it writes no more".into()),
            }
        }
    });
    parts.spawn("the look after boots that went quiet", {
        let kept = discovery.keep(parts.stop.clone());
        async move {
            kept.await;
            Ok(())
        }
    });

    parts.spawn("the look after the loaders of hosts", {
        let kept = loaders.follow(parts.stop.clone());
        async move {
            kept.await;
            Ok(())
        }
    });

    parts.start_syslog(settings, &installs).await?;
    parts.spawn("the look after installations", {
        let (installs, stop) = (installs.clone(), parts.stop.clone());
        async move {
            let mut due = tokio::time::interval(LOOK_AFTER_INSTALLS);
            due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while stop.run_until_cancelled(due.tick()).await.is_some() {
                installs.look().await;
            }
            Ok(())
        }
    });

    parts.spawn("the look after what commands want of installations", {
        let stop = parts.stop.clone();
        async move {
            let mut due = tokio::time::interval(LOOK_AFTER_WISHES);
            due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while stop.run_until_cancelled(due.tick()).await.is_some() {
                // What was taken is done, also when the server stops.
                installs.grant_wishes().await;
            }
            Ok(())
        }
    });

    parts.spawn("the look after rules", {
        let stop = parts.stop.clone();
        async move {
            let mut due = tokio::time::interval(LOOK_AFTER_RULES);
            due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while stop.run_until_cancelled(due.tick()).await.is_some() {
                // What was being given when the server stops is done whole or not at all, one host at a time.
                if stop.run_until_cancelled(Box::pin(giver.look())).await.is_none() {
                    break;
                }
            }
            Ok(())
        }
    });

    parts.spawn("the keeping of measurements", {
        let (metrics, stop) = (Metrics::new(store.clone()), parts.stop.clone());
        async move {
            let mut due = tokio::time::interval(KEEP_METRICS);
            due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            while stop.run_until_cancelled(due.tick()).await.is_some() {
                // Each piece is committed whole or not at all.
                match stop.run_until_cancelled(Box::pin(metrics.keep(ledger::now()))).await {
                    Some(Ok(kept)) => {
                        tracing::debug!(laid = kept.laid, deleted = kept.deleted, "measurements are kept")
                    }
                    Some(Err(error)) => {
                        tracing::warn!(%error, "measurements could not be kept in order; the next try is soon")
                    }
                    None => break,
                }
            }
            Ok(())
        }
    });

    announce(setup.as_ref(), page);
    let ended = parts.run(interrupt, terminate).await;
    close(store).await;
    ended
}

/// What runs until the end. When one of them ends, all do.
#[derive(Default)]
struct Parts {
    stop: CancellationToken,
    tasks: JoinSet<Ending>,
}

impl Parts {
    fn spawn<F>(&mut self, name: &'static str, part: F)
    where
        F: Future<Output = Result<(), Fault>> + Send + 'static,
    {
        self.tasks.spawn(async move { (name, part.await) });
    }

    fn start_dhcp(&mut self, settings: &Settings, discovery: &Discovery) -> Result<(), AppError> {
        let dhcp = &settings.dhcp;
        if !dhcp.enabled.value {
            return Ok(());
        }
        let ports = DhcpPorts {
            server: dhcp.port.value.0,
            client: dhcp.client_port.value.0,
            proxy: dhcp.proxy_port.value.0,
        };
        let mut listeners = vec![
            (
                "the DHCP listener",
                ArrivalPort::Dhcp,
                listen::dhcp("dhcp.port", &dhcp.port)?,
            ),
            (
                "the PXE boot server's listener",
                ArrivalPort::Proxy,
                listen::dhcp("dhcp.proxy_port", &dhcp.proxy_port)?,
            ),
        ];
        // Only to hear other servers: this machine's own DHCP client may have it, and that is as well.
        match DhcpListener::overhear(ports.client) {
            Ok(listener) => listeners.push(("the listener to other servers", ArrivalPort::Client, listener)),
            Err(error) => tracing::info!(
                port = ports.client,
                %error,
                "other DHCP servers are recognised by what clients say of them only"
            ),
        }
        for (name, kind, listener) in listeners {
            tracing::info!(port = listener.port(), ?kind, "DHCP is listened to");
            let answered = run_dhcp(
                listener,
                kind,
                ports,
                dhcp.interfaces.value.clone(),
                discovery.clone(),
                self.stop.clone(),
            );
            self.spawn(name, async { answered.await.map_err(Into::into) });
        }
        Ok(())
    }

    fn start_tftp(&mut self, settings: &Settings, discovery: &Discovery) -> Result<(), AppError> {
        if !settings.tftp.enabled.value {
            return Ok(());
        }
        let listener = listen::tftp(&settings.tftp.port)?;
        tracing::info!(address = %listener.local_addr(), "TFTP is served");
        let served = run_tftp(
            listener,
            Arc::new(discovery.clone()),
            TftpBounds::default(),
            self.stop.clone(),
        );
        self.spawn("the TFTP listener", async { served.await.map_err(Into::into) });
        Ok(())
    }

    async fn start_syslog(&mut self, settings: &Settings, installs: &Installs) -> Result<(), AppError> {
        if !settings.syslog.enabled.value {
            return Ok(());
        }
        let (udp, tcp) = listen::syslog(&settings.syslog.port).await?;
        let taken = run_syslog(udp, tcp, installs.clone(), self.stop.clone());
        self.spawn("the listener for installers' logs", async {
            taken.await.map_err(Into::into)
        });
        Ok(())
    }

    /// The page, its API and the boot routes, on one listener or on two. Gives the page's address.
    async fn start_http(
        &mut self,
        settings: &Settings,
        discovery: &Discovery,
        installs: &Installs,
        answers: Answers,
        auth: Auth,
        bounds: &HttpBounds,
    ) -> Result<SocketAddr, AppError> {
        let boot = boot_router(discovery.clone(), BootBounds::default())
            .merge(install_router(installs.clone()))
            .merge(agent_router(Agents::new(installs.clone())))
            .merge(tree_router(
                Trees::new(plain::tree_folders(settings), Some(answers.catalog().clone())),
                installs.clone(),
            ));
        let mut page = page_router(PageState::new(PageSetup {
            discovery: discovery.clone(),
            auth,
            installs: Some(installs.clone()),
            answers: Some(answers),
            https: settings.http.https.value,
            proxies: settings.http.proxies.value.clone(),
        }));
        match settings.boot.listen.value {
            Some(address) if address != settings.http.listen.value => {
                let origin = settings.boot.listen.origin.clone();
                let listener = listen::tcp("boot.listen", &Sourced { value: address, origin }).await?;
                tracing::info!(%address, "machines that boot are served");
                self.spawn_http("the listener for machines", listener, boot, bounds);
            }
            _ => page = page.merge(boot),
        }
        let listener = listen::tcp("http.listen", &settings.http.listen).await?;
        let address = listener.local_addr().unwrap_or(settings.http.listen.value);
        tracing::info!(%address, "the page and its API are served");
        self.spawn_http("the listener for the page", listener, page, bounds);
        Ok(address)
    }

    /// Serves HTTP until told to stop; then finishes the requests it has.
    fn spawn_http(&mut self, name: &'static str, listener: TcpListener, router: Router, bounds: &HttpBounds) {
        let served = serve_http(listener, router, bounds.clone(), self.stop.clone());
        self.spawn(name, async {
            served.await;
            Ok(())
        });
    }

    /// Waits for a signal or for a part that ends; then stops all and gives them time to finish.
    async fn run(mut self, mut interrupt: Signal, mut terminate: Signal) -> Result<(), AppError> {
        let ended = tokio::select! {
            _ = interrupt.recv() => None,
            _ = terminate.recv() => None,
            ended = self.tasks.join_next() => ended,
        };
        notify(sd_notify::NotifyState::Stopping);
        self.stop.cancel();
        let finished = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(DRAIN, finished).await.is_err() {
            tracing::warn!(
                seconds = DRAIN.as_secs(),
                "requests were still being answered and are cut off"
            );
            self.tasks.shutdown().await;
        }
        ended.map_or(Ok(()), |ended| Err(fault(ended)))
    }
}

fn fault(ended: Result<Ending, JoinError>) -> AppError {
    match ended {
        Ok((part, result)) => AppError::Ended {
            part,
            source: result.err(),
        },
        Err(join) => AppError::Ended {
            part: "a part of the server",
            source: Some(join.into()),
        },
    }
}

/// Writes what was handed in and closes the ledger.
async fn close(store: Store) {
    match tokio::time::timeout(DRAIN, store.close()).await {
        Ok(Ok(())) => tracing::info!("stopped"),
        Ok(Err(error)) => tracing::error!(%error, "the last writes could not be made"),
        Err(_) => tracing::error!(
            seconds = DRAIN.as_secs(),
            "the last writes took too long and may be lost"
        ),
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
    notify(sd_notify::NotifyState::Ready);
}

fn notify(state: sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd could not be told of the start or the end");
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
