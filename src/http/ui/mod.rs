//! Pages for people, made on the server; the browser only keeps them fresh.

mod account;
mod activity;
mod answer;
mod dhcp;
mod distros;
mod entry;
mod format;
mod hardware;
mod host;
mod hosts;
mod in_force;
mod install;
mod installs;
mod layer;
mod layer_page;
mod plan;
mod profiles;
mod story;
mod templates;
mod tree;
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
    let install = Access::Needs(Permission::Install);
    let edit = Access::Needs(Permission::EditPlans);
    routes
        .get("/", hosts, async || Redirect::to("/hosts"))
        .get("/hosts", hosts, hosts::page)
        .get("/hosts/{id}", hosts, host::page)
        .post("/hosts/{id}/start", install, installs::start)
        .post("/hosts/{id}/plan", edit, plan::save)
        .post("/hosts/{id}/profile", edit, plan::choose)
        .get("/installs", hosts, installs::page)
        .get("/installs/{id}", hosts, installs::one)
        .post("/installs/{id}/cancel", install, installs::cancel)
        .post("/installs/{id}/retry", install, installs::retry)
        .get("/profiles", hosts, tree::page)
        .get("/new/profile", edit, profiles::new)
        .post("/new/profile", edit, profiles::add)
        .get("/profiles/{name}", hosts, profiles::page)
        .post("/profiles/{name}", edit, profiles::save)
        .post("/profiles/{name}/copy", edit, profiles::copy)
        .post("/profiles/{name}/rename", edit, profiles::rename)
        .post("/profiles/{name}/remove", edit, profiles::remove)
        .get("/new/distro", edit, distros::new)
        .post("/new/distro", edit, distros::add)
        .get("/distros/{name}", hosts, distros::page)
        .post("/distros/{name}", edit, distros::save)
        .post("/distros/{name}/copy", edit, distros::copy)
        .post("/distros/{name}/rename", edit, distros::rename)
        .post("/distros/{name}/remove", edit, distros::remove)
        .get("/defaults", hosts, tree::defaults)
        .post("/defaults", edit, tree::save_defaults)
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
