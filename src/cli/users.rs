//! `muster user` and `muster token`.

use std::time::Duration;

use clap::Subcommand;

use super::{
    Failure,
    hosts::open,
    password,
    table::{table, time},
};
use crate::{
    app,
    auth::{Auth, Caller, Means, TokenRequest},
    config::Settings,
    store::{Role, Store},
};

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Make a user; the password is asked for, or read from standard input.
    Add {
        /// The name to sign in with.
        name: String,
        /// viewer, operator or admin.
        #[arg(long, default_value = "viewer")]
        role: Role,
    },
    /// Every user with role and age.
    List,
}

#[derive(Debug, Subcommand)]
pub(super) enum TokenCommand {
    /// Make a token for a program; it is printed once and not kept.
    Add {
        /// What the token is for.
        name: String,
        /// The user it acts for.
        #[arg(long)]
        user: String,
        /// At most this role: viewer, operator or admin.
        #[arg(long, default_value = "viewer")]
        role: Role,
        /// Days until it ends; without it the token lasts until it is deleted.
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..=36_500))]
        days: Option<u64>,
    },
}

pub(super) async fn user(settings: &Settings, command: UserCommand) -> Result<String, Failure> {
    match command {
        UserCommand::Add { name, role } => {
            let password = password::read().map_err(Failure::Input)?;
            let store = open(settings).await?;
            let made = Auth::new(store.clone())
                .add_user(&name, password, role, app::now())
                .await;
            store.close().await?;
            let user = made?;
            Ok(format!("made user {} ({})\n", user.name, user.role.as_str()))
        }
        UserCommand::List => {
            let store = open(settings).await?;
            let users = store.users().await;
            store.close().await?;
            let rows: Vec<Vec<String>> = users?
                .into_iter()
                .map(|user| vec![user.name, user.role.as_str().to_owned(), time(user.created_at)])
                .collect();
            Ok(table(&["NAME", "ROLE", "SINCE"], &rows))
        }
    }
}

pub(super) async fn token(settings: &Settings, command: TokenCommand) -> Result<String, Failure> {
    let TokenCommand::Add { name, user, role, days } = command;
    let request = TokenRequest {
        name,
        role,
        lifetime: days.map(|days| Duration::from_secs(days * 86_400)),
    };
    let store = open(settings).await?;
    let made = add_token(&store, &user, request).await;
    store.close().await?;
    made
}

async fn add_token(store: &Store, user: &str, request: TokenRequest) -> Result<String, Failure> {
    let user = store
        .user_by_name(user)
        .await?
        .ok_or_else(|| Failure::NoUser(user.to_owned()))?;
    // Who can open the ledger may act for each of its users; the audit table says that it was done from here.
    let caller = Caller {
        user: user.id,
        name: user.name,
        role: user.role,
        locale: user.locale,
        means: Means::Token("cli".to_owned()),
    };
    let made = Auth::new(store.clone())
        .make_token(&caller, request, app::now())
        .await?;
    Ok(format!("{}\n", made.secret.reveal()))
}
