//! Pages for people, made on the server; the browser only keeps them fresh.

mod account;
mod activity;
mod answer;
mod charts;
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
mod listing;
mod object;
mod overview;
mod plan;
mod profiles;
mod rule_form;
mod rules;
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
use crate::{
    auth::Permission,
    desired::{Distro, Profile},
};

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
        .get("/overview", hosts, overview::page)
        .get("/hosts/{id}", hosts, host::page)
        .post("/hosts/{id}/start", install, installs::start)
        .post("/hosts/{id}/plan", edit, plan::save)
        .post("/hosts/{id}/profile", edit, plan::choose)
        .get("/installs", hosts, installs::page)
        .get("/installs/{id}", hosts, installs::one)
        .post("/installs/{id}/cancel", install, installs::cancel)
        .post("/installs/{id}/retry", install, installs::retry)
        .get("/profiles", hosts, tree::page)
        .get("/new/profile", edit, object::new::<Profile>)
        .post("/new/profile", edit, object::add::<Profile>)
        .get("/profiles/{name}", hosts, object::page::<Profile>)
        .post("/profiles/{name}", edit, object::save::<Profile>)
        .post("/profiles/{name}/copy", edit, object::copy::<Profile>)
        .post("/profiles/{name}/rename", edit, object::rename::<Profile>)
        .post("/profiles/{name}/remove", edit, object::remove::<Profile>)
        .get("/new/distro", edit, object::new::<Distro>)
        .post("/new/distro", edit, object::add::<Distro>)
        .get("/distros/{name}", hosts, object::page::<Distro>)
        .post("/distros/{name}", edit, object::save::<Distro>)
        .post("/distros/{name}/copy", edit, object::copy::<Distro>)
        .post("/distros/{name}/rename", edit, object::rename::<Distro>)
        .post("/distros/{name}/remove", edit, object::remove::<Distro>)
        .get("/rules", hosts, rules::page)
        .get("/rules/dry-run", install, rules::dry_run)
        .post("/rules/apply", install, rules::apply)
        .get("/new/rule", install, rules::new)
        .post("/new/rule", install, rules::add)
        .get("/rules/{name}", hosts, rules::one)
        .post("/rules/{name}", install, rules::save)
        .post("/rules/{name}/move", install, rules::shift)
        .post("/rules/{name}/remove", install, rules::remove)
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
