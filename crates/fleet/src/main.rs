//! `muster-fleet`: simulated machines against a running server, or against one of their own.

mod arguments;

use std::{
    io::{Write, stdout},
    process::ExitCode,
};

use arguments::{Arguments, Boot, Chaos, Command, Demo, Flood, Load};
use clap::Parser;
use muster_fleet::{
    Fleet, Outcome, Stage,
    trial::{chaos, demo, flood, load},
};
use rand::RngExt;

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()))
        .init();
    // Dropping what runs ends its server too.
    tokio::select! {
        good = run(Arguments::parse().command) => Ok(if good? { ExitCode::SUCCESS } else { ExitCode::FAILURE }),
        () = interrupted() => {
            eprintln!("interrupted");
            Ok(ExitCode::from(130))
        }
    }
}

/// Waits for SIGINT or SIGTERM.
async fn interrupted() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! { _ = interrupt.recv() => {}, _ = terminate.recv() => {} }
}

/// Runs one command; true when everything was as it should be.
async fn run(command: Command) -> anyhow::Result<bool> {
    match command {
        Command::Boot(arguments) => Box::pin(boot(arguments)).await,
        Command::Load(arguments) => Box::pin(load(arguments)).await,
        Command::Demo(arguments) => Box::pin(demo(arguments)).await,
        Command::Chaos(arguments) => Box::pin(chaos(arguments)).await,
        Command::Flood(arguments) => Box::pin(flood(arguments)).await,
    }
}

async fn boot(arguments: Boot) -> anyhow::Result<bool> {
    let fleet = Fleet::new(arguments.plan()?)?;
    let summary = fleet.run(counter(arguments.fleet.count)).await;
    println!("{summary}");
    Ok(summary.is_whole())
}

async fn load(arguments: Load) -> anyhow::Result<bool> {
    let plan = arguments.fleet.plan()?;
    let load = load::run(&arguments.muster, &arguments.site(), &plan, counter(plan.count)).await?;
    println!("{load}");
    Ok(load.is_good())
}

async fn demo(arguments: Demo) -> anyhow::Result<bool> {
    let password: String = rand::rng()
        .sample_iter(rand::distr::Alphanumeric)
        .take(16)
        .map(char::from)
        .collect();
    let demo = demo::Demo::start(&arguments.muster, arguments.page, arguments.log.clone(), password).await?;
    let (name, password) = demo.account();
    println!(
        "\n  page      http://{}/\n  sign in   name {name}, password {password}\n",
        demo.page()
    );
    let plan = arguments.fleet.plan()?;
    println!(
        "{} machines are powered on over {:.0} s; some of them have troubles, which their pages name",
        plan.count,
        plan.spread.as_secs_f64()
    );
    let summary = demo.power_on(&plan, tell).await?;
    println!("{summary}");
    if arguments.once {
        demo.finish().await?;
        return Ok(summary.reported > 0 && summary.split == 0 && summary.merged == 0);
    }
    println!("the page stays at http://{}/ until Ctrl-C", demo.page());
    interrupted().await;
    demo.finish().await?;
    Ok(true)
}

async fn chaos(arguments: Chaos) -> anyhow::Result<bool> {
    let rounds = arguments.rounds;
    let chaos = chaos::run(&arguments.muster, &arguments.plan()?, |round, told| {
        if round % 10 == 0 || rounds < 10 {
            println!("round {round} of {rounds}: {told}");
        }
    })
    .await?;
    println!("{chaos}");
    Ok(chaos.is_good())
}

async fn flood(arguments: Flood) -> anyhow::Result<bool> {
    let flood = flood::run(&arguments.muster, arguments.plan()).await?;
    println!("{flood}");
    Ok(flood.is_good())
}

/// Counts outcomes and says so at every hundredth.
fn counter(count: u32) -> impl FnMut(&Outcome) {
    let mut ended = 0;
    move |_| {
        ended += 1;
        if ended % 100 == 0 {
            eprintln!("{ended} boots ended, {count} machines");
        }
    }
}

/// A line per machine.
fn tell(outcome: &Outcome) {
    let what = match (&outcome.error, outcome.stage) {
        (_, Stage::Reported) => "reported its hardware".to_owned(),
        (error, stage) => format!("stopped at {stage:?}: {}", error.as_deref().unwrap_or("no reason")),
    };
    // Nobody may read any more: the demonstration goes on.
    let _ = writeln!(
        stdout(),
        "machine {:>4}  {}  {:5.1} s  {what}",
        outcome.index,
        outcome.mac,
        outcome.took.as_secs_f64()
    );
}
