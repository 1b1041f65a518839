use std::net::IpAddr;

use muster_wire::tftp::{ErrorCode, Report, Request};

use super::{TftpClient, TftpContent, TftpRefusal};
use crate::{
    discovery::{Discovery, FileFault, TftpTicket},
    net::neighbours::hardware_address,
};

/// The loader folder, by TFTP.
impl TftpContent for Discovery {
    type Ticket = TftpTicket;

    fn open(
        &self,
        client: TftpClient,
        request: &Request,
    ) -> Result<(crate::discovery::BootFile, TftpTicket), TftpRefusal> {
        let address = *client.from.ip();
        self.tftp_requested(
            IpAddr::V4(address),
            hardware_address(address),
            client.server,
            &request.file,
        )
        .map_err(|fault| refusal(&fault))
    }

    fn ended(&self, ticket: TftpTicket, report: &Report) {
        self.tftp_ended(&ticket, report);
    }

    fn malformed(&self, client: TftpClient, why: &str) {
        self.tftp_malformed(client.from, why);
    }
}

/// What the machine's screen shows; paths of ours stay with us.
fn refusal(fault: &FileFault) -> TftpRefusal {
    let (code, text) = match fault {
        FileFault::BadName(_) | FileFault::Missing { .. } | FileFault::Outside { .. } => {
            (ErrorCode::FileNotFound, "no such loader; run: muster check")
        }
        FileFault::TooLarge { .. } | FileFault::Unreadable { .. } => (
            ErrorCode::NotDefined,
            "the loader cannot be read; see the log of the server",
        ),
    };
    TftpRefusal {
        code,
        text: text.to_owned(),
    }
}
