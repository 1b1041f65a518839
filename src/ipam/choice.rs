/// Why this address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Chosen {
    /// It is reserved for the machine.
    Reservation,
    /// The machine has it, or had it last.
    Own,
    /// The machine asked for it, and it is free.
    Requested,
    /// It was never used.
    NeverUsed,
    /// It has been free for the longest time.
    LongestFree,
}

impl Chosen {
    /// The word of event parameter `choice`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Reservation => "reservation",
            Self::Own => "own",
            Self::Requested => "requested",
            Self::NeverUsed => "never_used",
            Self::LongestFree => "longest_free",
        }
    }
}

/// Why no address, or not this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum NoAddress {
    /// Every address of the subnet is in use.
    #[error("every address of the subnet is in use; widen its ranges or shorten its lease_time")]
    Exhausted,
    /// Only known machines get an address here.
    #[error("the machine is not known here; give it a reservation")]
    NotKnown,
    /// The machine's reservation is in use by another one.
    #[error("the address reserved for the machine is in use by another one")]
    ReservationInUse,
    /// Another machine has the address, or it is kept for one.
    #[error("the address is another machine's")]
    Taken,
    /// The machine's own address is another one.
    #[error("the machine's address is another one")]
    OtherAddress,
    /// The subnet does not give out this address.
    #[error("the subnet does not give out this address")]
    Outside,
}
