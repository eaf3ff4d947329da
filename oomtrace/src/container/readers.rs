//! Threads that read files of runtimes: few, with a deadline for whoever waits, and one for each user, so that what a user's files
//! cost falls on that user alone.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};

/// Threads for root's files, and for all users' together.
const ROOTS: usize = 4;
const USERS: usize = 4;
/// All of them.
pub const MAX_THREADS: usize = ROOTS + USERS;
/// How long an answer is waited for.
const DEADLINE: Duration = Duration::from_millis(1500);
/// Lookups of one user's that wait for that user's thread.
const MAX_WAITING: usize = 8;
/// A lookup in a user's files that took longer than this is followed by a pause of so many times its length.
const SHORT: Duration = Duration::from_millis(20);
const PAUSE: u32 = 9;

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Late {
    #[error("its files were not read in time")]
    Deadline,
    #[error("too many lookups in this user's files wait already")]
    TooMany,
    #[error("the task that reads its files failed")]
    Failed,
}

/// See the module's documentation. Clones share the threads.
#[derive(Clone, Debug)]
pub struct Readers {
    roots: Arc<Semaphore>,
    users: Arc<Semaphore>,
    /// Users whose files are being read.
    by_user: Rc<RefCell<HashMap<u32, User>>>,
}

#[derive(Debug)]
struct User {
    thread: Arc<Semaphore>,
    waiting: usize,
}

impl Default for Readers {
    fn default() -> Self {
        let (roots, users) = (Arc::new(Semaphore::new(ROOTS)), Arc::new(Semaphore::new(USERS)));
        Self { roots, users, by_user: Rc::default() }
    }
}

impl Readers {
    /// Does `work` in a thread, in the name of root or of `user`.
    ///
    /// # Errors
    /// When there is no answer in time.
    pub async fn run<T: Send + 'static>(
        &self,
        user: Option<u32>,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Late> {
        let waiting = user.map(|uid| Waiting::new(&self.by_user, uid)).transpose()?;
        let whole = async {
            let own = match &waiting {
                Some(waiting) => Some(permit(&waiting.thread).await?),
                None => None,
            };
            let shared = permit(if user.is_some() { &self.users } else { &self.roots }).await?;
            let started = Instant::now();
            // The permits go with the thread, which may outlast whoever waits for it.
            let thread = spawn_blocking(move || (work(), own, shared));
            let (found, own, _shared) = thread.await.map_err(|_| Late::Failed)?;
            let took = started.elapsed();
            if let Some(own) = own.filter(|_| took > SHORT) {
                tokio::task::spawn(async move {
                    sleep(took * PAUSE).await;
                    drop(own);
                });
            }
            Ok(found)
        };
        timeout(DEADLINE, whole).await.map_err(|_| Late::Deadline)?
    }
}

async fn permit(of: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, Late> {
    Arc::clone(of).acquire_owned().await.map_err(|_| Late::Failed)
}

/// A lookup of a user's, for as long as it is waited for.
struct Waiting {
    all: Rc<RefCell<HashMap<u32, User>>>,
    uid: u32,
    thread: Arc<Semaphore>,
}

impl Waiting {
    fn new(all: &Rc<RefCell<HashMap<u32, User>>>, uid: u32) -> Result<Self, Late> {
        let mut users = all.borrow_mut();
        let user = users.entry(uid).or_insert_with(|| User { thread: Arc::new(Semaphore::new(1)), waiting: 0 });
        if user.waiting >= MAX_WAITING {
            return Err(Late::TooMany);
        }
        user.waiting += 1;
        Ok(Self { all: Rc::clone(all), uid, thread: Arc::clone(&user.thread) })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let mut users = self.all.borrow_mut();
        if let Some(user) = users.get_mut(&self.uid) {
            user.waiting = user.waiting.saturating_sub(1);
        }
        // A user whose thread is stuck or pauses is remembered.
        users.retain(|_, user| user.waiting > 0 || user.thread.available_permits() == 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;
    use tokio::runtime::Builder;
    use tokio::task::LocalSet;

    /// Two users' files do not answer; root's and another user's do.
    #[test]
    fn a_users_stuck_files_hold_up_nobody_else() {
        let runtime = Builder::new_current_thread().enable_all().max_blocking_threads(MAX_THREADS).build().unwrap();
        let readers = Readers::default();
        let mut stuck = Vec::new();
        LocalSet::new().block_on(&runtime, async {
            for uid in [1000, 1001] {
                let (release, wait) = channel::<()>();
                stuck.push(release);
                let late = readers.run(Some(uid), move || _ = wait.recv()).await;
                assert_eq!(late, Err(Late::Deadline));
            }
            assert_eq!(readers.run(Some(1000), || ()).await, Err(Late::Deadline));
            assert_eq!(readers.run(None, || 7).await, Ok(7));
            assert_eq!(readers.run(Some(1002), || 8).await, Ok(8));
            assert_eq!(readers.by_user.borrow().len(), 2);
            stuck.clear();
        });
        runtime.shutdown_background();
    }
}
