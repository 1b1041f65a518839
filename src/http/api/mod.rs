//! The REST API, `/api/v1`: what the pages show, for programs. Described by OpenAPI at [`DOCUMENT`].

mod account;
mod agents;
mod answers;
mod asked;
mod desired;
mod distros;
mod hosts;
mod installs;
mod inventory;
mod metrics;
mod network;
mod object;
mod plans;
mod profiles;
mod rules;
mod shape;

use utoipa::{
    Modify, OpenApi,
    openapi::{
        OpenApi as Document, RefOr, Schema,
        path::Paths,
        security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    },
};
use utoipa_axum::routes as handlers;

use super::{
    Problem,
    guard::{Access, Routes, SESSION_COOKIE},
};
use crate::auth::Permission;

/// Where the description of the API is served; everybody may read it.
pub const DOCUMENT: &str = "/api/v1/openapi.json";

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Muster",
        description = "What Muster's pages show, for programs. Refusals are application/problem+json with a stable `code`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
        version = "1"
    ),
    components(schemas(Problem)),
    modifiers(&Admission),
    security(("token" = []), ("session" = []))
)]
struct Base;

/// How callers are known.
struct Admission;

impl Modify for Admission {
    fn modify(&self, document: &mut Document) {
        let components = document.components.get_or_insert_default();
        components.add_security_scheme(
            "token",
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .description(Some("An API token, made on the account page or by POST /api/v1/tokens"))
                    .build(),
            ),
        );
        components.add_security_scheme(
            "session",
            SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(SESSION_COOKIE))),
        );
    }
}

/// Every route of the API.
pub(super) fn routes(routes: Routes) -> Routes {
    let read_hosts = Access::Needs(Permission::ReadHosts);
    let read_network = Access::Needs(Permission::ReadNetwork);
    let edit = Access::Needs(Permission::EditPlans);
    let routes = routes
        .api(read_hosts, handlers!(distros::distros))
        .api(read_hosts, handlers!(distros::distro))
        .api(edit, handlers!(distros::put_distro, distros::remove_distro))
        .api(edit, handlers!(distros::preview_distro))
        .api(edit, handlers!(distros::copy_distro))
        .api(edit, handlers!(distros::rename_distro))
        .api(read_hosts, handlers!(profiles::profiles))
        .api(read_hosts, handlers!(profiles::profile))
        .api(edit, handlers!(profiles::put_profile, profiles::remove_profile))
        .api(edit, handlers!(profiles::preview_profile))
        .api(edit, handlers!(profiles::copy_profile))
        .api(edit, handlers!(profiles::rename_profile))
        .api(read_hosts, handlers!(plans::defaults))
        .api(edit, handlers!(plans::put_defaults))
        .api(edit, handlers!(plans::preview_defaults))
        .api(read_hosts, handlers!(answers::answer))
        .api(read_hosts, handlers!(plans::plan))
        .api(edit, handlers!(plans::put_plan, plans::remove_plan));
    routes
        .api(read_hosts, handlers!(hosts::hosts))
        .api(read_hosts, handlers!(hosts::host))
        .api(read_hosts, handlers!(hosts::interfaces))
        .api(read_hosts, handlers!(hosts::components))
        .api(read_hosts, handlers!(hosts::facts))
        .api(read_hosts, handlers!(hosts::changes))
        .api(read_hosts, handlers!(hosts::boots))
        .api(read_hosts, handlers!(hosts::transcript))
        .api(read_hosts, handlers!(hosts::events))
        .api(read_hosts, handlers!(inventory::ansible))
        .api(read_hosts, handlers!(inventory::ansible_host))
        .api(read_hosts, handlers!(inventory::prometheus))
        .api(read_hosts, handlers!(inventory::hosts_file))
        .api(read_hosts, handlers!(inventory::zone))
        .api(read_hosts, handlers!(inventory::salt))
        .api(read_hosts, handlers!(metrics::host_metrics))
        .api(read_hosts, handlers!(metrics::fleet_metrics))
        .api(read_network, handlers!(network::subnets))
        .api(read_network, handlers!(network::leases))
        .api(read_network, handlers!(network::dhcp_servers))
        .api(read_hosts, handlers!(installs::installs))
        .api(Access::Needs(Permission::Install), handlers!(installs::start_install))
        .api(read_hosts, handlers!(installs::install))
        .api(read_hosts, handlers!(installs::install_log))
        .api(Access::Needs(Permission::Install), handlers!(installs::cancel_install))
        .api(Access::Needs(Permission::Install), handlers!(installs::retry_install))
        .api(read_hosts, handlers!(agents::agents))
        .api(Access::Needs(Permission::Install), handlers!(agents::revoke_agents))
        .api(read_hosts, handlers!(rules::rules))
        .api(read_hosts, handlers!(rules::rule))
        .api(Access::Needs(Permission::Install), handlers!(rules::put_rule))
        .api(Access::Needs(Permission::Install), handlers!(rules::remove_rule))
        // A trial works an expression of the caller's out on what every host has reported: it is for those who enter rules.
        .api(Access::Needs(Permission::Install), handlers!(rules::try_rules))
        .api(Access::Needs(Permission::Install), handlers!(rules::apply_rules))
        .api(Access::Needs(Permission::OwnAccount), handlers!(account::me))
        .api(
            Access::Needs(Permission::OwnTokens),
            handlers!(account::tokens, account::make_token),
        )
        .api(Access::Needs(Permission::OwnTokens), handlers!(account::end_token))
}

/// The description of the API.
pub(super) fn document(paths: Paths, schemas: Vec<(String, RefOr<Schema>)>) -> Document {
    let mut document = Base::openapi();
    document.paths = paths;
    document.components.get_or_insert_default().schemas.extend(schemas);
    document
}
