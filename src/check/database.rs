//! Can the ledger be reached, and is its schema up to date?

use std::{path::Path, time::Duration};

use nix::unistd::{AccessFlags, access};

use super::{Finding, Weight};
use crate::store::{Store, StoreError};

const ABOUT: &str = "database";

/// A database server that does not answer in this time is as good as none. Longer than the ledger itself waits, which says
/// more of the reason.
const PATIENCE: Duration = Duration::from_secs(10);

/// `shown` is the URL without its password.
pub(super) async fn look(url: &str, shown: &str) -> Finding {
    if let Some(path) = sqlite_file(url)
        && !path.exists()
    {
        return not_there_yet(path);
    }
    let unreachable = |why: String| {
        Finding::new(
            Weight::Fail,
            ABOUT,
            format!("{shown} cannot be reached: {why}"),
            "Muster keeps every lease and report there and does not start without it",
            "start the database, or mend database.url",
        )
    };
    match tokio::time::timeout(PATIENCE, pending(url)).await {
        Err(_) => unreachable(format!("no answer in {} seconds", PATIENCE.as_secs())),
        Ok(Err(StoreError::Unreachable { address, why })) => unreachable(format!("{address}: {why}")),
        Ok(Err(error)) => unreachable(error.to_string()),
        Ok(Ok(pending)) if pending.is_empty() => {
            Finding::ok(ABOUT, format!("{shown} is reachable and its schema is up to date"))
        }
        Ok(Ok(pending)) => Finding::new(
            Weight::Warn,
            ABOUT,
            format!(
                "{shown} lacks {} schema {}: {}",
                pending.len(),
                if pending.len() == 1 { "change" } else { "changes" },
                pending.join(", ")
            ),
            "an older schema cannot hold what this version keeps",
            "run `muster migrate`; `muster serve` does it too when it starts",
        ),
    }
}

async fn pending(url: &str) -> Result<Vec<String>, StoreError> {
    let store = Store::open(url).await?;
    let pending = store.pending_migrations().await;
    store.close().await?;
    pending
}

/// The file of a SQLite URL: `sqlite:///path?mode=…`.
fn sqlite_file(url: &str) -> Option<&Path> {
    let path = url.strip_prefix("sqlite://")?;
    let path = path.split_once('?').map_or(path, |(path, _)| path);
    (!path.starts_with(':')).then(|| Path::new(path))
}

/// A first start makes the file and its folder, when it may.
fn not_there_yet(path: &Path) -> Finding {
    let folder = path
        .ancestors()
        .skip(1)
        .map(|folder| {
            if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder
            }
        })
        .find(|folder| folder.exists());
    match folder {
        Some(folder) if folder.is_dir() && access(folder, AccessFlags::W_OK | AccessFlags::X_OK).is_ok() => {
            Finding::ok(ABOUT, format!("{} will be made at the first start", path.display()))
        }
        folder => Finding::new(
            Weight::Fail,
            ABOUT,
            format!(
                "{} does not exist, and this user may not make it in {}",
                path.display(),
                folder.unwrap_or(Path::new("/")).display()
            ),
            "Muster keeps every lease and report there and does not start without it",
            "give the user of the service this folder, or set server.data_dir or database.url",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_seen_in_urls() {
        assert_eq!(sqlite_file("sqlite:///var/a.db?mode=rwc"), Some(Path::new("/var/a.db")));
        assert_eq!(sqlite_file("sqlite://a.db"), Some(Path::new("a.db")));
        assert_eq!(sqlite_file("sqlite::memory:"), None);
        assert_eq!(sqlite_file("postgres://a/b"), None);
    }

    #[tokio::test]
    async fn a_new_file_can_be_made_and_an_old_schema_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/muster.db");
        let url = format!("sqlite://{}", path.display());
        assert_eq!(look(&url, &url).await.weight, Weight::Ok);

        std::fs::create_dir(dir.path().join("deep")).unwrap();
        std::fs::write(&path, b"").unwrap();
        let old = look(&url, &url).await;
        assert_eq!(old.weight, Weight::Warn, "{old:?}");
        let store = Store::open(&url).await.unwrap();
        store.migrate().await.unwrap();
        assert_eq!(look(&url, &url).await.weight, Weight::Ok);

        std::fs::write(
            dir.path().join("text.db"),
            b"not a database, but long enough to be read as one",
        )
        .unwrap();
        let url = format!("sqlite://{}/text.db", dir.path().display());
        assert_eq!(look(&url, &url).await.weight, Weight::Fail);
    }
}
