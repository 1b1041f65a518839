use std::{
    fmt::Write as _,
    fs,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket},
    path::{Path, PathBuf},
};

use rand::RngExt;

use super::{NETWORK, RELAY, TrialError};

/// Sizes of the made-up files: those of iPXE, and far less than a kernel's.
const LOADER_BYTES: usize = 180 << 10;
const IMAGE_BYTES: usize = 1 << 20;

/// How the server of a site is set up.
#[derive(Debug, Clone)]
pub struct SitePlan {
    /// Where the page is; a free port when none is given.
    pub page: Option<SocketAddr>,
    /// The database; SQLite in the site's folder when none is given.
    pub database_url: Option<String>,
    /// A folder with `vmlinuz`, `initrd` and `loaders`; made-up files when none is given.
    pub image: Option<PathBuf>,
    /// Leave out the loader for arm64 machines.
    pub without_arm64_loader: bool,
    /// Patterns of MAC addresses that the server never answers.
    pub refuse: Vec<String>,
    /// The server's log filter.
    pub log: String,
}

impl Default for SitePlan {
    fn default() -> Self {
        Self {
            page: None,
            database_url: None,
            image: None,
            without_arm64_loader: false,
            refuse: Vec::new(),
            log: "warn".to_owned(),
        }
    }
}

/// A folder with settings, files and data of one server on loopback; deleted when dropped.
#[derive(Debug)]
pub struct Site {
    folder: tempfile::TempDir,
    page: SocketAddr,
    boot: SocketAddr,
    dhcp: u16,
    proxy: u16,
    tftp: u16,
    setup_token: String,
}

impl Site {
    /// Chooses free ports and writes everything.
    ///
    /// # Errors
    /// When the folder cannot be written, or no port is free.
    pub fn create(plan: &SitePlan) -> Result<Self, TrialError> {
        let folder = tempfile::Builder::new()
            .prefix("muster-trial-")
            .tempdir()
            .map_err(TrialError::io("making a folder"))?;
        let ports = Ports::find().map_err(TrialError::io("finding free ports"))?;
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let site = Self {
            page: plan.page.unwrap_or_else(|| local(ports.page)),
            boot: local(ports.boot),
            dhcp: ports.dhcp,
            proxy: ports.proxy,
            tftp: ports.tftp,
            setup_token: rand::rng()
                .sample_iter(rand::distr::Alphanumeric)
                .take(32)
                .map(char::from)
                .collect(),
            folder,
        };
        site.write(plan)?;
        Ok(site)
    }

    /// The settings file.
    #[must_use]
    pub fn settings(&self) -> PathBuf {
        self.folder.path().join("muster.toml")
    }

    /// The file that takes what the server says.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// Where the page and the API are.
    #[must_use]
    pub const fn page(&self) -> SocketAddr {
        self.page
    }

    /// Where machines fetch scripts and post facts.
    #[must_use]
    pub const fn boot(&self) -> SocketAddr {
        self.boot
    }

    /// The server's DHCP socket.
    #[must_use]
    pub const fn dhcp(&self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.dhcp)
    }

    /// The socket for boot clients beside another DHCP server.
    #[must_use]
    pub const fn proxy(&self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.proxy)
    }

    /// The server's TFTP socket.
    #[must_use]
    pub const fn tftp(&self) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, self.tftp)
    }

    /// Where the machines' relay listens: a free port.
    #[must_use]
    pub const fn relay(&self) -> SocketAddrV4 {
        SocketAddrV4::new(RELAY, 0)
    }

    /// What makes the first account.
    #[must_use]
    pub fn setup_token(&self) -> &str {
        &self.setup_token
    }

    fn write(&self, plan: &SitePlan) -> Result<(), TrialError> {
        let root = self.folder.path();
        let (image, loaders) = match &plan.image {
            Some(image) => (image.clone(), image.join("loaders")),
            None => (root.join("image"), root.join("loaders")),
        };
        for folder in [&root.join("data"), &image, &loaders] {
            fs::create_dir_all(folder).map_err(TrialError::io(format!("making {}", folder.display())))?;
        }
        if plan.image.is_none() {
            make_files(&image, &["vmlinuz", "initrd"], IMAGE_BYTES)?;
            make_files(
                &loaders,
                &["undionly.kpxe", "snponly.efi", "snponly-x86.efi"],
                LOADER_BYTES,
            )?;
            if !plan.without_arm64_loader {
                make_files(&loaders, &["snponly-arm64.efi"], LOADER_BYTES)?;
            }
        }
        let file = self.settings();
        fs::write(&file, self.text(plan, &image, &loaders))
            .map_err(TrialError::io(format!("writing {}", file.display())))
    }

    /// The text of `muster.toml`.
    fn text(&self, plan: &SitePlan, image: &Path, loaders: &Path) -> String {
        // A JSON text is a TOML text as well, escapes included.
        let text = |value: String| serde_json::Value::from(value).to_string();
        let path = |value: &Path| text(value.display().to_string());
        let refuse: Vec<String> = plan.refuse.iter().cloned().map(text).collect();
        let mut out = format!(
            "[server]\ndata_dir = {}\n\n[http]\nlisten = \"{}\"\n\n[boot]\nlisten = \"{}\"\nimage_dir = {}\n\
             loader_dir = {}\nrefuse = [{}]\n\n[dhcp]\nport = {}\nproxy_port = {}\ninterfaces = [\"lo\"]\n\n\
             [[dhcp.subnets]]\nnetwork = \"{NETWORK}\"\nmode = \"pool\"\nranges = [\"127.77.1.0-127.77.254.255\"]\n\
             router = \"{RELAY}\"\nlease_time = \"1h\"\n\n[tftp]\nport = {}\n\n[log]\nfilter = {}\n",
            path(&self.folder.path().join("data")),
            self.page,
            self.boot,
            path(image),
            path(loaders),
            refuse.join(", "),
            self.dhcp,
            self.proxy,
            self.tftp,
            text(plan.log.clone()),
        );
        if let Some(url) = &plan.database_url {
            let _ = write!(out, "\n[database]\nurl = {}\n", text(url.clone()));
        }
        out
    }
}

/// Ports that were free a moment ago.
struct Ports {
    page: u16,
    boot: u16,
    dhcp: u16,
    proxy: u16,
    tftp: u16,
}

impl Ports {
    fn find() -> std::io::Result<Self> {
        // Held until all are found, so that no two are the same.
        let any = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
        let tcp = [TcpListener::bind(any)?, TcpListener::bind(any)?];
        let udp = [UdpSocket::bind(any)?, UdpSocket::bind(any)?, UdpSocket::bind(any)?];
        Ok(Self {
            page: tcp[0].local_addr()?.port(),
            boot: tcp[1].local_addr()?.port(),
            dhcp: udp[0].local_addr()?.port(),
            proxy: udp[1].local_addr()?.port(),
            tftp: udp[2].local_addr()?.port(),
        })
    }
}

fn make_files(folder: &Path, names: &[&str], bytes: usize) -> Result<(), TrialError> {
    for name in names {
        let file = folder.join(name);
        // Not a whole number of blocks, so that the last block is a short one.
        fs::write(&file, vec![0x5a; bytes + name.len()])
            .map_err(TrialError::io(format!("writing {}", file.display())))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_site_has_ports_of_its_own_and_every_file() {
        let site = Site::create(&SitePlan {
            without_arm64_loader: true,
            database_url: Some("postgres://u@h/\"d\"".to_owned()),
            refuse: vec!["52:54:00:aa:*".to_owned()],
            ..SitePlan::default()
        })
        .unwrap();
        let text = fs::read_to_string(site.settings()).unwrap();
        assert!(
            text.contains(&format!("[tftp]\nport = {}\n", site.tftp().port())),
            "{text}"
        );
        assert!(text.contains(r#"url = "postgres://u@h/\"d\"""#), "{text}");
        assert!(text.contains(r#"refuse = ["52:54:00:aa:*"]"#), "{text}");
        let folder = site.settings().parent().unwrap().to_path_buf();
        assert!(folder.join("image/initrd").exists() && folder.join("loaders/snponly.efi").exists());
        assert!(!folder.join("loaders/snponly-arm64.efi").exists());
        drop(site);
        assert!(!folder.exists());
    }
}
