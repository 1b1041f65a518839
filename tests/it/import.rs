//! Trees are imported, also from images, and served under the distro's name.

use std::{
    fs,
    future::{pending, ready},
    net::SocketAddr,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::ConnectInfo,
    http::{Request, StatusCode, header},
};
use chrono::Utc;
use muster::{
    desired::{Parent, Tree, recognise::Choice},
    http::boot::tree_router,
    provision::{
        Catalog,
        import::{ImportAsked, ImportFault, Imported, import_tree},
        install::{GivenPlans, Installs},
        tree_folders::TreeFolders,
        trees::Trees,
    },
};
use tempfile::TempDir;
use tower::ServiceExt;

use super::site::Site;

struct Rig {
    site: Site,
    catalog: Catalog,
    folder: TempDir,
}

impl Rig {
    async fn new() -> Self {
        let site = Site::new().await;
        let folder = tempfile::tempdir().unwrap();
        open(folder.path());
        Self {
            catalog: Catalog::new(site.store.clone(), &[]),
            folder,
            site,
        }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn asked(&self, from: &str, name: &str) -> ImportAsked {
        ImportAsked {
            from: self.at(from),
            name: name.to_owned(),
            url: None,
            choice: Choice::default(),
            folders: self.folders(),
        }
    }

    fn folders(&self) -> TreeFolders {
        TreeFolders {
            tree_dir: self.at("trees"),
            roots: vec![self.at("mnt")],
        }
    }

    async fn import(&self, asked: &ImportAsked) -> Result<Imported, ImportFault> {
        import_tree(&self.catalog, asked, "test", Utc::now(), pending()).await
    }

    async fn router(&self) -> Router {
        let installs = Installs::open(&self.site.discovery, Arc::new(GivenPlans::default()), None)
            .await
            .unwrap();
        tree_router(Trees::new(self.folders(), Some(self.catalog.clone())), installs)
    }

    /// What lies in the folder of trees, hidden or not.
    fn trees(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.at("trees")) else {
            return Vec::new();
        };
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    }
}

fn open(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).unwrap();
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn netboot(folder: &Path) {
    write(
        &folder.join("version.info"),
        "Debian version:  12 (bookworm)\nInstaller build: 20230607+deb12u12\n",
    );
    write(&folder.join("debian-installer/amd64/linux"), "0123456789");
    write(&folder.join("debian-installer/amd64/initrd.gz"), "initrd");
}

async fn get(router: &Router, path: &str, range: Option<&str>) -> (StatusCode, String) {
    let mut request = Request::get(path).extension(ConnectInfo(SocketAddr::from(([10, 77, 0, 50], 40_000))));
    if let Some(range) = range {
        request = request.header(header::RANGE, range);
    }
    let response = router
        .clone()
        .oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap();
    let status = response.status();
    let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
    (status, String::from_utf8_lossy(&body).into_owned())
}

#[tokio::test]
async fn a_folder_is_served_from_where_it_is_under_the_name_of_its_distro() {
    let rig = Rig::new().await;
    netboot(&rig.at("mnt/bookworm"));
    write(&rig.at("mnt/secret"), "secret");
    symlink(rig.at("mnt/secret"), rig.at("mnt/bookworm/link")).unwrap();
    let imported = rig.import(&rig.asked("mnt/bookworm", "debian12")).await.unwrap();
    assert_eq!(imported.distro.codename.as_deref(), Some("bookworm"));
    assert!(
        imported.recognised.cautions[0].contains("--url"),
        "{:?}",
        imported.recognised.cautions
    );
    assert_eq!(rig.trees(), Vec::<String>::new(), "nothing was copied");

    let router = rig.router().await;
    let kernel = "/boot/tree/debian12/debian-installer/amd64/linux";
    assert_eq!(get(&router, kernel, None).await, (StatusCode::OK, "0123456789".into()));
    let doubled = kernel.replacen("debian12/", "debian12//", 1);
    assert_eq!(
        get(&router, &doubled, None).await,
        (StatusCode::OK, "0123456789".into())
    );
    assert_eq!(
        get(&router, kernel, Some("bytes=2-4")).await,
        (StatusCode::PARTIAL_CONTENT, "234".into())
    );
    for path in [
        "/boot/tree/debian12/link",
        "/boot/tree/debian12/../secret",
        "/boot/tree/debian12/%2e%2e/secret",
        "/boot/tree/debian12/debian-installer",
        "/boot/tree/debian12/debian-installer/",
        "/boot/tree/other/debian-installer/amd64/linux",
    ] {
        assert_eq!(get(&router, path, None).await.0, StatusCode::NOT_FOUND, "{path}");
    }
    // Its name is the catalog's; a tree that is closed on the server is closed to the network.
    rig.catalog
        .rename(&Parent::Distro("debian12".into()), "bookworm", "test", Utc::now())
        .await
        .unwrap();
    assert_eq!(get(&router, kernel, None).await.0, StatusCode::NOT_FOUND);
    let renamed = kernel.replace("debian12", "bookworm");
    assert_eq!(get(&router, &renamed, None).await.0, StatusCode::OK);
    fs::set_permissions(rig.at("mnt"), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(get(&router, &renamed, None).await.0, StatusCode::NOT_FOUND);
    let fault = rig
        .import(&rig.asked("mnt/bookworm", "again"))
        .await
        .unwrap_err()
        .to_string();
    assert!(fault.contains("chmod o+rX"), "{fault}");
}

#[tokio::test]
async fn a_mirror_elsewhere_is_entered_by_its_url() {
    let rig = Rig::new().await;
    netboot(&rig.at("netboot"));
    let mut asked = rig.asked("netboot", "debian12");
    asked.url = Some("http://deb.example.org/debian".into());
    let distro = rig.import(&asked).await.unwrap().distro;
    assert_eq!(distro.tree, Tree::Url("http://deb.example.org/debian".into()));
    assert_eq!(
        distro.kernel,
        "dists/bookworm/main/installer-amd64/current/images/netboot/debian-installer/amd64/linux"
    );
    asked.name = "other".into();
    asked.url = Some("deb.example.org".into());
    let fault = rig.import(&asked).await.unwrap_err().to_string();
    assert!(fault.contains("tree = `deb.example.org`"), "{fault}");
}

/// Makes an image of a folder; none where no program for it is installed.
fn image(of: &Path, to: &Path) -> Option<()> {
    for (program, first) in [("xorriso", &["-as", "mkisofs"][..]), ("genisoimage", &[])] {
        let made = Command::new(program)
            .args(first)
            .args(["-quiet", "-R", "-J", "-V", "TEST", "-o"])
            .arg(to)
            .arg(of)
            .output();
        if let Ok(made) = made {
            assert!(
                made.status.success(),
                "{program}: {}",
                String::from_utf8_lossy(&made.stderr)
            );
            return Some(());
        }
    }
    eprintln!("skipped: neither xorriso nor genisoimage is installed");
    None
}

#[tokio::test]
async fn an_image_is_unpacked_and_served_or_leaves_nothing() {
    let rig = Rig::new().await;
    let info = "Ubuntu-Server 24.04.1 LTS \"Noble Numbat\" - Release amd64 (20240827)\n";
    write(&rig.at("noble/.disk/info"), info);
    write(&rig.at("noble/casper/vmlinuz"), "kernel");
    write(&rig.at("noble/casper/initrd"), "initrd");
    write(&rig.at("noble/casper/install-sources.yaml"), "- id: ubuntu-server\n");
    let Some(()) = image(&rig.at("noble"), &rig.at("noble.iso")) else {
        return;
    };
    write(&rig.at("empty/README"), "nothing to install");
    image(&rig.at("empty"), &rig.at("empty.iso")).unwrap();

    let fault = rig.import(&rig.asked("empty.iso", "empty")).await.unwrap_err();
    if let ImportFault::Image(fault) = &fault
        && fault.to_string().contains("neither is installed")
    {
        eprintln!("skipped: neither bsdtar nor xorriso is installed");
        return;
    }
    assert!(matches!(fault, ImportFault::NotRecognised { .. }), "{fault}");
    assert_eq!(rig.trees(), Vec::<String>::new());
    let stopped = import_tree(
        &rig.catalog,
        &rig.asked("noble.iso", "noble"),
        "test",
        Utc::now(),
        ready(()),
    )
    .await;
    assert!(matches!(stopped, Err(ImportFault::Stopped) | Ok(_)));
    if stopped.is_ok() {
        // It was quicker than the word to stop.
        return;
    }
    assert_eq!(rig.trees(), Vec::<String>::new());

    // Cut off in the middle.
    let whole = fs::read(rig.at("noble.iso")).unwrap();
    fs::write(rig.at("cut.iso"), &whole[..40_000]).unwrap();
    assert!(rig.import(&rig.asked("cut.iso", "noble")).await.is_err());
    assert_eq!(rig.trees(), Vec::<String>::new());

    let imported = rig.import(&rig.asked("noble.iso", "noble")).await.unwrap();
    assert_eq!(
        (imported.distro.version.as_str(), imported.distro.kernel.as_str()),
        ("24.04", "casper/vmlinuz")
    );
    assert_eq!(imported.recognised.cautions, Vec::<String>::new());
    assert_eq!(rig.trees(), ["noble"]);
    let router = rig.router().await;
    assert_eq!(
        get(&router, "/boot/tree/noble/casper/initrd", None).await,
        (StatusCode::OK, "initrd".into())
    );
    // Ubuntu's installer fetches the image itself.
    let part = get(&router, "/boot/tree/noble/installer.iso", Some("bytes=32769-32773")).await;
    assert_eq!(part, (StatusCode::PARTIAL_CONTENT, "CD001".into()));

    // The name is taken by a folder, although the distro is gone.
    rig.catalog
        .remove(&Parent::Distro("noble".into()), "test", Utc::now())
        .await
        .unwrap();
    let fault = rig
        .import(&rig.asked("noble.iso", "noble"))
        .await
        .unwrap_err()
        .to_string();
    assert!(fault.contains("is there already"), "{fault}");
    assert_eq!(rig.trees(), ["noble"]);
}
