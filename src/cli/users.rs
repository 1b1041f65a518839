//! `muster user` and `muster token`.

use std::time::Duration;

use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde_json::{Value, json};

use super::{
    Failure,
    hosts::open,
    password,
    table::{table, time},
    word,
};
use crate::{
    app,
    auth::{Auth, Caller, Means, TokenRequest},
    config::Settings,
    store::{ApiToken, Role, Store, User},
};

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Make a user; the password is asked for, or read from standard input.
    Add {
        /// The name to sign in with.
        name: String,
        /// viewer, operator or admin.
        #[arg(long, default_value = "viewer", value_parser = word::<Role>(Role::ALL.map(Role::as_str)))]
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
        #[arg(long, default_value = "viewer", value_parser = word::<Role>(Role::ALL.map(Role::as_str)))]
        role: Role,
        /// Days until it ends; without it the token lasts until it is deleted.
        #[arg(long, value_parser = clap::value_parser!(u64).range(1..=36_500))]
        days: Option<u64>,
    },
    /// Every token, oldest first; none shows its secret.
    List {
        /// Only those that act for this user.
        #[arg(long)]
        user: Option<String>,
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// End a token: from then on nobody is let in with it.
    Remove {
        /// Its name, or its id where several have the name.
        token: String,
        /// The user it acts for, where several have a token of this name.
        #[arg(long)]
        user: Option<String>,
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
    let store = open(settings).await?;
    let done = match command {
        TokenCommand::Add { name, user, role, days } => {
            let request = TokenRequest {
                name,
                role,
                lifetime: days.map(|days| Duration::from_secs(days * 86_400)),
            };
            add_token(&store, &user, request).await
        }
        TokenCommand::List { user, json } => list_tokens(&store, user.as_deref(), json).await,
        TokenCommand::Remove { token, user } => remove_token(&store, &token, user.as_deref()).await,
    };
    store.close().await?;
    done
}

async fn user_called(store: &Store, name: &str) -> Result<User, Failure> {
    let found = store.user_by_name(name).await?;
    found.ok_or_else(|| Failure::NoUser(name.to_owned()))
}

/// Who can open the ledger may act for each of its users; the audit table says that it was done from here.
fn acting_for(user: User) -> Caller {
    Caller {
        user: user.id,
        name: user.name,
        role: user.role,
        locale: user.locale,
        means: Means::Token("cli".to_owned()),
    }
}

async fn add_token(store: &Store, user: &str, request: TokenRequest) -> Result<String, Failure> {
    let caller = acting_for(user_called(store, user).await?);
    let made = Auth::new(store.clone())
        .make_token(&caller, request, app::now())
        .await?;
    Ok(format!("{}\n", made.secret.reveal()))
}

/// Tokens of one user or of all, each with its user.
async fn tokens(store: &Store, user: Option<&str>) -> Result<Vec<(ApiToken, User)>, Failure> {
    let users = match user {
        Some(name) => vec![user_called(store, name).await?],
        None => store.users().await?,
    };
    let only = user.and_then(|_| users.first()).map(|user| user.id);
    let tokens = store.api_tokens(only).await?.into_iter();
    let of = |token: ApiToken| {
        let user = users.iter().find(|user| user.id == token.user)?.clone();
        Some((token, user))
    };
    Ok(tokens.filter_map(of).collect())
}

async fn list_tokens(store: &Store, user: Option<&str>, as_json: bool) -> Result<String, Failure> {
    let found = tokens(store, user).await?;
    if as_json {
        let rows: Vec<Value> = found
            .iter()
            .map(|(token, user)| {
                json!({
                    "id": token.id,
                    "name": token.name,
                    "user": user.name,
                    "role": token.role.as_str(),
                    "created_at": token.created_at,
                    "expires_at": token.expires_at,
                    "last_used_at": token.last_used_at,
                })
            })
            .collect();
        return Ok(format!("{:#}\n", json!({ "tokens": rows })));
    }
    let or_dash = |at: Option<DateTime<Utc>>| at.map_or_else(|| "-".to_owned(), time);
    let rows: Vec<Vec<String>> = found
        .into_iter()
        .map(|(token, user)| {
            vec![
                token.name,
                user.name,
                token.role.as_str().to_owned(),
                time(token.created_at),
                or_dash(token.expires_at),
                or_dash(token.last_used_at),
                token.id.to_string(),
            ]
        })
        .collect();
    Ok(table(
        &["NAME", "USER", "ROLE", "SINCE", "ENDS", "LAST USED", "ID"],
        &rows,
    ))
}

async fn remove_token(store: &Store, which: &str, user: Option<&str>) -> Result<String, Failure> {
    let mut found = tokens(store, user).await?;
    found.retain(|(token, _)| token.name == which || token.id.to_string() == which);
    let (Some((token, user)), true) = (found.pop(), found.is_empty()) else {
        let several = !found.is_empty();
        return Err(if several {
            Failure::SeveralTokens(which.to_owned())
        } else {
            Failure::NoToken(which.to_owned())
        });
    };
    let name = user.name.clone();
    Auth::new(store.clone())
        .end_token(&acting_for(user), token.id, app::now())
        .await?;
    Ok(format!("removed token {} of user {name}\n", token.name))
}
