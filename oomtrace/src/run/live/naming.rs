//! Asks runtimes for names, off the path of events, and keeps incidents in the order of their kills meanwhile: but for those whose
//! runtime takes long, which those of other cgroups overtake.

use std::collections::{HashSet, VecDeque};
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::{Duration, Instant};

use tokio::task::{JoinError, JoinHandle};

use crate::container::directory::Directory;
use crate::container::runtime::docker::DockerError;
use crate::judge::{judge, may_api_explain};
use crate::kubernetes::Kubernetes;
use crate::model::Record;
use crate::node::clock;
use crate::node::signals::SIGKILL;
use crate::redact::Privacy;
use crate::resolve::case::Case;
use crate::run::live::shares::{Shares, Whose};
use crate::run::names::Names;
use crate::run::recording::Recorder;
use crate::sink::notices;
use crate::store::sink::Asker;
use crate::words::{conclude, conclude_as};

/// All that is asked about one incident takes no longer, whatever a runtime does.
const NAMED_WITHIN: Duration = Duration::from_secs(4);
/// An incident is reported within 5 s of its first kill: one that grew for long, or waited for its victim's end, has less time for names.
const REPORTED_WITHIN: Duration = Duration::from_millis(4700);
/// But this much, in which a runtime that works has answered.
const LEAST: Duration = Duration::from_millis(500);
/// Those behind an incident wait no longer for it.
const OVERTAKEN_AFTER: Duration = Duration::from_millis(300);
const TOO_LATE: &str = "what its runtime knows (it had not answered in time)";
/// Of those that are still asked for at the end.
const STOPPED: &str = "what its runtime knows (oomtrace was stopped before it had answered)";
const TOO_MANY: &str = "what its runtime knows (too many incidents wait for runtimes already)";

/// With more incidents that wait, the history is not waited for.
const MAX_REMEMBERED: usize = 32;
/// Incidents that wait behind one, for as long as they do; with more of them reading pauses, and the ring buffer holds what comes.
const MAX_WAITING: usize = 4096;

/// Where Docker's socket is elsewhere.
pub const NAMES_ANOTHER: &str = " (--docker-socket names another socket)";

/// See the module's documentation.
pub struct Naming {
    directory: Directory,
    kubernetes: Kubernetes,
    recorder: Option<Recorder>,
    privacy: Privacy,
    history: Option<Rc<Asker>>,
    /// In the order of their kills.
    waiting: VecDeque<Waiting>,
    /// Those that were overtaken.
    late: Vec<Asking>,
    /// Whose incidents are asked for.
    asked: Shares,
    preload: JoinHandle<()>,
}

/// For an incident whose first kill was so long ago, in nanoseconds.
fn time_for_names(age_ns: u64) -> Duration {
    REPORTED_WITHIN.saturating_sub(Duration::from_nanos(age_ns)).clamp(LEAST, NAMED_WITHIN)
}

/// An incident that can be put out.
pub struct Named {
    pub record: Record,
    /// The Kubernetes API may know more of it later.
    pub open: Option<Box<Case>>,
}

enum Waiting {
    Named(Box<Named>),
    Asking(Asking),
}

/// An incident whose runtimes are asked.
struct Asking {
    task: JoinHandle<Names>,
    case: Rc<Case>,
    since: Instant,
}

impl Naming {
    /// Fetches what the runtimes know already, in the background.
    pub fn new(
        directory: Directory,
        kubernetes: Kubernetes,
        recorder: Option<Recorder>,
        privacy: Privacy,
        history: Option<Rc<Asker>>,
    ) -> Self {
        let all = directory.clone();
        let preload = tokio::task::spawn_local(async move {
            if let Err(error) = all.preload().await {
                let hint = if matches!(error, DockerError::Connect { .. }) { NAMES_ANOTHER } else { "" };
                notices::say(&format!("{error}; its containers go by their ids until it answers{hint}"));
            }
        });
        let waiting = VecDeque::new();
        Self {
            directory,
            kubernetes,
            recorder,
            privacy,
            history,
            waiting,
            late: Vec::new(),
            asked: Shares::default(),
            preload,
        }
    }

    pub fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.late.is_empty()
    }

    pub fn has_room(&self) -> bool {
        self.waiting.len() < MAX_WAITING
    }

    /// Starts naming the containers of each case.
    pub fn start(&mut self, cases: Vec<Case>) {
        for case in cases {
            let is_kill = case.incident.signal.number == SIGKILL && case.exited.is_none();
            let history = self.history.clone().filter(|_| is_kill);
            // In a storm the history is not waited for.
            let is_storm = self.waiting.len() >= MAX_REMEMBERED;
            let history = history.filter(|_| !is_storm || Names::are_wanted(&case.incident));
            let has_names = Names::are_wanted(&case.incident);
            let waiting = if !has_names && history.is_none() {
                Waiting::Named(Box::new(Named { record: conclude(case), open: None }))
            } else if !self.asked.take(Whose::of(&case)) {
                let names = Names::unasked(&case, &self.directory, TOO_MANY).private(self.privacy);
                Waiting::Named(Box::new(self.named(Rc::new(case), names)))
            } else {
                let case = Rc::new(case);
                let (asked, directory, privacy) = (Rc::clone(&case), self.directory.clone(), self.privacy);
                let kubernetes = self.kubernetes.clone();
                // A clock that cannot be read, as it always can, leaves the whole time.
                let now = clock::boot_now().unwrap_or(case.at);
                let within = time_for_names(now.saturating_sub(case.at));
                let task = tokio::task::spawn_local(async move {
                    let names = match has_names {
                        true => tokio::time::timeout(within, Names::ask(&asked, &directory, &kubernetes)).await,
                        false => Ok(Names::none()),
                    };
                    let names = names.unwrap_or_else(|_| Names::unasked(&asked, &directory, TOO_LATE)).private(privacy);
                    names.ask_history(&asked.incident, history.as_deref(), is_storm).await
                });
                Waiting::Asking(Asking { task, case, since: Instant::now() })
            };
            self.waiting.push_back(waiting);
        }
    }

    /// The oldest incident, once it is named, or one that was overtaken; none when none waits, and when one was overtaken just now.
    /// Cancel-safe.
    pub async fn next(&mut self) -> Option<Named> {
        if self.is_idle() {
            return None;
        }
        let until = match self.waiting.front() {
            Some(Waiting::Asking(asking)) => Some(asking.since + OVERTAKEN_AFTER),
            _ => None,
        };
        let overtaken = async {
            match until {
                Some(until) => tokio::time::sleep_until(until.into()).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            done = done(&mut self.waiting, &mut self.late) => match done {
                Done::Named(named) => Some(*named),
                Done::Answered(answered) => {
                    let (asking, names) = *answered;
                    Some(self.answered(asking, names))
                }
            },
            () = overtaken => {
                if let Some(Waiting::Asking(asking)) = self.waiting.pop_front() {
                    self.late.push(asking);
                }
                None
            }
        }
    }

    /// All that still wait, without what has not been answered by now: there is no time left.
    pub fn rest(&mut self) -> Vec<Named> {
        let (late, waiting) = (std::mem::take(&mut self.late), std::mem::take(&mut self.waiting));
        let all = late.into_iter().map(Waiting::Asking).chain(waiting);
        all.map(|waiting| match waiting {
            Waiting::Named(named) => *named,
            Waiting::Asking(asking) => self.as_it_is(asking),
        })
        .collect()
    }

    fn as_it_is(&mut self, asking: Asking) -> Named {
        asking.task.abort();
        self.asked.give_back(&Whose::of(&asking.case));
        let names = Names::unasked(&asking.case, &self.directory, STOPPED).private(self.privacy);
        self.named(asking.case, names)
    }

    fn answered(&mut self, asking: Asking, names: Result<Names, JoinError>) -> Named {
        match names {
            Ok(names) => {
                self.asked.give_back(&Whose::of(&asking.case));
                self.named(asking.case, names)
            }
            Err(error) => {
                log::error!("a runtime was not asked for a name: {error}");
                self.as_it_is(asking)
            }
        }
    }

    fn named(&self, case: Rc<Case>, names: Names) -> Named {
        if let Some(recorder) = &self.recorder {
            recorder.names(&case.incident.id, &names);
        }
        // The task that asked has ended, or is about to.
        let mut case = Rc::unwrap_or_clone(case);
        names.apply(&mut case);
        let judgement = judge(&case);
        let is_open = self.kubernetes.is_on() && may_api_explain(&judgement, &case.incident);
        let open = is_open.then(|| Box::new(case.clone()));
        Named { record: conclude_as(case, &judgement), open }
    }
}

impl Drop for Naming {
    fn drop(&mut self) {
        self.preload.abort();
    }
}

/// What can be put out, and waits no longer.
enum Done {
    /// It was not asked for.
    Named(Box<Named>),
    Answered(Box<(Asking, Result<Names, JoinError>)>),
}

/// Takes out the first one, or one of those that were overtaken, once it can be put out. Those of one cgroup never overtake each other:
/// which of them is the first, and which repeats it, is the same in a replay.
async fn done(waiting: &mut VecDeque<Waiting>, late: &mut Vec<Asking>) -> Done {
    poll_fn(|context| {
        match waiting.pop_front() {
            Some(Waiting::Named(named)) => return Poll::Ready(Done::Named(named)),
            Some(Waiting::Asking(asking))
                if late.iter().any(|earlier| cgroup(&earlier.case) == cgroup(&asking.case)) =>
            {
                late.push(asking);
                // Another one is at the front.
                context.waker().wake_by_ref();
            }
            Some(Waiting::Asking(mut asking)) => {
                if let Poll::Ready(names) = Pin::new(&mut asking.task).poll(context) {
                    return Poll::Ready(Done::Answered(Box::new((asking, names))));
                }
                waiting.push_front(Waiting::Asking(asking));
            }
            None => {}
        }
        let mut earlier = HashSet::new();
        let answered = late.iter_mut().enumerate().find_map(|(at, Asking { task, case, .. })| {
            if !earlier.insert(cgroup(case)) {
                return None;
            }
            match Pin::new(task).poll(context) {
                Poll::Ready(names) => Some((at, names)),
                Poll::Pending => None,
            }
        });
        match answered {
            Some((at, names)) => Poll::Ready(Done::Answered(Box::new((late.remove(at), names)))),
            None => Poll::Pending,
        }
    })
    .await
}

fn cgroup(case: &Case) -> Option<&str> {
    case.incident.victim.process.cgroup.as_deref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_long_already_has_less_time_for_names() {
        for (age_ms, within_ms) in [(0, 4000), (700, 4000), (2_000, 2700), (3_600, 1100), (4_500, 500), (60_000, 500)] {
            assert_eq!(time_for_names(age_ms * 1_000_000), Duration::from_millis(within_ms), "{age_ms}");
        }
    }
}
