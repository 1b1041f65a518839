//! Can each distro be installed from its tree?

use super::{Finding, Weight};
use crate::{
    desired::{Distro, Objects},
    provision::{tree_folders::TreeFolders, tree_looks::TreeLooks},
    store::{Store, StoreError},
};

const ABOUT: &str = "distros";

/// One finding for each distro that lacks something, or one for all of them.
pub(super) async fn look(url: &str, trees: &TreeFolders) -> Vec<Finding> {
    match objects(url).await {
        // That the ledger cannot be read is told elsewhere, or it is not there yet.
        Err(_) => Vec::new(),
        Ok(objects) => of(&objects, trees).await,
    }
}

async fn objects(url: &str) -> Result<Objects, StoreError> {
    let store = Store::open(url).await?;
    let objects = store.desired_objects().await;
    store.close().await?;
    objects
}

async fn of(objects: &Objects, trees: &TreeFolders) -> Vec<Finding> {
    let looks = TreeLooks::default();
    let mut lacking = Vec::new();
    for distro in objects.distros.values() {
        lacking.extend(finding(distro, trees, &looks).await);
    }
    let all = objects.distros.len();
    if lacking.is_empty() && all > 0 {
        let what = match all {
            1 => "the tree of the one distro has its kernel and initrd, or is served by others".to_owned(),
            all => format!("the trees of all {all} distros have their kernel and initrd, or are served by others"),
        };
        return vec![Finding::ok(ABOUT, what)];
    }
    lacking
}

async fn finding(distro: &Distro, trees: &TreeFolders, looks: &TreeLooks) -> Option<Finding> {
    let fault = match distro.check() {
        Ok(()) => looks.check(trees, distro).await.err()?,
        Err(fault) => fault,
    };
    let value = fault
        .value
        .as_ref()
        .map(|value| format!(" = `{value}`"))
        .unwrap_or_default();
    Some(Finding::new(
        Weight::Warn,
        ABOUT,
        format!("{}: {}{value}: {}", distro.name, fault.field, fault.why),
        "no host can be installed with this distro",
        format!("{} (`muster distro edit {}`)", fault.advice, distro.name),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::desired::{Family, Tree, Values};

    #[tokio::test]
    async fn each_distro_says_what_it_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let trees = TreeFolders {
            tree_dir: folder.path().to_path_buf(),
            roots: Vec::new(),
        };
        let distro = |name: &str, tree: Tree| Distro {
            name: name.to_owned(),
            family: Family::Debian,
            id: "debian".to_owned(),
            version: "13".to_owned(),
            codename: None,
            arch: "x86_64".to_owned(),
            tree,
            kernel: "linux".to_owned(),
            initrd: "initrd.gz".to_owned(),
            values: Values::default(),
        };
        let mut objects = Objects::default();
        let mut enter = |distro: Distro| objects.distros.insert(distro.name.clone(), distro);
        enter(distro("far", Tree::Url("http://mirror/debian".to_owned())));
        let gone = folder.path().join("gone").to_string_lossy().into_owned();
        assert!(enter(distro("gone", Tree::Path(gone))).is_none());
        let findings = of(&objects, &trees).await;
        assert_eq!(findings.len(), 1, "{findings:?}");
        let text = format!("{:?}", findings[0]);
        for part in ["gone: tree = ", "no such folder", "muster distro edit gone"] {
            assert!(text.contains(part), "{part}: {text}");
        }
        objects.distros.remove("gone");
        assert_eq!(of(&objects, &trees).await[0].weight, Weight::Ok);
    }
}
