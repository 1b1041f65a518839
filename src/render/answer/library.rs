//! The templates: a site's folder over the ones that come with Muster.

use std::{
    collections::BTreeMap,
    fmt,
    fs::{self, File},
    io::Read,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use minijinja::{Environment, UndefinedBehavior, syntax::SyntaxConfig};
use nix::fcntl::OFlag;
use rust_embed::RustEmbed;

use super::{
    bounds, context, filters, formatter,
    search::{SnippetIndex, is_name},
    snippets::snippet_name,
};

#[derive(RustEmbed)]
#[folder = "templates/kickstart/"]
struct BuiltIn;

/// Before the name of a site's template, in faults and explanations.
pub(super) const SITE: &str = "site/";
/// Before the name of a template that comes with Muster.
pub(super) const BUILT_IN: &str = "built-in/";

/// How long a look at the site's folder holds. A person who saves a template and renders sees the new one.
const LOOK_HOLDS: Duration = Duration::from_millis(200);

/// The templates of this server. Templates are compiled when first used and kept; a changed folder is read anew.
#[derive(Debug)]
pub struct Library {
    site: Option<PathBuf>,
    held: Mutex<Held>,
}

#[derive(Debug)]
struct Held {
    shelf: Arc<Shelf>,
    print: Vec<FilePrint>,
    looked: Instant,
}

/// A file of a site's folder that is not used, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// The file or folder.
    pub path: PathBuf,
    /// Why it is not used.
    pub why: String,
}

/// A site's folder that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("templates in {}: {why}", folder.display())]
pub struct LibraryFault {
    /// The folder.
    pub folder: PathBuf,
    /// What is wrong with it.
    pub why: String,
}

impl Library {
    /// The templates that come with Muster, and no others.
    #[must_use]
    pub fn built_in() -> Self {
        Self::of_texts(BTreeMap::new())
    }

    /// The templates of `site` over those that come with Muster. A folder that is not there is an empty one: it may
    /// be made later.
    ///
    /// # Errors
    /// When the folder cannot be read, or holds more than templates ever are.
    pub fn open(site: &Path) -> Result<Self, LibraryFault> {
        let found = Found::in_folder(site)?;
        let print = found.print();
        let shelf = Arc::new(found.read(site)?);
        Ok(Self {
            site: Some(site.to_path_buf()),
            held: Mutex::new(Held {
                shelf,
                print,
                looked: Instant::now(),
            }),
        })
    }

    /// The names of all answer-file templates (no snippets), with `site/` or `built-in/` before them.
    #[must_use]
    pub fn templates(&self) -> Vec<String> {
        self.shelf().template_names().map(str::to_owned).collect()
    }

    /// The templates of a site that are given as texts, by their names in its folder, over those that come with Muster.
    pub(super) fn of_texts(site: BTreeMap<String, String>) -> Self {
        Self {
            site: None,
            held: Mutex::new(Held {
                shelf: Arc::new(Shelf::new(site, Vec::new())),
                print: Vec::new(),
                looked: Instant::now(),
            }),
        }
    }

    /// Files of the site that are not used, and why.
    #[must_use]
    pub fn skipped(&self) -> Vec<Skipped> {
        self.shelf().skipped.clone()
    }

    /// The source of a template by its full name, such as `built-in/redhat/default.ks`.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<Arc<str>> {
        self.shelf().source(name)
    }

    /// The shelf as the site's folder is now. A folder that has become unreadable leaves what was read before.
    pub(super) fn shelf(&self) -> Arc<Shelf> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(site) = &self.site
            && held.looked.elapsed() >= LOOK_HOLDS
        {
            match Found::in_folder(site) {
                Ok(found) if found.print() != held.print => match found.read(site) {
                    Ok(shelf) => {
                        held.print = found.print();
                        held.shelf = Arc::new(shelf);
                    }
                    Err(fault) => tracing::warn!(%fault, "the templates read before stay in use"),
                },
                Ok(_) => {}
                Err(fault) => tracing::warn!(%fault, "the templates read before stay in use"),
            }
            held.looked = Instant::now();
        }
        Arc::clone(&held.shelf)
    }
}

/// All templates at one time, compiled when first used.
pub(super) struct Shelf {
    sources: Arc<BTreeMap<String, Arc<str>>>,
    skipped: Vec<Skipped>,
    environment: Environment<'static>,
}

impl fmt::Debug for Shelf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shelf")
            .field("templates", &self.sources.len())
            .field("skipped", &self.skipped)
            .finish_non_exhaustive()
    }
}

impl Shelf {
    /// A shelf of the built-in templates and those of a site, by their names within its folder.
    fn new(site: BTreeMap<String, String>, skipped: Vec<Skipped>) -> Self {
        let mut sources: BTreeMap<String, Arc<str>> = site
            .into_iter()
            .map(|(name, text)| (format!("{SITE}{name}"), Arc::from(text)))
            .collect();
        for name in BuiltIn::iter() {
            if let Some(file) = BuiltIn::get(&name)
                && let Ok(text) = std::str::from_utf8(&file.data)
            {
                sources.insert(format!("{BUILT_IN}{name}"), Arc::from(text));
            }
        }
        let sources = Arc::new(sources);
        Self {
            environment: environment(&sources),
            sources,
            skipped,
        }
    }

    pub(super) fn environment(&self) -> &Environment<'static> {
        &self.environment
    }

    /// The full name of `name`: the site's own before the built-in one.
    pub(super) fn resolve(&self, name: &str) -> Option<String> {
        resolve(&self.sources, name)
    }

    pub(super) fn source(&self, name: &str) -> Option<Arc<str>> {
        self.sources.get(name).cloned()
    }

    /// Every template with its full name.
    pub(super) fn sources(&self) -> impl Iterator<Item = (&str, &Arc<str>)> {
        self.sources.iter().map(|(name, text)| (name.as_str(), text))
    }

    /// Answer-file templates by full name.
    pub(super) fn template_names(&self) -> impl Iterator<Item = &str> {
        self.sources.keys().map(String::as_str).filter(|name| {
            let inner = name.split_once('/').map_or(*name, |(_, inner)| inner);
            !inner.starts_with("snippets/") && inner.contains('/')
        })
    }

    /// Snippets by their places below `snippets/`.
    pub(super) fn place_names(&self) -> impl Iterator<Item = &str> {
        self.sources
            .keys()
            .filter_map(|name| name.split_once("/snippets/").map(|(_, inner)| inner))
    }

    /// Snippets by the name that `snippet()` takes.
    pub(super) fn snippet_names(&self) -> impl Iterator<Item = &str> {
        self.place_names().map(snippet_name)
    }
}

fn resolve(sources: &BTreeMap<String, Arc<str>>, name: &str) -> Option<String> {
    if !is_name(name) {
        return None;
    }
    if name.starts_with(SITE) || name.starts_with(BUILT_IN) {
        return sources.contains_key(name).then(|| name.to_owned());
    }
    [SITE, BUILT_IN]
        .iter()
        .map(|over| format!("{over}{name}"))
        .find(|name| sources.contains_key(name))
}

/// The engine: strict, bounded, and with these templates only.
fn environment(sources: &Arc<BTreeMap<String, Arc<str>>>) -> Environment<'static> {
    let mut env = Environment::new();
    env.set_undefined_behavior(UndefinedBehavior::Strict);
    env.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    if let Ok(syntax) = SyntaxConfig::builder()
        .keep_trailing_newline(true)
        .trim_blocks(true)
        .lstrip_blocks(true)
        .build()
    {
        env.set_syntax(syntax);
    }
    env.set_fuel(Some(bounds::FUEL));
    env.set_recursion_limit(bounds::DEPTH);
    // The place of a mistake is known in this mode only. What it also keeps (values near the mistake) is never shown.
    env.set_debug(true);
    env.set_auto_reload(false);
    env.set_formatter(formatter::format);
    filters::add_to(&mut env);
    let known = Arc::clone(sources);
    env.set_loader(move |name| Ok(known.get(name).map(|text| text.to_string())));
    let known = Arc::clone(sources);
    env.set_path_join_callback(move |name, _| resolve(&known, name).map_or(name.into(), Into::into));
    let index = SnippetIndex::of(sources.keys().map(String::as_str));
    context::add_snippet_functions(&mut env, index);
    env
}

/// What tells a changed file: name, length, inode and times.
#[derive(Debug, Clone, PartialEq, Eq)]
struct FilePrint {
    name: String,
    length: u64,
    inode: u64,
    changed: (i64, i64),
}

/// The files of a site's folder, found but not read.
struct Found {
    files: Vec<(FilePrint, PathBuf)>,
    skipped: Vec<Skipped>,
}

impl Found {
    fn in_folder(site: &Path) -> Result<Self, LibraryFault> {
        let mut found = Self {
            files: Vec::new(),
            skipped: Vec::new(),
        };
        match fs::metadata(site) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return Err(fault(site, "this is no folder")),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(found),
            Err(error) => return Err(fault(site, &error.to_string())),
        }
        found.look(site, site, "", 0)?;
        found.files.sort_by(|a, b| a.0.name.cmp(&b.0.name));
        let bytes: u64 = found.files.iter().map(|(print, _)| print.length).sum();
        if bytes > bounds::SITE_BYTES {
            let why = format!(
                "{bytes} bytes are more than templates ever are ({})",
                bounds::SITE_BYTES
            );
            return Err(fault(site, &why));
        }
        Ok(found)
    }

    fn look(&mut self, site: &Path, folder: &Path, prefix: &str, depth: usize) -> Result<(), LibraryFault> {
        let entries = fs::read_dir(folder).map_err(|error| fault(site, &format!("{}: {error}", folder.display())))?;
        for entry in entries.flatten() {
            let path = entry.path();
            let Some(part) = entry.file_name().to_str().map(str::to_owned) else {
                self.skip(path, "its name is not UTF-8");
                continue;
            };
            if part.starts_with('.') || part.ends_with('~') || part.ends_with(".rpmsave") || part.ends_with(".dpkg-old")
            {
                continue;
            }
            let name = format!("{prefix}{part}");
            // Of the entry itself, not of what it may point to.
            let Ok(metadata) = entry.metadata() else { continue };
            let kind = metadata.file_type();
            if kind.is_symlink() {
                self.skip(path, "a symbolic link is never followed: put the file itself here");
            } else if !is_name(&name) {
                self.skip(path, "a name may have letters, digits and ._-:+@ only");
            } else if kind.is_dir() && depth >= bounds::SITE_DEPTH {
                self.skip(path, "too many folders within folders");
            } else if kind.is_dir() {
                self.look(site, &path, &format!("{name}/"), depth + 1)?;
            } else if !kind.is_file() {
                self.skip(path, "this is no ordinary file");
            } else if metadata.len() > bounds::FILE_BYTES {
                self.skip(path, "larger than a template ever is (256 KiB)");
            } else if self.files.len() >= bounds::SITE_FILES {
                return Err(fault(site, "more files than templates ever are (20,000)"));
            } else {
                let print = FilePrint {
                    name,
                    length: metadata.len(),
                    inode: metadata.ino(),
                    changed: (metadata.ctime(), metadata.ctime_nsec()),
                };
                self.files.push((print, path));
            }
        }
        Ok(())
    }

    fn skip(&mut self, path: PathBuf, why: &str) {
        self.skipped.push(Skipped {
            path,
            why: why.to_owned(),
        });
    }

    fn print(&self) -> Vec<FilePrint> {
        self.files.iter().map(|(print, _)| print.clone()).collect()
    }

    fn read(&self, site: &Path) -> Result<Shelf, LibraryFault> {
        let mut texts = BTreeMap::new();
        let mut skipped = self.skipped.clone();
        for (print, path) in &self.files {
            match read_text(path) {
                Ok(Ok(text)) => {
                    texts.insert(print.name.clone(), text);
                }
                Ok(Err(why)) => skipped.push(Skipped {
                    path: path.clone(),
                    why: why.to_owned(),
                }),
                // Gone or changed into a link since it was found: the next look tells.
                Err(error) => skipped.push(Skipped {
                    path: path.clone(),
                    why: error.to_string(),
                }),
            }
        }
        if texts.is_empty() && !self.files.is_empty() {
            return Err(fault(site, "none of its files can be read"));
        }
        Ok(Shelf::new(texts, skipped))
    }
}

/// Reads an ordinary file, never through a link that took its place, and never more than a template is.
fn read_text(path: &Path) -> std::io::Result<Result<String, &'static str>> {
    let file: File = fs::OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits())
        .open(path)?;
    if !file.metadata()?.is_file() {
        return Ok(Err("this is no ordinary file"));
    }
    let mut bytes = Vec::new();
    file.take(bounds::FILE_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > bounds::FILE_BYTES {
        return Ok(Err("larger than a template ever is (256 KiB)"));
    }
    Ok(String::from_utf8(bytes).map_err(|_| "its text is not UTF-8"))
}

fn fault(folder: &Path, why: &str) -> LibraryFault {
    LibraryFault {
        folder: folder.to_path_buf(),
        why: why.to_owned(),
    }
}
