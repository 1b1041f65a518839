use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use sea_orm::{DatabaseConnection, DatabaseTransaction, SqliteTransactionMode, TransactionOptions, TransactionTrait};
use tokio::{
    sync::{mpsc, oneshot},
    time::{Instant, timeout_at},
};

use super::{StoreError, StoreOptions, Write, write::Batch};

/// Where everything that happens is handed in. What arrives within a millisecond or two is one transaction, so that
/// ten thousand machines that boot at once do not wait for ten thousand syncs of the disk.
#[derive(Debug, Clone)]
pub struct Writer {
    queue: mpsc::Sender<Submission>,
    lost: Arc<AtomicU64>,
}

/// What one caller handed in: written as a whole or not at all.
#[derive(Debug)]
struct Submission {
    writes: Vec<Write>,
    /// Absent when nobody waits.
    answer: Option<oneshot::Sender<Result<(), StoreError>>>,
}

impl Submission {
    fn weight(&self) -> usize {
        self.writes.iter().map(Write::weight).sum()
    }
}

impl Writer {
    /// Starts the task that writes; it ends when the last handle is dropped and all is written.
    pub(super) fn start(database: DatabaseConnection, options: StoreOptions) -> Self {
        let (queue, submissions) = mpsc::channel(options.queue.max(1));
        let lost = Arc::new(AtomicU64::new(0));
        tokio::spawn(run(database, submissions, options, Arc::clone(&lost)));
        Self { queue, lost }
    }

    /// Writes all of `writes` or nothing of it, together with what others hand in at the same time, and returns when
    /// it is on disk. Waits for room when the queue is full. With no writes: returns when everything handed in before
    /// is on disk.
    ///
    /// # Errors
    /// [`StoreError::AddressTaken`] and [`StoreError::MacTaken`] when the database judges against this submission,
    /// [`StoreError::Closed`] at the end of the process. What others handed in is not touched by it.
    pub async fn commit(&self, writes: Vec<Write>) -> Result<(), StoreError> {
        let (answer, answered) = oneshot::channel();
        let submission = Submission {
            writes,
            answer: Some(answer),
        };
        self.queue.send(submission).await.map_err(|_| StoreError::Closed)?;
        answered.await.map_err(|_| StoreError::Closed)?
    }

    /// Hands in what nobody waits for. Never waits: when the queue is full the writes are lost, counted
    /// ([`Writer::lost`]) and told in the log.
    pub fn post(&self, writes: Vec<Write>) {
        if writes.is_empty() {
            return;
        }
        if let Err(refused) = self.queue.try_send(Submission { writes, answer: None }) {
            let (mpsc::error::TrySendError::Full(submission) | mpsc::error::TrySendError::Closed(submission)) = refused;
            self.lost.fetch_add(submission.writes.len() as u64, Ordering::Relaxed);
        }
    }

    /// Returns when nothing is written any more: at the end of the process, or when the task that writes has failed.
    pub async fn ended(&self) {
        self.queue.closed().await;
    }

    /// Submissions that wait now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.capacity().saturating_sub(self.queue.capacity())
    }

    /// Submissions that may wait.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.queue.max_capacity()
    }

    /// Writes that were posted and lost since the start, for want of room or because the database refused them.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

/// SQLite takes the right to write at once: a transaction that reads first and then writes cannot wait for another
/// process and fails. Other databases ignore it.
pub(super) fn immediate() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}

async fn run(
    database: DatabaseConnection,
    mut submissions: mpsc::Receiver<Submission>,
    options: StoreOptions,
    lost: Arc<AtomicU64>,
) {
    let mut told = 0;
    while let Some(first) = submissions.recv().await {
        let group = gather(first, &mut submissions, options.group, options.linger).await;
        write_group(&database, group, &lost).await;
        let now = lost.load(Ordering::Relaxed);
        if now > told {
            tracing::warn!(
                writes = now - told,
                "more happened than could be written: what nobody waited for, such as lines of transcripts, is missing"
            );
            told = now;
        }
    }
}

async fn gather(
    first: Submission,
    submissions: &mut mpsc::Receiver<Submission>,
    most: usize,
    linger: Duration,
) -> Vec<Submission> {
    let deadline = Instant::now() + linger;
    let mut weight = first.weight();
    let mut group = vec![first];
    while weight < most {
        match timeout_at(deadline, submissions.recv()).await {
            Ok(Some(submission)) => {
                weight += submission.weight();
                group.push(submission);
            }
            Ok(None) | Err(_) => break,
        }
    }
    group
}

async fn write_group(database: &DatabaseConnection, group: Vec<Submission>, lost: &AtomicU64) {
    let together = write_together(database, &group).await;
    let answers = match together {
        Ok(()) => vec![Ok(()); group.len()],
        Err(error) if group.len() == 1 => vec![Err(error)],
        // One of them is at fault: find out which, and let the others have what they wrote.
        Err(_) => match write_apart(database, &group).await {
            Ok(answers) => answers,
            Err(error) => vec![Err(error); group.len()],
        },
    };
    for (submission, answer) in group.into_iter().zip(answers) {
        match submission.answer {
            // A caller that went away does not hear of it; the write stands.
            Some(waiting) => drop(waiting.send(answer)),
            None => {
                if let Err(error) = answer {
                    tracing::error!(%error, writes = submission.writes.len(), "what happened could not be written");
                    lost.fetch_add(submission.writes.len() as u64, Ordering::Relaxed);
                }
            }
        }
    }
}

/// All submissions in one transaction.
async fn write_together(database: &DatabaseConnection, group: &[Submission]) -> Result<(), StoreError> {
    if group.iter().all(|submission| submission.writes.is_empty()) {
        return Ok(());
    }
    let transaction = database.begin_with_options(immediate()).await?;
    let writes: Vec<&Write> = group.iter().flat_map(|submission| &submission.writes).collect();
    let written = write(&transaction, writes).await;
    match written {
        Ok(()) => Ok(transaction.commit().await?),
        Err(error) => {
            transaction.rollback().await?;
            Err(error)
        }
    }
}

/// Each submission alone, behind a savepoint of its own, so that it fails or stands by itself; one sync for all.
async fn write_apart(
    database: &DatabaseConnection,
    group: &[Submission],
) -> Result<Vec<Result<(), StoreError>>, StoreError> {
    let transaction = database.begin_with_options(immediate()).await?;
    let mut answers = Vec::with_capacity(group.len());
    for submission in group {
        let alone = transaction.begin().await?;
        let written = write(&alone, submission.writes.iter().collect()).await;
        match &written {
            Ok(()) => alone.commit().await?,
            Err(_) => alone.rollback().await?,
        }
        answers.push(written);
    }
    transaction.commit().await?;
    Ok(answers)
}

async fn write(connection: &DatabaseTransaction, writes: Vec<&Write>) -> Result<(), StoreError> {
    let mut batch = Batch::default();
    for write in writes {
        batch.add(connection, write).await?;
    }
    batch.flush(connection).await
}
