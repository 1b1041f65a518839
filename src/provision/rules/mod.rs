//! Rules on facts: entered by people, tried before they are, and given to hosts that report.

mod give;
mod order;
mod trial;

use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, Utc};

pub use give::{Applied, RuleGiver};
pub use order::Way;
pub use trial::{GivenField, Missed, Trial, TrialAsked, TrialHost};

use super::{Catalog, CatalogFault, long_work::LongWork};
use crate::{
    desired::{
        Fault,
        rules::{MAX_RULES, Rule, RuleBook},
    },
    inventory::new_id,
    store::{AuditEntry, ObjectWrite, Store, StoreError},
};

/// Where it is kept that somebody wants rules to be applied to all hosts: a new word each time.
const ASKED: &str = "rules.asked";

/// All rules as they were at a revision.
type Held = (u64, Arc<RuleBook>);

/// The rules of a ledger. Cheap to clone; all clones share what is in memory.
///
/// They are held made ready, and read anew when the revision of what is desired has moved.
#[derive(Debug, Clone)]
pub struct Rules {
    store: Store,
    /// What rules give is held against what there is.
    catalog: Catalog,
    held: Arc<Mutex<Option<Held>>>,
    trials: LongWork,
}

impl Rules {
    /// The rules of a ledger.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self {
            catalog: Catalog::new(store.clone(), &[]),
            store,
            held: Arc::default(),
            trials: LongWork::default(),
        }
    }

    /// Every rule as it is now, in order.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub async fn book(&self) -> Result<Arc<RuleBook>, StoreError> {
        Ok(self.current().await?.1)
    }

    async fn current(&self) -> Result<(u64, Arc<RuleBook>), StoreError> {
        let revision = self.store.desired_revision().await?;
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((known, book)) = held
            && known == revision
        {
            return Ok((known, book));
        }
        // Read after the revision: what is newer than it is read again next time.
        let book = Arc::new(RuleBook::new(self.store.rules().await?));
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = Some((revision, Arc::clone(&book)));
        Ok((revision, book))
    }

    /// Enters a rule.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be, or the name is in use.
    pub async fn add(&self, rule: Rule, actor: &str, now: DateTime<Utc>) -> Result<(), CatalogFault> {
        let (revision, book) = self.current().await?;
        unused(&book, &rule.name)?;
        if book.rules().len() >= MAX_RULES {
            return Err(Fault::new(
                "rule",
                &rule.name,
                format!("there are {MAX_RULES} rules already"),
                "put some of them together",
            )
            .into());
        }
        self.write(revision, rule, true, actor, now).await
    }

    /// Replaces the rule of this name.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be, or there is none of the name.
    pub async fn edit(&self, rule: Rule, actor: &str, now: DateTime<Utc>) -> Result<(), CatalogFault> {
        let (revision, book) = self.current().await?;
        book.rule(&rule.name)?;
        self.write(revision, rule, false, actor, now).await
    }

    /// Enters a rule or replaces the one of its name; true when it is new.
    ///
    /// # Errors
    /// [`Fault`] when it cannot be.
    pub async fn put(&self, rule: Rule, actor: &str, now: DateTime<Utc>) -> Result<bool, CatalogFault> {
        let new = self.book().await?.rule(&rule.name).is_err();
        if new {
            self.add(rule, actor, now).await?;
        } else {
            self.edit(rule, actor, now).await?;
        }
        Ok(new)
    }

    /// Enters a rule like another.
    ///
    /// # Errors
    /// [`Fault`] when there is none, or the new name cannot be used.
    pub async fn copy(&self, name: &str, to: &str, actor: &str, now: DateTime<Utc>) -> Result<(), CatalogFault> {
        let rule = Rule {
            name: to.to_owned(),
            ..self.book().await?.rule(name)?.clone()
        };
        self.add(rule, actor, now).await
    }

    /// Gives a rule another name; what it gave to hosts goes by the new one.
    ///
    /// # Errors
    /// [`Fault`] when there is none, or the new name cannot be used.
    pub async fn rename(&self, name: &str, to: &str, actor: &str, now: DateTime<Utc>) -> Result<(), CatalogFault> {
        let (revision, book) = self.current().await?;
        let renamed = Rule {
            name: to.to_owned(),
            ..book.rule(name)?.clone()
        };
        unused(&book, to)?;
        renamed.check()?;
        let mut entry = entry(actor, "rule.rename", Some(format!("rule:{name}")), now);
        entry.detail = Some(format!("to {to}"));
        let write = ObjectWrite::RenameRule(name.to_owned(), to.to_owned());
        Ok(self.store.write_desired(revision, &write, &entry).await?)
    }

    /// Removes a rule. What it gave stays with the hosts; place and tags go when rules give anew.
    ///
    /// # Errors
    /// [`Fault`] when there is none of the name.
    pub async fn remove(&self, name: &str, actor: &str, now: DateTime<Utc>) -> Result<(), CatalogFault> {
        let (revision, book) = self.current().await?;
        book.rule(name)?;
        let entry = entry(actor, "rule.remove", Some(format!("rule:{name}")), now);
        let write = ObjectWrite::RemoveRule(name.to_owned());
        Ok(self.store.write_desired(revision, &write, &entry).await?)
    }

    /// Asks for all rules to be applied to all hosts: a running server does it within seconds, another one when it
    /// starts.
    ///
    /// # Errors
    /// When the ledger fails.
    pub async fn ask_to_apply(&self, actor: &str, now: DateTime<Utc>) -> Result<(), StoreError> {
        let entry = entry(actor, "rule.apply", None, now);
        self.store.put_setting(ASKED, &entry.id.to_string()).await?;
        self.store.audit(&entry).await
    }

    async fn write(
        &self,
        revision: u64,
        rule: Rule,
        new: bool,
        actor: &str,
        now: DateTime<Utc>,
    ) -> Result<(), CatalogFault> {
        self.check(&rule).await?;
        let action = if new { "rule.add" } else { "rule.edit" };
        let mut entry = entry(actor, action, Some(format!("rule:{}", rule.name)), now);
        entry.detail = Some(rule.when.chars().take(200).collect());
        let write = ObjectWrite::Rule { rule, new };
        Ok(self.store.write_desired(revision, &write, &entry).await?)
    }

    /// What a rule says is known, its profile too.
    async fn check(&self, rule: &Rule) -> Result<(), CatalogFault> {
        rule.check()?;
        if let Some(profile) = &rule.profile {
            self.catalog.objects().await?.lineage(profile)?;
        }
        Ok(())
    }
}

fn unused(book: &RuleBook, name: &str) -> Result<(), Fault> {
    if book.rule(name).is_err() {
        return Ok(());
    }
    Err(Fault::new(
        "name",
        name,
        "there is a rule of this name",
        "choose another name, or edit it",
    ))
}

fn entry(actor: &str, action: &str, target: Option<String>, now: DateTime<Utc>) -> AuditEntry {
    AuditEntry {
        id: new_id(now),
        at: now,
        actor: actor.to_owned(),
        action: action.to_owned(),
        target,
        detail: None,
    }
}
