//! The site's own snippets: looked at, tried, written and removed.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use super::{
    Catalog, CatalogFault, HostDesired,
    catalog::{label, named_scripts},
};
use crate::{
    desired::{Distro, Effective},
    render::answer::{
        AnswerFault, Library, LibraryFault, SearchNames, Snippet, is_snippet_place, snippet_name, try_snippet,
    },
};

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
    /// Somebody needs it.
    #[error(
        "snippet `{name}` is not removed: nothing else has its name, and it is used by {users}; take it out of there first"
    )]
    Used {
        /// Which snippet.
        name: String,
        /// By name.
        users: String,
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
        let users = self.needed_by(name, catalog).await?;
        if !users.is_empty() {
            return Err(SnippetFault::Used {
                name: name.to_owned(),
                users: users.into_iter().collect::<Vec<_>>().join(", "),
            });
        }
        let vars = site_vars(catalog).await?;
        self.try_with(name, None, "not removed", &vars)?;
        let path = self.path(name);
        fs::remove_file(&path).map_err(|source| SnippetFault::Unwritable { path, source })?;
        Ok(self.one(name, true).is_ok())
    }

    /// Who would find no snippet of its name any more if the one in this place were gone: the layers that name it among
    /// their scripts, and the templates that include it.
    async fn needed_by(&self, place: &str, catalog: &Catalog) -> Result<BTreeSet<String>, CatalogFault> {
        let after = self.library.with_snippet(place, None);
        let mut names = vec![snippet_name(place)];
        if names != [place] {
            names.push(place);
        }
        let mut users = BTreeSet::new();
        let lost = |search: &SearchNames, name: &str| self.library.finds(search, name) && !after.finds(search, name);
        let mut look = |search: &SearchNames, effective: &Effective| {
            for (path, name) in named_scripts(effective.values.get("scripts")) {
                if names.contains(&name) && lost(search, name) {
                    let layer = effective
                        .origins
                        .get(&path)
                        .map_or_else(String::new, ToString::to_string);
                    users.insert(format!("{layer} ({path})"));
                }
            }
        };
        let objects = catalog.objects().await?;
        let search = |host: Option<&str>, profiles: Vec<String>, distro: &Distro| SearchNames {
            host: host.map(str::to_owned),
            profiles,
            distro: distro.name.clone(),
            family: distro.family,
        };
        for distro in objects.distros.values() {
            look(&search(None, Vec::new(), distro), &objects.of_distro(&distro.name)?);
        }
        for profile in objects.profiles.keys() {
            let lineage = objects.lineage(profile)?;
            let profiles = lineage.nearest_first().map(|profile| profile.name.clone()).collect();
            look(&search(None, profiles, lineage.distro), &objects.of_profile(profile)?);
        }
        for known in catalog.hosts().await? {
            let desired = HostDesired::with(known.host, known.plan, &objects)?;
            if let Some(distro) = &desired.distro {
                let host = label(&desired.host);
                look(
                    &search(Some(&host), desired.profiles.clone(), distro),
                    &desired.effective,
                );
            }
        }
        for name in names {
            let anybody = |library: &Library| library.check_snippet("snippet", name).is_ok();
            if anybody(&self.library) && !anybody(&after) {
                let templates = after.including(name).into_iter();
                users.extend(templates.map(|template| format!("template {template}")));
            }
        }
        Ok(users)
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
        try_snippet(&self.library, &after, name, vars).map_err(|broken| SnippetFault::Breaks {
            name: name.to_owned(),
            not,
            machine: broken.machine,
            fault: broken.fault,
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
