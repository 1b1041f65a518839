use chrono::Utc;
use muster::{
    desired::{Distro, Family, HostPlan, Parent, Profile, Tree, Values, kernel_line},
    provision::Catalog,
};
use serde_json::json;

use super::{databases::for_each_database, samples};

fn values(document: &serde_json::Value) -> Values {
    Values::check(document.as_object().cloned().expect("an object")).expect("well-formed")
}

#[tokio::test]
async fn kernel_options_keep_their_order() {
    for_each_database(|store| async move {
        let now = Utc::now();
        let catalog = Catalog::new(store.clone(), &[]);
        let options = json!({"kernel_options": {"quiet": null, "auto": "true", "---": null, "a": ["x", null]}});
        catalog.set_defaults(values(&options), "cli", now).await.expect("set");
        let host = samples::host(1);
        let made = vec![samples::created(&host)];
        store.writer().commit(made).await.expect("made");
        let plan = HostPlan {
            values: values(&json!({"kernel_options": {"zz": null, "auto": "false", "b": "1"}})),
            ..HostPlan::empty(host.id)
        };
        catalog.set_plan(plan, "cli", now).await.expect("planned");
        let desired = Catalog::new(store, &[])
            .host(host.id)
            .await
            .expect("readable")
            .expect("there");
        let line = kernel_line(desired.effective.values["kernel_options"].as_object().expect("a map"));
        assert_eq!(line, "quiet auto=false --- a=x a zz b=1");
    })
    .await;
}

#[tokio::test]
async fn profiles_follow_a_rename_and_are_kept_while_used() {
    for_each_database(|store| async move {
        let now = Utc::now();
        let (ours, theirs) = (Catalog::new(store.clone(), &[]), Catalog::new(store.clone(), &[]));
        let distro = Distro {
            name: "rocky9".into(),
            family: Family::Redhat,
            id: "rocky".into(),
            version: "9.4".into(),
            codename: None,
            arch: "x86_64".into(),
            tree: Tree::Path("/srv/rocky9".into()),
            kernel: "images/pxeboot/vmlinuz".into(),
            initrd: "images/pxeboot/initrd.img".into(),
            values: values(&json!({"packages": ["vim"]})),
        };
        ours.add_distro(distro.clone(), "cli", now).await.expect("made");
        assert!(ours.add_distro(distro, "cli", now).await.is_err());
        let profile = |name: &str, parent| Profile {
            name: name.into(),
            parent,
            values: values(&json!({"packages": [name]})),
        };
        let base = profile("base", Parent::Distro("rocky9".into()));
        ours.add_profile(base, "cli", now).await.expect("made");
        // Another server sees it, and a loop is refused.
        let web = profile("web", Parent::Profile("base".into()));
        theirs.add_profile(web, "cli", now).await.expect("made");
        let looped = profile("base", Parent::Profile("web".into()));
        let refused = ours.edit_profile(looped, "cli", now).await.expect_err("a loop");
        assert!(refused.to_string().contains("stand on itself"), "{refused}");

        let host = samples::host(1);
        store
            .writer()
            .commit(vec![samples::created(&host)])
            .await
            .expect("made");
        let plan = HostPlan {
            profile: Some("web".into()),
            values: values(&json!({"hostname": "db1", "packages": ["!vim"]})),
            ..HostPlan::empty(host.id)
        };
        ours.set_plan(plan, "cli", now).await.expect("planned");
        let refused = ours
            .remove(&Parent::Profile("web".into()), "cli", now)
            .await
            .expect_err("used");
        assert!(refused.to_string().contains("used by host"), "{refused}");

        theirs
            .rename(&Parent::Profile("web".into()), "www", "cli", now)
            .await
            .expect("renamed");
        theirs
            .rename(&Parent::Distro("rocky9".into()), "el9", "cli", now)
            .await
            .expect("renamed");
        let desired = ours.host(host.id).await.expect("readable").expect("there");
        assert_eq!(desired.profiles, ["www", "base"]);
        assert_eq!(desired.distro.map(|distro| distro.name).as_deref(), Some("el9"));
        assert_eq!(desired.effective.values["packages"], json!(["base", "web"]));
        assert_eq!(
            store.audit_log(None, 1).await.expect("readable")[0].action,
            "distro.rename"
        );

        ours.remove_plan(host.id, "cli", now).await.expect("taken back");
        ours.remove(&Parent::Profile("www".into()), "cli", now)
            .await
            .expect("removed");
    })
    .await;
}
