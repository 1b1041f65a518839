use muster::store::{ApiToken, AuditEntry, Role, Session, StoreError};
use uuid::Uuid;

use super::{databases::for_each_database, samples::*};

#[tokio::test]
async fn the_setup_token_makes_one_user() {
    for_each_database(|store| async move {
        assert_eq!(store.user_count().await.expect("readable"), 0);
        store.set_setup_token(&[1; 32]).await.expect("kept");
        store.set_setup_token(&[2; 32]).await.expect("replaced");
        assert!(!store.is_setup_token(&[1; 32]).await.expect("readable"));
        assert!(store.is_setup_token(&[2; 32]).await.expect("readable"));
        let refused = store.create_first_user(&[1; 32], &user("eve")).await;
        assert!(matches!(refused, Err(StoreError::SetupRefused)), "{refused:?}");

        let (anna, ben) = (user("anna"), user("ben"));
        let setup = [2; 32];
        let (first, second) = tokio::join!(
            store.create_first_user(&setup, &anna),
            store.create_first_user(&setup, &ben)
        );
        assert!(first.is_ok() != second.is_ok(), "{first:?} {second:?}");
        assert_eq!(store.user_count().await.expect("readable"), 1);
    })
    .await;
}

#[tokio::test]
async fn users_are_kept_by_name() {
    for_each_database(|store| async move {
        let mut anna = user("anna");
        store.create_user(&anna).await.expect("made");
        let twin = user("anna");
        let refused = store.create_user(&twin).await;
        assert!(
            matches!(&refused, Err(StoreError::UserExists(name)) if name == "anna"),
            "{refused:?}"
        );
        store.create_user(&user("ben")).await.expect("made");

        store.set_role(anna.id, Role::Admin).await.expect("set");
        store.set_locale(anna.id, Some("zh-CN")).await.expect("set");
        anna.role = Role::Admin;
        anna.locale = Some("zh-CN".to_owned());
        assert_eq!(store.user(anna.id).await.expect("readable"), Some(anna.clone()));
        assert_eq!(store.user_by_name("anna").await.expect("readable"), Some(anna.clone()));
        assert_eq!(store.user_by_name("Anna").await.expect("readable"), None);
        let names: Vec<_> = store
            .users()
            .await
            .expect("readable")
            .into_iter()
            .map(|user| user.name)
            .collect();
        assert_eq!(names, ["anna", "ben"]);
        assert!(!format!("{anna:?}").contains("argon2id"));
    })
    .await;
}

#[tokio::test]
async fn sessions_end_by_time_logout_new_password_and_deletion() {
    for_each_database(|store| async move {
        let anna = user("anna");
        store.create_user(&anna).await.expect("made");
        let session = |n: u8| Session {
            hash: [n; 32],
            user: anna.id,
            created_at: at(0),
            expires_at: at(100),
            last_seen_at: at(0),
        };
        for n in 1..=4 {
            store.create_session(&session(n)).await.expect("made");
        }
        let alive = |n: u8, seconds| {
            let store = &store;
            async move { store.session(&[n; 32], at(seconds)).await.expect("readable") }
        };
        assert_eq!(alive(1, 50).await, Some((session(1), anna.clone())));
        assert_eq!(alive(1, 100).await, None);
        store.touch_session(&[1; 32], at(60), at(160)).await.expect("kept");
        assert_eq!(
            alive(1, 100).await.map(|(session, _)| session.last_seen_at),
            Some(at(60))
        );
        store.end_session(&[2; 32]).await.expect("ended");
        assert_eq!(alive(2, 50).await, None);
        store.set_password(anna.id, "$argon2id$new").await.expect("set");
        assert_eq!(alive(3, 50).await, None);
        let after = store.user(anna.id).await.expect("readable").expect("the user");
        assert_eq!(after.password_hash, "$argon2id$new");

        store.create_session(&session(5)).await.expect("made");
        assert!(store.delete_user(anna.id).await.expect("deleted"));
        assert!(!store.delete_user(anna.id).await.expect("nothing left"));
        assert_eq!(alive(5, 50).await, None);
    })
    .await;
}

#[tokio::test]
async fn api_tokens_are_found_by_hash_until_they_end() {
    for_each_database(|store| async move {
        let anna = user("anna");
        store.create_user(&anna).await.expect("made");
        let mut token = ApiToken {
            id: Uuid::now_v7(),
            name: "ci".to_owned(),
            hash: [3; 32],
            user: anna.id,
            role: Role::Viewer,
            created_at: at(0),
            expires_at: Some(at(100)),
            last_used_at: None,
        };
        store.create_api_token(&token).await.expect("made");
        store.touch_api_token(token.id, at(5)).await.expect("kept");
        token.last_used_at = Some(at(5));
        let found = store.api_token(&[3; 32], at(99)).await.expect("readable");
        assert_eq!(found, Some((token.clone(), anna.clone())));
        assert_eq!(store.api_token(&[3; 32], at(100)).await.expect("readable"), None);
        assert_eq!(
            store.api_tokens(Some(anna.id)).await.expect("readable"),
            [token.clone()]
        );
        assert!(
            store
                .api_tokens(Some(Uuid::now_v7()))
                .await
                .expect("readable")
                .is_empty()
        );
        assert!(store.delete_api_token(token.id).await.expect("deleted"));
        assert!(store.api_tokens(None).await.expect("readable").is_empty());
    })
    .await;
}

#[tokio::test]
async fn what_people_did_is_kept_in_order() {
    for_each_database(|store| async move {
        for n in 0..3 {
            let entry = AuditEntry {
                id: muster::inventory::new_id(at(n)),
                at: at(n),
                actor: "user:anna".to_owned(),
                action: "host.rename".to_owned(),
                target: Some(format!("host:{n}")),
                detail: None,
            };
            store.audit(&entry).await.expect("written");
        }
        let newest = store.audit_log(None, 2).await.expect("readable");
        let targets: Vec<_> = newest.iter().filter_map(|entry| entry.target.as_deref()).collect();
        assert_eq!(targets, ["host:2", "host:1"]);
        let older = store.audit_log(Some(newest[1].id), 2).await.expect("readable");
        assert_eq!(older.len(), 1);
        store.put_setting("a", "1").await.expect("kept");
        store.put_setting("a", "2").await.expect("replaced");
        assert_eq!(store.setting("a").await.expect("readable").as_deref(), Some("2"));
        assert_eq!(store.setting("b").await.expect("readable"), None);
    })
    .await;
}
