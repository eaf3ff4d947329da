//! What ends oomtrace: SIGINT, SIGTERM, SIGHUP and SIGQUIT, in order and within two seconds, whatever it is at. A thread of its own
//! waits for them: the main thread may be in a call that takes long, and a handler could do nothing there.

use std::io;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use nix::libc;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use oomtrace::own::writer;
use oomtrace::sink::notices;
use tokio::sync::watch;

use super::exit::Status;

/// For how long runtimes may still answer.
const ANSWERS: Duration = Duration::from_millis(700);
/// For how long outputs are waited for.
const WRITES: Duration = Duration::from_millis(1200);
/// After that the main thread is not waited for any more.
const PATIENCE: Duration = Duration::from_millis(1500);
/// What is left for the outputs then, and for standard error.
const LAST: Duration = Duration::from_millis(150);
/// One that comes sooner after the first is the first again: timeout(1) sends its signal to the process and to its group.
const AGAIN: Duration = Duration::from_millis(100);

/// Writes what there is until then, and no longer; says what was not; and gives the status to end with.
pub type LastWords = Box<dyn Fn(Instant) -> Status + Send + Sync>;

/// Announces the first of the signals.
#[derive(Clone)]
pub struct Stop {
    at: watch::Receiver<Option<Instant>>,
    last_words: Arc<OnceLock<LastWords>>,
}

impl Stop {
    /// From now on the signals do not end the process by themselves. Must come before any other thread is started: those would take
    /// the signals.
    ///
    /// # Errors
    /// When signals cannot be blocked, or there can be no thread.
    pub fn catch() -> io::Result<Self> {
        let mut signals = SigSet::empty();
        for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGQUIT, Signal::SIGHUP] {
            // Whoever started it with nohup(1) wants it to stay.
            if signal != Signal::SIGHUP || !is_ignored(signal)? {
                signals.add(signal);
            }
        }
        signals.thread_block()?;
        // A limit of file sizes makes a write fail, instead of ending the process.
        // SAFETY: ignoring runs no code of ours.
        unsafe { sigaction(Signal::SIGXFSZ, &SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty())) }?;
        let (tell, at) = watch::channel(None);
        let last_words = Arc::new(OnceLock::new());
        let words = Arc::clone(&last_words);
        writer::spawn("signals", move || listen(&signals, &tell, &words))?;
        Ok(Self { at, last_words })
    }

    /// What is done when the main thread does not end in time.
    pub fn set_last_words(&self, last_words: LastWords) {
        _ = self.last_words.set(last_words);
    }

    /// Completes with the first signal, and says by when runtimes may still answer.
    pub async fn asked(&self) -> Instant {
        let mut at = self.at.clone();
        let asked = at.wait_for(Option::is_some).await.ok().and_then(|at| *at);
        match asked {
            Some(at) => at + ANSWERS,
            // The thread has ended, as it never does.
            None => std::future::pending().await,
        }
    }

    /// By when everything must be written: so long after the first signal, or after now when there was none.
    pub fn write_until(&self) -> Instant {
        let at = *self.at.borrow();
        at.unwrap_or_else(Instant::now) + WRITES
    }
}

fn is_ignored(signal: Signal) -> io::Result<bool> {
    // SAFETY: all zeroes are an action, and the call only fills it in.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: as above; none is set.
    if unsafe { libc::sigaction(signal as libc::c_int, std::ptr::null(), &raw mut action) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(action.sa_sigaction == libc::SIG_IGN)
}

/// Waits for the first signal, announces it, and then sees to it that the process ends.
fn listen(signals: &SigSet, tell: &watch::Sender<Option<Instant>>, last_words: &OnceLock<LastWords>) {
    while next(signals, None).is_none() {}
    let first = Instant::now();
    // The main thread may be past listening.
    _ = tell.send(Some(first));
    let until = first + PATIENCE;
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left == Duration::ZERO {
            break;
        }
        if next(signals, Some(left)) == Some(Signal::SIGINT as libc::c_int) && first.elapsed() >= AGAIN {
            end(Status::Failed);
        }
    }
    let status = match last_words.get() {
        Some(last_words) => last_words(Instant::now() + LAST),
        // It watched nothing yet, or has said all.
        None => Status::Done,
    };
    notices::close(Instant::now() + LAST);
    end(status)
}

/// The next of the signals; none when none came in time.
fn next(signals: &SigSet, within: Option<Duration>) -> Option<libc::c_int> {
    let time = within.map(|time| libc::timespec {
        tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
        tv_nsec: time.subsec_nanos().into(),
    });
    let time = time.as_ref().map_or(std::ptr::null(), std::ptr::from_ref);
    // SAFETY: the set and the time are valid for the call; no siginfo is asked for.
    let signal = unsafe { libc::sigtimedwait(signals.as_ref(), std::ptr::null_mut(), time) };
    (signal > 0).then_some(signal)
}

/// Ends the process at once: nothing that runs at its end may wait for a thread that does not come back.
fn end(status: Status) -> ! {
    // SAFETY: it ends every thread, wherever it is.
    unsafe { libc::_exit(status as libc::c_int) }
}
