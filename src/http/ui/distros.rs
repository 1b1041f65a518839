//! A distro on its page and in its form: where its installer is.

use super::{
    layer::Sent,
    layer_page::{Extra, typed},
    object::{Ground, Object},
};
use crate::desired::{Distro, Draft, Effective, Family, Fault, LayerName, Objects, Parent, Tree, Values};

/// Fields beside the values, with an example of each.
const OWN: [(&str, &str); 8] = [
    ("family", "redhat"),
    ("id", "rocky"),
    ("version", "9.6"),
    ("codename", "bookworm"),
    ("arch", "x86_64"),
    ("tree", "http://mirror/rocky9"),
    ("kernel", "images/pxeboot/vmlinuz"),
    ("initrd", "images/pxeboot/initrd.img"),
];

impl Object for Distro {
    const KIND: &'static str = "distro";
    const FOLDER: &'static str = "/distros";
    const EXAMPLE: &'static str = "rocky9";

    fn called(name: String) -> Parent {
        Parent::Distro(name)
    }

    fn find<'a>(objects: &'a Objects, name: &str) -> Result<&'a Self, Fault> {
        objects.distro(name)
    }

    fn values(&self) -> &Values {
        &self.values
    }

    fn ground(&self) -> Ground {
        Ground::Defaults
    }

    fn ground_sent(_: &Sent) -> Ground {
        Ground::Defaults
    }

    fn in_force(objects: &Objects, name: &str) -> (LayerName, Effective) {
        let whole = objects.of_distro(name).unwrap_or_default();
        (LayerName::Distro(name.to_owned()), whole)
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        OWN.into_iter()
            .map(|(key, _)| (key, written(self, key)))
            .filter(|(_, text)| !text.is_empty())
            .collect()
    }

    fn inputs(_: &Objects, own: Option<(&str, &Self)>, sent: Option<&Sent>, faults: &[Fault]) -> Vec<Extra> {
        let families = || {
            Family::ALL
                .map(|family| (family.as_str().to_owned(), family.as_str().to_owned()))
                .to_vec()
        };
        OWN.into_iter()
            .map(|(key, example)| {
                let is = own.map(|(_, distro)| written(distro, key)).unwrap_or_default();
                Extra {
                    choices: if key == "family" {
                        vec![("", families())]
                    } else {
                        Vec::new()
                    },
                    needed: key != "codename",
                    ..Extra::line(key, &is, Some(example), sent, faults)
                }
            })
            .collect()
    }

    fn read(name: &str, sent: &Sent, values: Values) -> Result<Draft, Vec<Fault>> {
        let given = |key: &str| typed(key, Some(sent)).unwrap_or_default().trim().to_owned();
        let missing = |(key, example): (&'static str, &'static str)| {
            (key != "codename" && given(key).is_empty())
                .then(|| Fault::unshown(key, "nothing is written", format!("write e.g. {example}")))
        };
        let mut faults: Vec<Fault> = OWN.into_iter().filter_map(missing).collect();
        let (word, family) = (given("family"), given("family").parse::<Family>());
        if family.is_err() && !word.is_empty() {
            let advice = "choose redhat, debian, ubuntu or suse";
            faults.push(Fault::new("family", &word, "there is no such family", advice));
        }
        let tree = given("tree");
        match family {
            Ok(family) if faults.is_empty() => Ok(Draft::Distro(Self {
                name: name.to_owned(),
                family,
                id: given("id"),
                version: given("version"),
                codename: Some(given("codename")).filter(|name| !name.is_empty()),
                arch: given("arch"),
                tree: if tree.contains("://") {
                    Tree::Url(tree)
                } else {
                    Tree::Path(tree)
                },
                kernel: given("kernel"),
                initrd: given("initrd"),
                values,
            })),
            _ => Err(faults),
        }
    }
}

fn written(distro: &Distro, key: &str) -> String {
    match key {
        "family" => distro.family.as_str().to_owned(),
        "id" => distro.id.clone(),
        "version" => distro.version.clone(),
        "codename" => distro.codename.clone().unwrap_or_default(),
        "arch" => distro.arch.clone(),
        "tree" => distro.tree.to_string(),
        "kernel" => distro.kernel.clone(),
        _ => distro.initrd.clone(),
    }
}
