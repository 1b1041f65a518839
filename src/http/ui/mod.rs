//! Pages for people, made on the server; the browser only keeps them fresh.

mod account;
mod activity;
mod dhcp;
mod entry;
mod format;
mod hardware;
mod host;
mod hosts;
mod story;
mod templates;
mod verdict;
mod view;
mod words;

pub use words::{Locale, keys, say};

pub(super) use activity::Activity;
pub(super) use templates::Templates;
pub(super) use view::problem_page;

use axum::response::Redirect;

use super::guard::{Access, Routes};
use crate::auth::Permission;

/// Every page.
pub(super) fn routes(routes: Routes) -> Routes {
    let hosts = Access::Needs(Permission::ReadHosts);
    let network = Access::Needs(Permission::ReadNetwork);
    let account = Access::Needs(Permission::OwnAccount);
    let tokens = Access::Needs(Permission::OwnTokens);
    routes
        .get("/", hosts, async || Redirect::to("/hosts"))
        .get("/hosts", hosts, hosts::page)
        .get("/hosts/{id}", hosts, host::page)
        .get("/dhcp", network, dhcp::page)
        .get("/account", account, account::page)
        .post("/account/password", account, account::change_password)
        .post("/account/tokens", tokens, account::make_token)
        .post("/account/tokens/{id}/end", tokens, account::end_token)
        .post("/signout", account, entry::sign_out)
        .get("/signin", Access::Anyone, entry::sign_in_page)
        .post("/signin", Access::Anyone, entry::sign_in)
        .get("/setup", Access::Anyone, entry::setup_page)
        .post("/setup", Access::Anyone, entry::set_up)
        .post("/language", Access::Anyone, entry::choose_language)
}

/// An event in English, for the API.
pub(super) fn event_words(event: &crate::boot::Event) -> String {
    story::words(event, Locale::En)
}
