macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident = $word:literal),* $(,)?) => {
        /// Why something was answered as it was, or not at all: catalogue key `rule.<word>`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Rule { $($(#[$doc])* $name),* }

        impl Rule {
            /// Every rule.
            pub const ALL: &[Self] = &[$(Self::$name),*];

            /// The word kept in [`super::Event::rule`].
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }
        }
    };
}

rules! {
    /// The MAC matches a pattern of `boot.refuse`.
    RefusedByPolicy = "refused_by_policy",
    /// The loader table has a loader for this firmware.
    LoaderForArchitecture = "loader_for_architecture",
    /// The host, or its profile, is to have another loader than the table's.
    LoaderForHost = "loader_for_host",
    /// The loader table has none for this firmware: an address without a boot file.
    NoLoaderForArchitecture = "no_loader_for_architecture",
    /// The loader's file is not in the loader folder.
    LoaderMissing = "loader_missing",
    /// iPXE is given the address of its boot script.
    IpxeScript = "ipxe_script",
    /// The collection image asks for an address of its own.
    ImageAddress = "image_address",
    /// An installed system or another device: an address and nothing else.
    AddressOnly = "address_only",

    /// The interface or relay is in no configured subnet.
    NoSubnet = "no_subnet",
    /// The subnet is in mode `observe`.
    Observe = "observe",
    /// Mode `proxy` has nothing to say to clients that do not boot.
    NotABootClient = "not_a_boot_client",
    /// Mode `reserved`: the machine has no reservation and is not known.
    NotKnown = "not_known",
    /// Every address of the subnet is in use.
    PoolExhausted = "pool_exhausted",
    /// The address reserved for this machine is in use by another one.
    ReservationInUse = "reservation_in_use",
    /// The client took another server's offer.
    OtherServerChosen = "other_server_chosen",
    /// Another server answered this client.
    OtherServerHeard = "other_server_heard",
    /// The address asked for does not belong to the client's network.
    WrongNetwork = "wrong_network",
    /// The address asked for is leased to another client, or kept for one.
    AddressTaken = "address_taken",
    /// The client's lease is for another address.
    OtherLease = "other_lease",
    /// The client remembers an address that we have no record of; another server may.
    NoRecord = "no_record",
    /// The ledger could not be written, so no address was promised.
    NotWritten = "not_written",
    /// The message is of a kind or form that servers do not answer.
    NotForServers = "not_for_servers",
    /// The client found its address in use by somebody else.
    AddressInUse = "address_in_use",
    /// The client gave its address back.
    GivenBack = "given_back",
    /// The boot server beside another DHCP server was asked (port 4011).
    BootServerAsked = "boot_server_asked",

    /// Not known and `boot.unknown = "collect"`.
    UnknownCollect = "unknown_collect",
    /// Not known and `boot.unknown = "local"`.
    UnknownLocal = "unknown_local",
    /// Known, without an installed system that we know of: its hardware is collected again.
    KnownCollect = "known_collect",
    /// Reported, and `boot.after_facts = "reboot"`: its own disk.
    ReportedLocal = "reported_local",
    /// In service, in maintenance or retired: its own disk.
    InServiceLocal = "in_service_local",
    /// An installation of this host runs: its installer.
    InstallOpen = "install_open",
    /// Its installer has ended: its own disk.
    InstallLocal = "install_local",
    /// A person at the console has chosen the disk.
    ChosenLocal = "chosen_local",
    /// A person at the console has chosen the collection image.
    ChosenCollect = "chosen_collect",
    /// A person at the console has chosen the memory test.
    ChosenMemoryTest = "chosen_memory_test",
    /// There is no collection image.
    NoImage = "no_image",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_differ() {
        let words: std::collections::BTreeSet<_> = Rule::ALL.iter().map(|rule| rule.as_str()).collect();
        assert_eq!(words.len(), Rule::ALL.len());
    }
}
