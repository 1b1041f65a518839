use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::AppError;
use crate::{
    check::{Protocol, holder},
    config::Sourced,
};

/// Binds a listener, or says which setting, which address and who has it.
pub(super) async fn tcp(setting: &'static str, address: &Sourced<SocketAddr>) -> Result<TcpListener, AppError> {
    TcpListener::bind(address.value)
        .await
        .map_err(|source| AppError::Listen {
            setting,
            address: address.value,
            origin: address.origin.clone(),
            holder: held(Protocol::Tcp, address.value),
            source,
        })
}

/// `: NAME (pid N) has it`, or nothing when nobody is seen to.
pub(super) fn held(protocol: Protocol, address: SocketAddr) -> String {
    holder(protocol, address).map_or_else(String::new, |holder| {
        format!(": {} (pid {}) has it", holder.name, holder.pid)
    })
}
