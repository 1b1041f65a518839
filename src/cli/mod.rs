//! The command line: parse, print, exit codes. 0 is well, 1 a failure or a failing check, 2 wrong usage or settings.

mod agents;
mod check;
mod hosts;
mod installs;
mod inventory;
mod password;
mod render;
mod rules;
mod search;
mod settings;
mod snippet;
mod table;
mod template;
mod users;
mod wanted;

use std::{
    io::{self, Write},
    process::ExitCode,
    str::FromStr,
    time::Duration,
};

use clap::{
    Parser, Subcommand,
    builder::{PossibleValuesParser, TypedValueParser},
};

use crate::{
    app,
    auth::AuthError,
    config::{self, ConfigErrors},
    inventory::UnknownWord,
    provision::{
        CatalogFault,
        answers::{AnswersFault, EveryFault},
        import::ImportFault,
        inventories::InventoryFault,
        snippets::SnippetFault,
    },
    store::StoreError,
    telemetry,
};
use hosts::HostsArgs;
use settings::SettingsArgs;
use snippet::SnippetCommand;
use template::TemplateCommand;
use users::{TokenCommand, UserCommand};
use wanted::{DistroCommand, HostCommand, Objects, ProfileArgs, Wanted};

/// How long reads from the disk may still take when everything else has ended.
const LAST_READS: Duration = Duration::from_secs(1);

/// The CMDB that boots your servers.
#[derive(Debug, Parser)]
#[command(name = "muster", version, propagate_version = true, arg_required_else_help = true)]
struct Cli {
    #[command(flatten)]
    settings: SettingsArgs,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve DHCP, TFTP, machines and the page until told to stop.
    Serve,
    /// Say what would stop a boot; exit code 1 when something would.
    Check {
        /// As JSON.
        #[arg(long)]
        json: bool,
        /// Do not ask the network who answers DHCP.
        #[arg(long)]
        no_probe: bool,
    },
    /// Show the settings and where they come from.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Bring the schema of the ledger up to date.
    Migrate,
    /// List hosts, last seen first.
    Hosts(HostsArgs),
    /// Look at installations, start and cancel them.
    #[command(subcommand)]
    Install(installs::InstallCommand),
    /// Agents of installed systems.
    #[command(subcommand)]
    Agent(agents::AgentCommand),
    /// Systems that can be installed.
    #[command(subcommand)]
    Distro(DistroCommand),
    /// Purposes that hosts are installed for.
    #[command(subcommand)]
    Profile(Objects<ProfileArgs>),
    /// What is wanted of one host.
    #[command(subcommand)]
    Host(HostCommand),
    /// Hosts as Ansible, Prometheus, Salt, a hosts file or a DNS server want them.
    #[command(subcommand)]
    Inventory(inventory::InventoryCommand),
    /// Pieces of templates, the site's own over those that come with Muster.
    #[command(subcommand)]
    Snippet(SnippetCommand),
    /// What hosts are given because of their facts.
    #[command(subcommand)]
    Rule(rules::RuleCommand),
    /// Users of the page and the API.
    #[command(subcommand)]
    User(UserCommand),
    /// Tokens for programs that use the API: made, listed and ended.
    #[command(subcommand)]
    Token(TokenCommand),
    /// Templates of answer files.
    #[command(subcommand)]
    Template(TemplateCommand),
    /// Show the answer file a host would get now, without its secrets.
    Render(render::RenderArgs),
    /// Print the version.
    Version,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Every value with where it comes from; passwords are masked.
    Show {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Every key with its type, default and meaning.
    Keys,
    /// A commented settings file with every default.
    Example,
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Settings(#[from] ConfigErrors),
    #[error(transparent)]
    App(#[from] app::AppError),
    #[error("the ledger cannot be used")]
    Ledger(#[from] StoreError),
    #[error("the ledger's schema is older than this program; run `muster migrate`")]
    NotMigrated,
    #[error("the search cannot be read:\n{0}")]
    Search(String),
    #[error("there is no user `{0}`; `muster user list` shows all")]
    NoUser(String),
    #[error("there is no token `{0}`; `muster token list` shows all")]
    NoToken(String),
    #[error("several tokens are called `{0}`; write the id of one, as `muster token list` shows it, or add --user")]
    SeveralTokens(String),
    #[error(transparent)]
    Catalog(#[from] CatalogFault),
    #[error(transparent)]
    Inventory(InventoryFault),
    #[error(transparent)]
    Import(#[from] ImportFault),
    #[error(transparent)]
    Snippet(#[from] SnippetFault),
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error(transparent)]
    Templates(#[from] crate::render::answer::LibraryFault),
    #[error(transparent)]
    Answers(#[from] AnswersFault),
    #[error(transparent)]
    Every(#[from] EveryFault),
    #[error("the password cannot be read")]
    Input(#[source] io::Error),
    #[error(transparent)]
    Telemetry(#[from] telemetry::TelemetryError),
    #[error("the runtime cannot start")]
    Runtime(#[source] io::Error),
    #[error("the output cannot be written")]
    Output(#[source] io::Error),
}

impl Failure {
    fn code(&self) -> ExitCode {
        match self {
            Self::Settings(_) | Self::Search(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}

/// Runs the command of this process's arguments.
#[must_use]
pub fn run() -> ExitCode {
    match command(Cli::parse()) {
        Ok(code) => code,
        // Nobody reads any more: `muster config keys | head`.
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
        Err(failure) => {
            let _ = writeln!(io::stderr(), "muster: {}", chain(&failure));
            failure.code()
        }
    }
}

fn command(cli: Cli) -> Result<ExitCode, Failure> {
    let Cli { settings, command } = cli;
    match command {
        Command::Serve => {
            let settings = config::load(&settings.sources())?;
            let format = match settings.log.format.value {
                config::LogFormat::Text => telemetry::Format::Text,
                config::LogFormat::Json => telemetry::Format::Json,
            };
            telemetry::start(&settings.log.filter.value.0, format)?;
            let runtime = runtime()?;
            let served = runtime.block_on(app::serve(&settings));
            // A read from a disk that hangs does not keep the process.
            runtime.shutdown_timeout(LAST_READS);
            served?;
        }
        Command::Check { json, no_probe } => {
            let plan = app::plan(&config::load(&settings.sources())?);
            let findings = runtime()?.block_on(crate::check::look(&plan, !no_probe));
            print(&if json {
                check::as_json(&findings)
            } else {
                check::as_text(&findings)
            })?;
            if check::fails(&findings) {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Config(ConfigCommand::Show { json }) => {
            let rows = config::load(&settings.sources())?.rows();
            print(&if json {
                settings::rows_as_json(&rows)
            } else {
                settings::rows_as_text(&rows)
            })?;
        }
        Command::Config(ConfigCommand::Keys) => print(&config::reference())?,
        Command::Config(ConfigCommand::Example) => print(&config::example())?,
        Command::Migrate => {
            let settings = config::load(&settings.sources())?;
            print(&runtime()?.block_on(hosts::migrate(&settings))?)?;
        }
        Command::Hosts(args) => {
            let settings = config::load(&settings.sources())?;
            print(&runtime()?.block_on(hosts::hosts(&settings, args))?)?;
        }
        Command::Install(command) => {
            let settings = config::load(&settings.sources())?;
            print(&runtime()?.block_on(installs::install(&settings, command))?)?;
        }
        Command::Agent(command) => {
            let settings = config::load(&settings.sources())?;
            print(&runtime()?.block_on(agents::agent(&settings, command))?)?;
        }
        Command::Distro(command) => print_wanted(settings, Wanted::Distro(command))?,
        Command::Profile(command) => print_wanted(settings, Wanted::Profile(command))?,
        Command::Host(command) => print_wanted(settings, Wanted::Host(command))?,
        Command::Inventory(command) => {
            let settings = config::load(&settings.sources())?;
            print(&runtime()?.block_on(inventory::inventory(&settings, command))?)?;
        }
        Command::Snippet(args) => {
            let settings = config::load(&settings.sources())?;
            print(&runtime()?.block_on(snippet::snippet(&settings, args))?)?;
        }
        Command::Rule(command) => {
            let settings = config::load(&settings.sources())?;
            print(&runtime()?.block_on(rules::rule(&settings, command))?)?;
        }
        Command::User(user) => {
            let settings = config::load(&settings.sources())?;
            print(&runtime()?.block_on(users::user(&settings, user))?)?;
        }
        Command::Token(token) => {
            let settings = config::load(&settings.sources())?;
            print(&runtime()?.block_on(users::token(&settings, token))?)?;
        }
        Command::Template(TemplateCommand::Check { quick, hosts }) => {
            let settings = config::load(&settings.sources())?;
            let (text, mut wrong) = template::check(&settings.templates.dir.value, quick)?;
            print(&text)?;
            if hosts {
                let (text, more) = runtime()?.block_on(template::check_hosts(&settings))?;
                print(&text)?;
                wrong |= more;
            }
            if wrong {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Render(args) => {
            let settings = config::load(&settings.sources())?;
            let (text, wrong) = runtime()?.block_on(render::render(&settings, args))?;
            print(&text)?;
            if wrong {
                return Ok(ExitCode::FAILURE);
            }
        }
        Command::Version => print(&format!("muster {}\n", env!("CARGO_PKG_VERSION")))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn print_wanted(settings: SettingsArgs, command: Wanted) -> Result<(), Failure> {
    let settings = config::load(&settings.sources())?;
    print(&runtime()?.block_on(wanted::wanted(&settings, command))?)
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)
}

fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())
        .and_then(|()| out.flush())
        .map_err(Failure::Output)
}

/// Reads one of a few words, and says which there are.
fn word<T>(words: impl IntoIterator<Item = &'static str>) -> impl TypedValueParser<Value = T>
where
    T: FromStr<Err = UnknownWord> + Clone + Send + Sync + 'static,
{
    PossibleValuesParser::new(words).try_map(|word| word.parse::<T>())
}

/// An error with its causes, each once: `a: b: c`.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}
