//! Files of this server that are named where something is wanted: trees, templates, snippets.

use std::path::PathBuf;

use serde_json::Value;

use super::{Catalog, CatalogFault};
use crate::{
    desired::{Distro, Fault, Values},
    provision::tree_folders::TreeFolders,
    render::answer::Library,
};

/// Where this server has the files that distros, profiles and hosts name.
#[derive(Debug, Clone)]
pub struct ServerFiles {
    /// Where trees may lie.
    pub trees: TreeFolders,
    /// The site's templates.
    pub templates: PathBuf,
}

impl Catalog {
    /// A distro's tree has what an installation begins with. What is as it was is not looked at again: a mount that is
    /// away for a while is no reason to refuse another word on the distro.
    pub(super) async fn check_tree(&self, distro: &Distro, had: Option<&Distro>) -> Result<(), CatalogFault> {
        let part = |distro: &Distro| (distro.tree.clone(), distro.kernel.clone(), distro.initrd.clone());
        if had.is_some_and(|had| part(had) == part(distro)) {
            return Ok(());
        }
        self.tree_is_whole(distro).await
    }

    /// Whether a distro can be installed from its tree now.
    ///
    /// # Errors
    /// [`Fault`] with what its tree lacks, or that its folder does not answer.
    pub async fn tree_is_whole(&self, distro: &Distro) -> Result<(), CatalogFault> {
        match &self.files {
            Some(files) => Ok(self.looks.check(&files.trees, distro).await?),
            None => Ok(()),
        }
    }

    /// Templates and snippets that values name anew are there.
    pub(super) async fn check_named(&self, values: &Values, had: Option<&Values>) -> Result<(), CatalogFault> {
        let Some(files) = self.files.clone() else { return Ok(()) };
        let value = |values: &Values, key: &str| values.as_map().get(key).cloned();
        let new =
            |key: &str| value(values, key).filter(|new| had.and_then(|had| value(had, key)).as_ref() != Some(new));
        let (template, scripts) = (new("template"), new("scripts"));
        if template.is_none() && scripts.is_none() {
            return Ok(());
        }
        blocking(move || {
            let library = Library::open(&files.templates).map_err(|fault| {
                Fault::unshown(
                    "template",
                    fault.to_string(),
                    "mend the folder of templates (templates.dir)",
                )
            })?;
            if let Some(name) = template
                .as_ref()
                .and_then(Value::as_str)
                .filter(|name| !name.starts_with("<<"))
            {
                library.check_template(name)?;
            }
            named_scripts(scripts.as_ref()).try_for_each(|(path, name)| library.check_script(&path, name))
        })
        .await
    }
}

/// The snippets that a value of `scripts` names, with the path of each.
pub(in crate::provision) fn named_scripts(scripts: Option<&Value>) -> impl Iterator<Item = (String, &str)> {
    let stages = scripts.and_then(Value::as_object).into_iter().flatten();
    stages.flat_map(|(stage, names)| {
        let names = names.as_array().into_iter().flatten().filter_map(Value::as_str);
        names
            .filter(|name| !name.starts_with('!'))
            .map(move |name| (format!("scripts.{stage}"), name))
    })
}

async fn blocking(work: impl FnOnce() -> Result<(), Fault> + Send + 'static) -> Result<(), CatalogFault> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => Ok(done?),
        Err(stopped) => std::panic::resume_unwind(stopped.into_panic()),
    }
}
