//! Binding what the settings name, or saying which setting, which address, and who has it.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
};

use tokio::net::{TcpListener, UdpSocket};

use super::AppError;
use crate::{
    check::{Protocol, holder},
    config::{Port, Sourced},
    net::{dhcp::DhcpListener, tftp::TftpListener},
};

pub(super) async fn tcp(setting: &'static str, address: &Sourced<SocketAddr>) -> Result<TcpListener, AppError> {
    TcpListener::bind(address.value)
        .await
        .map_err(|source| refused(setting, Protocol::Tcp, address, source))
}

pub(super) fn tftp(port: &Sourced<Port>) -> Result<TftpListener, AppError> {
    udp("tftp.port", port, |port| {
        TftpListener::bind(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, port))
    })
}

pub(super) fn dhcp(setting: &'static str, port: &Sourced<Port>) -> Result<DhcpListener, AppError> {
    udp(setting, port, DhcpListener::bind)
}

/// Both sockets of the installers' log.
pub(super) async fn syslog(port: &Sourced<Port>) -> Result<(UdpSocket, TcpListener), AppError> {
    let address = Sourced {
        value: SocketAddr::from((Ipv4Addr::UNSPECIFIED, port.value.0)),
        origin: port.origin.clone(),
    };
    let udp = UdpSocket::bind(address.value)
        .await
        .map_err(|source| refused("syslog.port", Protocol::Udp, &address, source))?;
    Ok((udp, tcp("syslog.port", &address).await?))
}

fn udp<T>(setting: &'static str, port: &Sourced<Port>, bind: impl FnOnce(u16) -> io::Result<T>) -> Result<T, AppError> {
    bind(port.value.0).map_err(|source| {
        let address = Sourced {
            value: (Ipv4Addr::UNSPECIFIED, port.value.0).into(),
            origin: port.origin.clone(),
        };
        refused(setting, Protocol::Udp, &address, source)
    })
}

fn refused(setting: &'static str, protocol: Protocol, address: &Sourced<SocketAddr>, source: io::Error) -> AppError {
    AppError::Listen {
        setting,
        address: address.value,
        origin: address.origin.clone(),
        holder: holder(protocol, address.value).map_or_else(String::new, |holder| {
            format!(": {} (pid {}) has it", holder.name, holder.pid)
        }),
        source,
    }
}
