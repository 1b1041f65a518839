//! Plans behind a gate: what happens while a file is rendered is put into an order. They can be broken, and taken away.

use std::sync::{
    Mutex,
    atomic::{AtomicBool, Ordering},
};

use muster::{
    inventory::HostId,
    provision::install::{AnswerContext, GivenPlans, InstallPlan, Later, MadeAnswer, PlanFault, Plans},
};
use tokio::sync::Semaphore;

/// Plans given by values; while the gate is closed nothing is rendered.
#[derive(Debug)]
pub(super) struct Gate {
    pub(super) given: GivenPlans,
    /// Instead of every plan.
    pub(super) instead: Mutex<Option<Result<(), PlanFault>>>,
    closed: AtomicBool,
    waiting: Semaphore,
    passes: Semaphore,
}

impl Default for Gate {
    fn default() -> Self {
        Self {
            given: GivenPlans::default(),
            instead: Mutex::default(),
            closed: AtomicBool::new(false),
            waiting: Semaphore::new(0),
            passes: Semaphore::new(0),
        }
    }
}

impl Gate {
    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
    }

    /// Somebody stands at the gate.
    pub(super) async fn reached(&self) {
        self.waiting.acquire().await.unwrap().forget();
    }

    pub(super) fn open(&self) {
        self.closed.store(false, Ordering::SeqCst);
        self.passes.add_permits(1);
    }
}

impl Plans for Gate {
    fn plan(&self, host: HostId) -> Later<'_, Result<Option<InstallPlan>, PlanFault>> {
        let instead = self.instead.lock().unwrap().clone();
        match instead {
            None => self.given.plan(host),
            Some(instead) => Box::pin(async move { instead.map(|()| None) }),
        }
    }

    fn answer<'a>(&'a self, host: HostId, context: &'a AnswerContext) -> Later<'a, Result<MadeAnswer, PlanFault>> {
        Box::pin(async move {
            if self.closed.load(Ordering::SeqCst) {
                self.waiting.add_permits(1);
                self.passes.acquire().await.unwrap().forget();
            }
            self.given.answer(host, context).await
        })
    }
}
