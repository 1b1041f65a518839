use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::AppError;
use crate::config::Sourced;

/// Binds a listener, or says which setting, which address and who has it.
pub(super) async fn tcp(setting: &'static str, address: &Sourced<SocketAddr>) -> Result<TcpListener, AppError> {
    TcpListener::bind(address.value)
        .await
        .map_err(|source| AppError::Listen {
            setting,
            address: address.value,
            origin: address.origin.clone(),
            holder: String::new(),
            source,
        })
}
