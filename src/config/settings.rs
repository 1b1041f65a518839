//! The table of keys: name, type, default and meaning of every setting, written once.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use super::{
    Key, Reader, Row,
    setting::{DatabaseUrl, HttpUrl, LogFilter, LogFormat, Port, Setting},
    subnets::SubnetSettings,
};
use crate::{
    boot::{AfterFacts, MacPattern, UnknownBoots},
    ipam::{AddressRange, Mode},
};

/// Where people put installation trees.
const TREE_ROOTS: [&str; 5] = ["/srv", "/mnt", "/media", "/var/www", "/var/ftp"];

/// A value with where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sourced<T> {
    /// The value.
    pub value: T,
    /// Where it comes from.
    pub origin: super::Origin,
}

/// Every setting of a running Muster.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `[server]`
    pub server: Server,
    /// `[database]`
    pub database: Database,
    /// `[http]`
    pub http: Http,
    /// `[boot]`
    pub boot: Boot,
    /// `[boot.loaders]`
    pub loaders: Loaders,
    /// `[dhcp]`
    pub dhcp: Dhcp,
    /// `[[dhcp.subnets]]`, in order of network.
    pub subnets: Vec<SubnetSettings>,
    /// `[tftp]`
    pub tftp: Tftp,
    /// `[syslog]`
    pub syslog: Syslog,
    /// `[templates]`
    pub templates: Templates,
    /// `[log]`
    pub log: Log,
}

/// Makes a struct per section with a [`Sourced`] field per key, and the section's part of the list of keys.
macro_rules! sections {
    ($(
        $(#[$section_doc:meta])*
        $section:ident $title:literal {
            $( $(#[doc = $doc:literal])+ $field:ident: $type:ty = $name:literal, $default:expr; )*
        }
    )*) => {$(
        $(#[$section_doc])*
        #[derive(Debug, Clone)]
        pub struct $section { $( $(#[doc = $doc])+ pub $field: Sourced<$type>, )* }

        impl $section {
            pub(super) fn read(reader: &mut Reader) -> Self {
                Self { $( $field: reader.take($name, || $default), )* }
            }

            pub(super) fn rows(&self, section: &str) -> Vec<Row> {
                vec![$( Row {
                    key: format!("{section}.{}", $name),
                    value: self.$field.value.show(),
                    origin: self.$field.origin.clone(),
                }, )*]
            }

            pub(super) fn keys() -> Vec<Key> {
                vec![$( Key {
                    section: $title,
                    name: $name,
                    kind: <$type as Setting>::KIND,
                    doc: [$($doc),+].map(str::trim).join(" "),
                    default: { let default: $type = $default; default.show() },
                    example: None,
                }, )*]
            }
        }
    )*};
}

sections! {
    /// Muster itself.
    Server "server" {
        /// Folder for what Muster keeps: the database, unless it is elsewhere.
        data_dir: PathBuf = "data_dir", PathBuf::from("/var/lib/muster");
    }

    /// The ledger.
    Database "database" {
        /// SQLite or PostgreSQL. Not set: `muster.db` in `server.data_dir`.
        url: Option<DatabaseUrl> = "url", None;
    }

    /// The page and its API.
    Http "http" {
        /// Where people reach the page and the API.
        listen: SocketAddr = "listen", SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8080));
        /// People reach the page by HTTPS, through a proxy that ends TLS: browsers then send cookies by HTTPS only, and
        /// nobody can sign in by plain HTTP.
        https: bool = "https", false;
        /// Addresses of proxies in front of the page. What they say in X-Forwarded-For is believed, and how many
        /// connections they have is bounded in all only. Others' word is not taken.
        proxies: Vec<IpAddr> = "proxies", Vec::new();
    }

    /// What machines that boot are given.
    Boot "boot" {
        /// Where machines fetch scripts, loaders and the image. Not set: they use `http.listen`.
        listen: Option<SocketAddr> = "listen", None;
        /// Folder with the collection image: `vmlinuz` and `initrd`.
        image_dir: PathBuf = "image_dir", PathBuf::from("/usr/share/muster/image");
        /// Folder with the boot loaders.
        loader_dir: PathBuf = "loader_dir", PathBuf::from("/usr/share/muster/loaders");
        /// Folder with the installation trees: one folder, or a link to one, for each distribution.
        tree_dir: PathBuf = "tree_dir", PathBuf::from("/var/lib/muster/trees");
        /// Folders that a distro's tree may lie in beside `boot.tree_dir`: what lies here is served on the boot network
        /// once it is entered as a tree, as far as every user of this server may read it.
        tree_roots: Vec<PathBuf> = "tree_roots", TREE_ROOTS.map(PathBuf::from).to_vec();
        /// URL of the boot listener as machines reach it. Not set: made of the address that answers them.
        url: Option<HttpUrl> = "url", None;
        /// What an unknown machine boots: the collection image, or its own disk.
        unknown: UnknownBoots = "unknown", UnknownBoots::Collect;
        /// What a machine does when its facts are accepted.
        after_facts: AfterFacts = "after_facts", AfterFacts::Wait;
        /// How long a machine may take from its boot script to its facts.
        token_lifetime: Duration = "token_lifetime", Duration::from_secs(1800);
        /// Added to the kernel command line of the collection image.
        kernel_options: String = "kernel_options", String::new();
        /// Show a menu at the console of every machine for this long, before it goes on with what was decided for it.
        /// Not set: no menu.
        menu: Option<Duration> = "menu", None;
        /// Machines that are never answered.
        refuse: Vec<MacPattern> = "refuse", Vec::new();
    }

    /// Boot loader by firmware, as a file of `boot.loader_dir`; an empty name leaves that firmware without one.
    Loaders "boot.loaders" {
        /// For BIOS.
        x86_bios: String = "x86-bios", "undionly.kpxe".to_owned();
        /// For 32-bit UEFI.
        x86_uefi: String = "x86-uefi", "snponly-x86.efi".to_owned();
        /// For UEFI on x86-64.
        x64_uefi: String = "x64-uefi", "snponly.efi".to_owned();
        /// For UEFI on arm64.
        arm64_uefi: String = "arm64-uefi", "snponly-arm64.efi".to_owned();
        /// For UEFI HTTP boot on x86-64.
        x64_http: String = "x64-http", "snponly.efi".to_owned();
        /// For UEFI HTTP boot on arm64.
        arm64_http: String = "arm64-http", "snponly-arm64.efi".to_owned();
    }

    /// Addresses.
    Dhcp "dhcp" {
        /// Listen for DHCP at all. What is answered is decided by each subnet's mode.
        enabled: bool = "enabled", true;
        /// The server's port. Only tests use another than 67.
        port: Port = "port", Port(67);
        /// The clients' port. Only tests use another than 68.
        client_port: Port = "client_port", Port(68);
        /// The port of boot servers beside another DHCP server.
        proxy_port: Port = "proxy_port", Port(4011);
        /// Interfaces to listen on. Empty: all.
        interfaces: Vec<String> = "interfaces", Vec::new();
    }

    /// File transfer to firmware.
    Tftp "tftp" {
        /// Serve the boot loaders by TFTP.
        enabled: bool = "enabled", true;
        /// The server's port. Only tests use another than 69.
        port: Port = "port", Port(69);
    }

    /// Log lines of installers.
    Syslog "syslog" {
        /// Listen for the log lines of machines that are being installed, by UDP and TCP.
        enabled: bool = "enabled", false;
        /// The port. Installers are told of it.
        port: Port = "port", Port(514);
    }

    /// Templates of answer files.
    Templates "templates" {
        /// Folder with the site's own templates and snippets, which come before those of the same name that Muster has.
        dir: PathBuf = "dir", PathBuf::from("/etc/muster/templates");
    }

    /// What Muster writes of its own doings, on standard error.
    Log "log" {
        /// A level, or levels by room: `info,muster::net=debug`.
        filter: LogFilter = "filter", LogFilter("info".to_owned());
        /// For people, or a JSON object a line.
        format: LogFormat = "format", LogFormat::Text;
    }

    /// The keys of a subnet that have a default; `network` and `reservations` are read apart.
    SubnetKeys "dhcp.subnets" {
        /// What Muster does here: observe answers nobody, proxy gives boot information beside another DHCP server,
        /// reserved gives addresses to known hosts only, pool to everybody.
        mode: Mode = "mode", Mode::Observe;
        /// Addresses for machines without a reservation. Mode pool needs some.
        ranges: Vec<AddressRange> = "ranges", Vec::new();
        /// Default gateway told to machines.
        router: Option<Ipv4Addr> = "router", None;
        /// Name servers told to machines.
        dns: Vec<Ipv4Addr> = "dns", Vec::new();
        /// Domain told to machines.
        domain: Option<String> = "domain", None;
        /// Time servers told to machines.
        ntp: Vec<Ipv4Addr> = "ntp", Vec::new();
        /// How long an address is given for.
        lease_time: Duration = "lease_time", Duration::from_secs(3600);
    }
}

impl Settings {
    /// The database's URL, given or made of the data folder.
    #[must_use]
    pub fn database_url(&self) -> DatabaseUrl {
        self.database
            .url
            .value
            .clone()
            .unwrap_or_else(|| DatabaseUrl::sqlite(&self.server.data_dir.value.join("muster.db")))
    }

    /// Where machines reach the boot routes.
    #[must_use]
    pub fn boot_listen(&self) -> SocketAddr {
        self.boot.listen.value.unwrap_or(self.http.listen.value)
    }

    /// The keys that are not about one subnet, with what a person has to know of each.
    #[must_use]
    pub fn keys() -> Vec<Key> {
        [
            Server::keys(),
            Database::keys(),
            Http::keys(),
            Boot::keys(),
            Loaders::keys(),
            Dhcp::keys(),
            Tftp::keys(),
            Syslog::keys(),
            Templates::keys(),
            Log::keys(),
        ]
        .concat()
    }

    /// Every value with where it comes from, in the order of the table.
    #[must_use]
    pub fn rows(&self) -> Vec<Row> {
        let mut rows = [
            self.server.rows("server"),
            self.database.rows("database"),
            self.http.rows("http"),
            self.boot.rows("boot"),
            self.loaders.rows("boot.loaders"),
            self.dhcp.rows("dhcp"),
        ]
        .concat();
        for subnet in &self.subnets {
            rows.extend(subnet.rows());
        }
        rows.extend(self.tftp.rows("tftp"));
        rows.extend(self.syslog.rows("syslog"));
        rows.extend(self.templates.rows("templates"));
        rows.extend(self.log.rows("log"));
        rows
    }

    pub(super) fn read(
        reader: &mut Reader,
    ) -> (
        Server,
        Database,
        Http,
        Boot,
        Loaders,
        Dhcp,
        Tftp,
        Syslog,
        Templates,
        Log,
    ) {
        (
            reader.section("server", Server::read),
            reader.section("database", Database::read),
            reader.section("http", Http::read),
            reader.section("boot", Boot::read),
            reader.section("boot.loaders", Loaders::read),
            reader.section("dhcp", Dhcp::read),
            reader.section("tftp", Tftp::read),
            reader.section("syslog", Syslog::read),
            reader.section("templates", Templates::read),
            reader.section("log", Log::read),
        )
    }
}
