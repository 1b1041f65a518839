//! Folders of trees are looked at, and the share that one lies on may hang: then who asks is told so in time, and however
//! often it is asked, one thread of the server hangs with it.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::spawn_blocking,
    time::timeout,
};

use super::tree_folders::TreeFolders;
use crate::desired::{Distro, Fault, Tree};

/// How long the folder of a tree may take to be looked at. An installation's turn waits for it.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// Folders that are looked at at once: threads that shares which hang may hold.
const AT_ONCE: usize = 64;

/// What a look came to; none while it goes on.
type Seen = watch::Receiver<Option<Result<(), Fault>>>;

/// Looks at the folders of trees, at each one at a time. Cheap to clone; all clones share what is going on.
#[derive(Debug, Clone)]
pub struct TreeLooks {
    within: Duration,
    places: Arc<Semaphore>,
    going_on: Arc<Mutex<HashMap<PathBuf, Look>>>,
}

/// A look that goes on.
#[derive(Debug)]
struct Look {
    asked: Asked,
    seen: Seen,
}

/// What is asked of a folder: who asks the same gets the same answer.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Asked {
    kernel: String,
    initrd: String,
    arch: String,
    codename: Option<String>,
}

/// Ends a look, also one that panics, and frees its place.
struct Ends {
    _place: OwnedSemaphorePermit,
    going_on: Arc<Mutex<HashMap<PathBuf, Look>>>,
    folder: PathBuf,
}

impl Drop for Ends {
    fn drop(&mut self) {
        let mut going_on = self.going_on.lock().unwrap_or_else(PoisonError::into_inner);
        going_on.remove(&self.folder);
    }
}

impl Default for TreeLooks {
    fn default() -> Self {
        Self {
            within: ANSWERS_WITHIN,
            places: Arc::new(Semaphore::new(AT_ONCE)),
            going_on: Arc::default(),
        }
    }
}

impl TreeLooks {
    /// [`TreeFolders::check`] off the threads that answer machines, within five seconds.
    ///
    /// # Errors
    /// As there; or [`Fault`] on `tree` when its folder does not answer.
    pub async fn check(&self, folders: &TreeFolders, distro: &Distro) -> Result<(), Fault> {
        let Tree::Path(path) = &distro.tree else { return Ok(()) };
        let asked = Asked {
            kernel: distro.kernel.clone(),
            initrd: distro.initrd.clone(),
            arch: distro.arch.clone(),
            codename: distro.codename.clone(),
        };
        let (folders, distro) = (folders.clone(), distro.clone());
        self.look(Path::new(path), &asked, move || folders.check(&distro)).await
    }

    async fn look(
        &self,
        folder: &Path,
        asked: &Asked,
        work: impl FnOnce() -> Result<(), Fault> + Send + 'static,
    ) -> Result<(), Fault> {
        let fault = |why: String, advice: &str| Err(Fault::new("tree", &folder.to_string_lossy(), why, advice));
        match timeout(self.within, self.seen(folder, asked, work)).await {
            Ok(Some(seen)) => seen,
            Ok(None) => fault(
                "it could not be looked at because of a fault of the server".to_owned(),
                "look at the log of the server",
            ),
            Err(_) => fault(
                format!(
                    "the folder does not answer: it is still being looked at after {} seconds",
                    self.within.as_secs()
                ),
                "see whether the share that it lies on is mounted and up",
            ),
        }
    }

    /// What a look comes to: one that goes on and asks the same, else one of our own when none goes on. None when it was
    /// stopped by a panic.
    async fn seen(
        &self,
        folder: &Path,
        asked: &Asked,
        work: impl FnOnce() -> Result<(), Fault> + Send + 'static,
    ) -> Option<Result<(), Fault>> {
        let (mut place, mut work) = (None, Some(work));
        loop {
            let Some((same, mut seen)) = self.going_on(folder, asked, &mut place, &mut work) else {
                // Who waits for a place is one of many: meanwhile another may have begun to look.
                place = Some(Arc::clone(&self.places).acquire_owned().await.ok()?);
                continue;
            };
            place = None;
            let ended = seen.wait_for(Option::is_some).await.ok().and_then(|seen| seen.clone());
            if same {
                return ended;
            }
        }
    }

    /// The look at a folder that goes on, and whether it asks the same. When none does, one is begun, if there is a place
    /// for it.
    fn going_on<Work>(
        &self,
        folder: &Path,
        asked: &Asked,
        place: &mut Option<OwnedSemaphorePermit>,
        work: &mut Option<Work>,
    ) -> Option<(bool, Seen)>
    where
        Work: FnOnce() -> Result<(), Fault> + Send + 'static,
    {
        let mut going_on = self.going_on.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(look) = going_on.get(folder) {
            return Some((look.asked == *asked, look.seen.clone()));
        }
        let (place, work) = (place.take()?, work.take()?);
        let (tell, seen) = watch::channel(None);
        let ends = Ends {
            _place: place,
            going_on: Arc::clone(&self.going_on),
            folder: folder.to_path_buf(),
        };
        let look = Look {
            asked: asked.clone(),
            seen: seen.clone(),
        };
        going_on.insert(folder.to_path_buf(), look);
        spawn_blocking(move || {
            let ends = ends;
            let done = work();
            drop(ends);
            tell.send_replace(Some(done));
        });
        Some((true, seen))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        atomic::{AtomicUsize, Ordering},
        mpsc,
    };

    use super::*;

    fn asked(kernel: &str) -> Asked {
        Asked {
            kernel: kernel.to_owned(),
            initrd: "initrd.gz".to_owned(),
            arch: "x86_64".to_owned(),
            codename: None,
        }
    }

    /// Gives up at once, as time is not waited for here.
    fn impatient(looks: &TreeLooks) -> TreeLooks {
        TreeLooks {
            within: Duration::ZERO,
            ..looks.clone()
        }
    }

    #[tokio::test]
    async fn a_share_that_hangs_takes_one_thread_however_often_it_is_asked() {
        let looks = TreeLooks::default();
        let begun = Arc::new(AtomicUsize::new(0));
        let (mends, hangs) = mpsc::channel::<()>();
        let (tells, started) = tokio::sync::oneshot::channel();
        let count = Arc::clone(&begun);
        let hanging = move || {
            count.fetch_add(1, Ordering::SeqCst);
            let _ = tells.send(());
            let _ = hangs.recv();
            Ok(())
        };
        let folder = Path::new("/mnt/share/debian");
        let first = asked("linux");
        let mut first = std::pin::pin!(looks.look(folder, &first, hanging));
        tokio::select! {
            seen = first.as_mut() => panic!("it hangs: {seen:?}"),
            started = started => started.unwrap(),
        }
        let again = |kernel: &'static str| {
            let (looks, count) = (impatient(&looks), Arc::clone(&begun));
            async move {
                let look = move || {
                    count.fetch_add(1, Ordering::SeqCst);
                    Ok(())
                };
                looks.look(folder, &asked(kernel), look).await
            }
        };
        for kernel in ["linux", "linux", "vmlinuz"] {
            let fault = again(kernel).await.unwrap_err().to_string();
            assert!(fault.contains("the folder does not answer"), "{fault}");
            assert!(fault.contains("/mnt/share/debian"), "{fault}");
        }
        assert_eq!(begun.load(Ordering::SeqCst), 1);
        // Other folders answer meanwhile.
        let (other, same) = (Path::new("/srv/rocky"), asked("linux"));
        assert_eq!(looks.look(other, &same, || Ok(())).await, Ok(()));
        // Who waits with the same question when it answers has that answer; another question is looked into then.
        let one = asked("vmlinuz");
        let nobody = || panic!("it is being looked at");
        let mut joined = std::pin::pin!(looks.look(folder, &same, nobody));
        let count = Arc::clone(&begun);
        let otherwise = looks.look(folder, &one, move || {
            count.fetch_add(1, Ordering::SeqCst);
            Err(Fault::new("kernel", "vmlinuz", "there is none", "write another"))
        });
        let mut otherwise = std::pin::pin!(otherwise);
        assert!(futures_util::poll!(joined.as_mut()).is_pending());
        assert!(futures_util::poll!(otherwise.as_mut()).is_pending());
        mends.send(()).unwrap();
        let (first, joined, otherwise) = tokio::join!(first, joined, otherwise);
        assert_eq!((first, joined), (Ok(()), Ok(())));
        assert_eq!(otherwise.unwrap_err().field, "kernel");
        assert_eq!(begun.load(Ordering::SeqCst), 2);
        assert!(looks.going_on.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_look_that_panics_ends() {
        let looks = TreeLooks::default();
        let folder = Path::new("/srv/debian");
        let fault = looks.look(folder, &asked("linux"), || panic!("a fault")).await;
        assert!(fault.unwrap_err().why.contains("fault of the server"));
        assert_eq!(looks.look(folder, &asked("linux"), || Ok(())).await, Ok(()));
        assert_eq!(looks.places.available_permits(), AT_ONCE);
    }
}
