//! One transfer, from the answered request to its end.

use tftpd::{Opcode, OptionType, Packet, TransferOption};

use super::{ErrorCode, Request, error_packet};

/// Block size without a `blksize` option (RFC 1350).
const PLAIN_BLOCK: u16 = 512;

/// What a transfer may take, whatever its client asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest block, bytes. 1468 fills an Ethernet frame without fragments, which many ROMs
    /// cannot put together.
    pub max_block: u16,
    /// Most blocks in flight.
    pub max_window: u16,
    /// Wait before the first retransmission when the client names none, milliseconds. Doubles
    /// with each one in a row, up to eight times.
    pub timeout_ms: u64,
    /// Longest timeout accepted from a client, seconds.
    pub max_timeout: u8,
    /// Retransmissions in a row without progress before giving up.
    pub max_retries: u32,
    /// Longest transfer, milliseconds.
    pub max_total_ms: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_block: 1468,
            max_window: 32,
            timeout_ms: 1000,
            max_timeout: 30,
            max_retries: 6,
            max_total_ms: 15 * 60 * 1000,
        }
    }
}

/// What the caller does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Send these bytes to the client.
    Send(Vec<u8>),
    /// Read `len` bytes of the content at `offset` and give them to [`Transfer::supply`].
    Read {
        /// Bytes from the start of the content.
        offset: u64,
        /// How many: one block at most.
        len: usize,
    },
    /// Nothing to do before this time (milliseconds on the caller's clock) or the next datagram.
    WaitUntil(u64),
    /// It is over. Every later poll says the same.
    Done(Report),
}

/// How a transfer went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Bytes of content the client acknowledged.
    pub bytes: u64,
    /// From the request to the end, milliseconds.
    pub duration_ms: u64,
    /// Packets sent again.
    pub retransmits: u64,
    /// Why it ended.
    pub end: End,
}

/// Why a transfer ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// The client acknowledged the last block.
    Completed,
    /// Everything was sent and all but the last window acknowledged; some ROMs start the loader
    /// without acknowledging its last block.
    Unconfirmed,
    /// The client said stop. Ordinary after a request that only asked for the size.
    AbortedByClient {
        /// TFTP error code.
        code: u16,
        /// The client's words, without control characters, 128 at most.
        text: String,
    },
    /// The client stopped answering.
    TimedOut,
    /// The client was too slow for [`Limits::max_total_ms`].
    TooSlow,
    /// The content could not be read, or is not as long as was said.
    ContentFailed,
}

/// The server's side of one transfer.
#[derive(Debug)]
pub struct Transfer {
    block_size: u16,
    window: u64,
    content_len: u64,
    /// Blocks in all: the last one is shorter than the others, and may be empty.
    blocks: u64,
    /// Wait before a retransmission, milliseconds, and whether it doubles.
    timeout_ms: u64,
    backoff: bool,
    max_retries: u32,
    started_ms: u64,
    latest_end_ms: u64,
    /// The OACK while it is not acknowledged.
    offer: Option<Vec<u8>>,
    /// Blocks are counted from 1 without wrapping; the wire carries the low 16 bits.
    acked: u64,
    next: u64,
    sent: u64,
    /// A packet to send before anything else.
    pending: Option<Vec<u8>>,
    deadline_ms: u64,
    retries: u32,
    retransmits: u64,
    resend: Resend,
    end: Option<End>,
    /// When the end was first told.
    ended_ms: Option<u64>,
}

/// Whether a repeated ACK may start a window again.
///
/// With a window over one, a client that lost a window's first block repeats its last ACK, and
/// waiting for the timeout would cost a second. But repeated blocks make the client repeat ACKs
/// in turn: answering each would double every window from then on (the sorcerer's apprentice of
/// RFC 1123 §4.2.3.1). So one window in two may be started again, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Resend {
    Allowed,
    Used,
    Resting,
}

impl Transfer {
    /// Starts answering `request` with a content of `content_len` bytes.
    ///
    /// `now_ms` is any clock that does not go back; all later times are on the same one.
    #[must_use]
    pub fn new(request: &Request, content_len: u64, limits: &Limits, now_ms: u64) -> Self {
        let asked = &request.options;
        let mut accepted = Vec::new();
        let block_size = asked.block_size.map_or(PLAIN_BLOCK, |size| {
            let size = size.min(limits.max_block).max(8);
            accepted.push(TransferOption {
                option: OptionType::BlockSize,
                value: size.into(),
            });
            size
        });
        if asked.transfer_size {
            accepted.push(TransferOption {
                option: OptionType::TransferSize,
                value: content_len,
            });
        }
        // RFC 2349: the timeout is taken as asked or not at all.
        let timeout = asked.timeout.filter(|seconds| *seconds <= limits.max_timeout);
        if let Some(seconds) = timeout {
            accepted.push(TransferOption {
                option: OptionType::Timeout,
                value: seconds.into(),
            });
        }
        let window = asked.window_size.map_or(1, |blocks| {
            let blocks = blocks.min(limits.max_window).max(1);
            accepted.push(TransferOption {
                option: OptionType::WindowSize,
                value: blocks.into(),
            });
            blocks
        });
        let offer = (!accepted.is_empty()).then(|| Packet::Oack(accepted).serialize().unwrap_or_default());
        Self {
            block_size,
            window: window.into(),
            content_len,
            blocks: content_len / u64::from(block_size) + 1,
            timeout_ms: timeout
                .map_or(limits.timeout_ms, |seconds| u64::from(seconds) * 1000)
                .max(1),
            backoff: timeout.is_none(),
            max_retries: limits.max_retries,
            started_ms: now_ms,
            latest_end_ms: now_ms.saturating_add(limits.max_total_ms),
            pending: offer.clone(),
            offer,
            acked: 0,
            next: 1,
            sent: 0,
            deadline_ms: now_ms,
            retries: 0,
            retransmits: 0,
            resend: Resend::Allowed,
            end: None,
            ended_ms: None,
        }
    }

    /// The agreed block size, bytes.
    #[must_use]
    pub const fn block_size(&self) -> u16 {
        self.block_size
    }

    /// The agreed window, blocks.
    #[must_use]
    pub const fn window_size(&self) -> u64 {
        self.window
    }

    /// What to do now. Call it until it says [`Action::WaitUntil`] or [`Action::Done`].
    pub fn poll(&mut self, now_ms: u64) -> Action {
        if self.end.is_none() && now_ms >= self.latest_end_ms {
            let told = "the transfer took too long; check the network";
            self.finish(End::TooSlow, Some(told));
        }
        if let Some(packet) = self.pending.take() {
            self.deadline_ms = now_ms.saturating_add(self.interval());
            return Action::Send(packet);
        }
        if let Some(end) = &self.end {
            let ended_ms = *self.ended_ms.get_or_insert(now_ms);
            return Action::Done(Report {
                bytes: self.content_len.min(self.acked.saturating_mul(self.block_size.into())),
                duration_ms: ended_ms.saturating_sub(self.started_ms),
                retransmits: self.retransmits,
                end: end.clone(),
            });
        }
        if self.offer.is_none() && self.next <= self.last_in_window() {
            let (offset, len) = self.span();
            if len > 0 {
                return Action::Read { offset, len };
            }
            self.supply(&[]);
            return self.poll(now_ms);
        }
        Action::WaitUntil(self.deadline_ms.min(self.latest_end_ms))
    }

    /// Gives the bytes [`Action::Read`] asked for. Fewer or more end the transfer: the content is
    /// not what was announced.
    pub fn supply(&mut self, content: &[u8]) {
        if self.end.is_some() || self.pending.is_some() || self.offer.is_some() || self.next > self.last_in_window() {
            return;
        }
        let (_, len) = self.span();
        if content.len() != len {
            let told = "the file changed while it was sent; start again";
            self.finish(End::ContentFailed, Some(told));
            return;
        }
        let mut packet = Vec::with_capacity(len + 4);
        packet.extend(Opcode::Data.as_bytes());
        packet.extend(low_bits(self.next).to_be_bytes());
        packet.extend(content);
        self.pending = Some(packet);
        if self.next <= self.sent {
            self.retransmits += 1;
        }
        self.sent = self.sent.max(self.next);
        self.next += 1;
    }

    /// The content cannot be read any more: tells the client and ends.
    pub fn on_read_error(&mut self) {
        let told = "the file cannot be read; see the server's log";
        self.finish(End::ContentFailed, Some(told));
    }

    /// Takes a datagram from the client. What makes no sense is ignored.
    pub fn on_packet(&mut self, datagram: &[u8], now_ms: u64) {
        if self.end.is_some() {
            return;
        }
        let Some(([op_high, op_low, high, low], rest)) = datagram.split_first_chunk() else {
            return;
        };
        let value = u16::from_be_bytes([*high, *low]);
        match Opcode::from_u16(u16::from_be_bytes([*op_high, *op_low])) {
            Ok(Opcode::Ack) => self.on_ack(value, now_ms),
            Ok(Opcode::Error) => {
                let end = End::AbortedByClient {
                    code: value,
                    text: printable(rest),
                };
                self.finish(end, None);
            }
            _ => {}
        }
    }

    /// The time of [`Action::WaitUntil`] came. Harmless when called early.
    pub fn on_timeout(&mut self, now_ms: u64) {
        if self.end.is_some() || now_ms < self.deadline_ms {
            return;
        }
        if self.retries >= self.max_retries {
            let end = if self.offer.is_none() && self.sent == self.blocks {
                End::Unconfirmed
            } else {
                End::TimedOut
            };
            self.finish(end, None);
            return;
        }
        self.retries += 1;
        self.deadline_ms = now_ms.saturating_add(self.interval());
        if let Some(offer) = &self.offer {
            self.pending = Some(offer.clone());
            self.retransmits += 1;
        } else {
            self.next = self.acked + 1;
            self.resend = Resend::Resting;
        }
    }

    fn on_ack(&mut self, number: u16, now_ms: u64) {
        if self.offer.is_some() {
            if number == 0 {
                self.offer = None;
                self.pending = None;
                self.progress(now_ms);
            }
            return;
        }
        // The distance on the wire is below 65536, and never more than a window is in flight: a
        // larger one is an old ACK that comes late.
        let ahead = u64::from(number.wrapping_sub(low_bits(self.acked)));
        let block = self.acked + ahead;
        if block > self.sent {
            return;
        }
        if ahead == 0 {
            let whole_window_sent = self.next > self.last_in_window();
            if self.window > 1 && whole_window_sent && self.resend == Resend::Allowed {
                self.resend = Resend::Used;
                self.next = self.acked + 1;
            }
            return;
        }
        self.acked = block;
        // RFC 7440 §4: after a gap the client names the last block in order, and goes on from it.
        self.next = block + 1;
        self.resend = match self.resend {
            Resend::Used => Resend::Resting,
            Resend::Allowed | Resend::Resting => Resend::Allowed,
        };
        self.progress(now_ms);
        if self.acked >= self.blocks {
            self.finish(End::Completed, None);
        }
    }

    fn progress(&mut self, now_ms: u64) {
        self.retries = 0;
        self.deadline_ms = now_ms.saturating_add(self.interval());
        // A block of the old window that waits to be sent is one the client has, or will be sent
        // again in order.
        self.pending = None;
    }

    fn finish(&mut self, end: End, told: Option<&str>) {
        if self.end.is_none() {
            self.pending = told.map(|text| error_packet(ErrorCode::NotDefined, text));
            self.end = Some(end);
        }
    }

    fn last_in_window(&self) -> u64 {
        self.blocks.min(self.acked + self.window)
    }

    /// Where the next block is in the content.
    fn span(&self) -> (u64, usize) {
        let size = u64::from(self.block_size);
        let offset = (self.next - 1).saturating_mul(size);
        let len = self.content_len.saturating_sub(offset).min(size);
        (offset, usize::try_from(len).unwrap_or_default())
    }

    fn interval(&self) -> u64 {
        let doubled = if self.backoff { self.retries.min(3) } else { 0 };
        self.timeout_ms.saturating_mul(1 << doubled)
    }
}

/// A block's number on the wire: after 65535 comes 0.
fn low_bits(block: u64) -> u16 {
    let [.., high, low] = block.to_be_bytes();
    u16::from_be_bytes([high, low])
}

/// A client's error text for logs and events.
fn printable(raw: &[u8]) -> String {
    let text = raw.split(|byte| *byte == 0).next().unwrap_or_default();
    String::from_utf8_lossy(text)
        .chars()
        .filter(|c| !c.is_control())
        .take(128)
        .collect()
}
