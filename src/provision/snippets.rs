//! The site's own snippets: looked at, tried, written and removed.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{Catalog, CatalogFault};
use crate::render::answer::{AnswerFault, Library, LibraryFault, Snippet, is_snippet_place, try_snippet};

/// Largest snippet, bytes: what a library reads of one file.
const LARGEST: u64 = 256 << 10;

/// Why a snippet is not shown, written or removed.
#[derive(Debug, thiserror::Error)]
pub enum SnippetFault {
    /// The folder of templates cannot be used.
    #[error(transparent)]
    Library(#[from] LibraryFault),
    /// It cannot have this name.
    #[error(
        "snippet `{0}`: the name cannot be used; write letters, digits and ._-:+@, with folders as in redhat/network or \
         per_host/network/web1"
    )]
    Name(String),
    /// There is none.
    #[error("snippet `{name}`: there is none{among}; `muster snippet list` shows all")]
    Missing {
        /// What was asked for.
        name: String,
        /// ` of the site`, when one comes with Muster.
        among: &'static str,
    },
    /// The file given cannot be read.
    #[error("{} cannot be read", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file given is no snippet.
    #[error("{}: {why}", path.display())]
    NoText {
        /// Which.
        path: PathBuf,
        /// Why.
        why: &'static str,
    },
    /// Answer files would break.
    #[error("snippet `{name}` is {not}: with it, {machine} fails: {fault}")]
    Breaks {
        /// Which snippet.
        name: String,
        /// `not written` or `not removed`.
        not: &'static str,
        /// A made-up machine.
        machine: String,
        /// What its rendering says.
        fault: Box<AnswerFault>,
    },
    /// The site's folder cannot be written.
    #[error("{} cannot be written", path.display())]
    Unwritable {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The variables of the site cannot be read.
    #[error(transparent)]
    Catalog(#[from] CatalogFault),
}

/// The snippets of a folder of templates.
#[derive(Debug)]
pub struct Snippets {
    folder: PathBuf,
    library: Library,
}

impl Snippets {
    /// Those of the site's folder, over those that come with Muster.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn open(folder: &Path) -> Result<Self, SnippetFault> {
        Ok(Self {
            library: Library::open(folder)?,
            folder: folder.to_path_buf(),
        })
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> Vec<Snippet> {
        self.library.snippets()
    }

    /// The one in use in a place; with `built_in` the one that comes with Muster.
    ///
    /// # Errors
    /// When there is none.
    pub fn one(&self, name: &str, built_in: bool) -> Result<Snippet, SnippetFault> {
        self.all()
            .into_iter()
            .find(|snippet| snippet.place == name && (!built_in || !snippet.site))
            .ok_or_else(|| SnippetFault::Missing {
                name: name.to_owned(),
                among: if built_in { " that comes with Muster" } else { "" },
            })
    }

    /// Writes a snippet of the site when answer files of made-up machines still render with it. Gives its path.
    ///
    /// # Errors
    /// When it is no text, breaks one, or cannot be written; then the site's folder is as it was.
    pub async fn add(&self, name: &str, from: &Path, catalog: &Catalog) -> Result<PathBuf, SnippetFault> {
        if !is_snippet_place(name) {
            return Err(SnippetFault::Name(name.to_owned()));
        }
        let text = read(from)?;
        let vars = site_vars(catalog).await?;
        self.try_with(name, Some(&text), "not written", &vars)?;
        let path = self.path(name);
        write(&path, &text).map_err(|source| SnippetFault::Unwritable {
            path: path.clone(),
            source,
        })?;
        Ok(path)
    }

    /// Removes a snippet of the site when answer files still render without it. Gives whether one that comes with Muster
    /// is used from now on.
    ///
    /// # Errors
    /// When the site has none of the name, or something needs it.
    pub async fn remove(&self, name: &str, catalog: &Catalog) -> Result<bool, SnippetFault> {
        if !self.all().iter().any(|snippet| snippet.place == name && snippet.site) {
            return Err(SnippetFault::Missing {
                name: name.to_owned(),
                among: " of the site",
            });
        }
        let vars = site_vars(catalog).await?;
        self.try_with(name, None, "not removed", &vars)?;
        let path = self.path(name);
        fs::remove_file(&path).map_err(|source| SnippetFault::Unwritable { path, source })?;
        Ok(self.one(name, true).is_ok())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join("snippets").join(name)
    }

    fn try_with(
        &self,
        name: &str,
        text: Option<&str>,
        not: &'static str,
        vars: &Map<String, Value>,
    ) -> Result<(), SnippetFault> {
        let after = self.library.with_snippet(name, text);
        try_snippet(&self.library, &after, name, vars).map_err(|(machine, fault)| SnippetFault::Breaks {
            name: name.to_owned(),
            not,
            machine,
            fault: Box::new(fault),
        })
    }
}

/// Variables that some layer of the site gives, each with one of its values.
async fn site_vars(catalog: &Catalog) -> Result<Map<String, Value>, CatalogFault> {
    let objects = catalog.objects().await?;
    let hosts = catalog.hosts().await?;
    let layers = std::iter::once(&objects.settings)
        .chain(objects.distros.values().map(|distro| &distro.values))
        .chain(objects.profiles.values().map(|profile| &profile.values))
        .chain(hosts.iter().map(|known| &known.plan.values));
    let mut vars = Map::new();
    for layer in layers {
        if let Some(Value::Object(own)) = layer.as_map().get("vars") {
            let named = own.iter().filter(|(name, _)| !name.starts_with('!'));
            vars.extend(named.map(|(name, value)| (name.clone(), value.clone())));
        }
    }
    Ok(vars)
}

fn read(path: &Path) -> Result<String, SnippetFault> {
    let fault = |source| SnippetFault::Unreadable {
        path: path.to_path_buf(),
        source,
    };
    let no_text = |why| SnippetFault::NoText {
        path: path.to_path_buf(),
        why,
    };
    let mut bytes = Vec::new();
    File::open(path)
        .map_err(fault)?
        .take(LARGEST + 1)
        .read_to_end(&mut bytes)
        .map_err(fault)?;
    if bytes.len() as u64 > LARGEST {
        return Err(no_text("larger than a snippet ever is (256 KiB)"));
    }
    String::from_utf8(bytes).map_err(|_| no_text("its text is not UTF-8"))
}

/// Writes a file whole or not at all: beside its place first, under a name that no library looks at.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(io::ErrorKind::InvalidInput.into());
    };
    DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    let new = folder.join(format!(".{}.new", name.to_string_lossy()));
    let written = File::options()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o644)
        .open(&new)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            // The umask may have closed it, and the server may be another user.
            file.set_permissions(Permissions::from_mode(0o644))?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&new, path));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}
