//! The server under trial: its settings file, its process, and its set-up token.

use std::{
    fmt::Write as _,
    fs,
    net::{Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{Console, LabError, Namespace, Process};

/// How long the server may take from its start to `ready`; a debug build migrates a new database in that time.
const READY_LIMIT: Duration = Duration::from_secs(60);

/// Kernel options of the collection image. An emulated machine that the host lets wait sees its timer fail the kernel's
/// check of it, and the kernel would stop there.
const KERNEL_OPTIONS: &str = "console=ttyS0 no_timer_check";

/// A subnet in the server's settings.
#[derive(Debug, Clone)]
pub struct SubnetSettings {
    /// `observe`, `proxy`, `reserved` or `pool`.
    pub mode: &'static str,
    /// The network, as `10.77.0.0/24`.
    pub network: String,
    /// First and last address given out; none outside `pool`.
    pub range: Option<(Ipv4Addr, Ipv4Addr)>,
    /// The router told to clients.
    pub router: Ipv4Addr,
}

/// The settings of a server in a lab.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where the page and the API are.
    pub page: SocketAddr,
    /// Where machines fetch scripts and post facts.
    pub boot: SocketAddr,
    /// Folder of the collection image.
    pub image_dir: PathBuf,
    /// Folder of the boot loaders.
    pub loader_dir: PathBuf,
    /// Folder of the installation trees.
    pub tree_dir: PathBuf,
    /// What a reported machine is told: `wait`, `reboot` or `poweroff`.
    pub after_facts: &'static str,
    /// More lines of the `[boot]` table.
    pub boot_more: String,
    /// The subnets.
    pub subnets: Vec<SubnetSettings>,
    /// More lines of TOML, for tables not written here.
    pub more: String,
}

impl Settings {
    /// The settings as the text of `muster.toml`; the server keeps its data in `data_dir`.
    pub fn text(&self, data_dir: &Path) -> String {
        // A JSON text is a TOML text as well, escapes included.
        let text = |value: &Path| serde_json::Value::from(value.display().to_string()).to_string();
        let mut out = format!(
            "[server]\ndata_dir = {}\n\n[http]\nlisten = \"{}\"\n\n[boot]\nlisten = \"{}\"\nimage_dir = {}\n\
             loader_dir = {}\ntree_dir = {}\ntree_roots = [\"/\"]\nafter_facts = \"{}\"\nkernel_options = \"{KERNEL_OPTIONS}\"\n{}\n[log]\nfilter = \"info\"\n",
            text(data_dir),
            self.page,
            self.boot,
            text(&self.image_dir),
            text(&self.loader_dir),
            text(&self.tree_dir),
            self.after_facts,
            self.boot_more,
        );
        for subnet in &self.subnets {
            let ranges = subnet
                .range
                .map(|(first, last)| format!("\"{first}-{last}\""))
                .unwrap_or_default();
            let _ = write!(
                out,
                "\n[[dhcp.subnets]]\nnetwork = \"{}\"\nmode = \"{}\"\nranges = [{ranges}]\nrouter = \"{}\"\n",
                subnet.network, subnet.mode, subnet.router
            );
        }
        out.push('\n');
        out.push_str(&self.more);
        out
    }
}

/// A running server; it is killed when this is dropped.
#[derive(Debug)]
pub struct Server {
    process: Process,
}

impl Server {
    /// Starts `binary serve` in a namespace and waits until it is ready.
    ///
    /// `folder` holds its settings and data, and may be given again to start on what an earlier server left;
    /// `setup_token` makes the first account.
    ///
    /// # Errors
    /// When the server ends or is not ready within a minute; the error holds its last lines.
    pub fn start(
        binary: &Path,
        namespace: &Namespace,
        settings: &Settings,
        setup_token: &str,
        folder: &Path,
        log: &Path,
    ) -> Result<Self, LabError> {
        let data_dir = folder.join("data");
        fs::create_dir_all(&data_dir).map_err(LabError::io(format!("creating {}", data_dir.display())))?;
        let file = folder.join("muster.toml");
        fs::write(&file, settings.text(&data_dir)).map_err(LabError::io(format!("writing {}", file.display())))?;
        let arguments = ["serve".to_owned(), "--config".to_owned(), file.display().to_string()];
        let environment = [("MUSTER_SETUP_TOKEN", setup_token)];
        let process = Process::start("muster", namespace, binary, &arguments, &environment, log)?;
        process.console().wait_for("ready", READY_LIMIT)?;
        Ok(Self { process })
    }

    /// What the server logs.
    pub fn console(&self) -> &Console {
        self.process.console()
    }

    /// Asks the server to end and waits for it.
    ///
    /// # Errors
    /// When it has not drained within `limit`.
    pub fn finish(self, limit: Duration) -> Result<(), LabError> {
        self.process.finish(limit)
    }

    /// Kills the server as a power cut would.
    pub fn kill(&mut self) {
        self.process.kill();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_written_table_by_table() {
        let settings = Settings {
            page: "10.77.0.1:8080".parse().unwrap(),
            boot: "10.77.0.1:8081".parse().unwrap(),
            image_dir: "/image".into(),
            loader_dir: "/with \"quotes\"".into(),
            tree_dir: "/trees".into(),
            after_facts: "wait",
            boot_more: "menu = \"10s\"\n".into(),
            subnets: vec![SubnetSettings {
                mode: "pool",
                network: "10.77.0.0/24".into(),
                range: Some((Ipv4Addr::new(10, 77, 0, 100), Ipv4Addr::new(10, 77, 0, 200))),
                router: Ipv4Addr::new(10, 77, 0, 1),
            }],
            more: "[tftp]\nport = 69\n".into(),
        };
        let text = settings.text(Path::new("/data"));
        assert!(text.contains("loader_dir = \"/with \\\"quotes\\\"\"\n"), "{text}");
        assert!(text.contains("ranges = [\"10.77.0.100-10.77.0.200\"]\n"), "{text}");
        assert!(text.ends_with("[tftp]\nport = 69\n"));
    }
}
