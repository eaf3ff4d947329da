//! Answers whoever asks. A thread without privileges takes connections, and has the loop that watches answer itself: when that stands
//! still, so does its answer, and the thread says so.

use std::io::{self, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use tokio::sync::mpsc;

use super::{LOOP_ANSWERS_WITHIN, UNWELL, WELL, address, own_user, peer};
use crate::own::writer;

/// After an error, as when there are no descriptors left.
const PAUSE: Duration = Duration::from_millis(200);

/// Well, and what it does; or what is wrong.
pub type Answer = Result<String, String>;

/// Somebody wants to know.
pub struct Question(SyncSender<Answer>);

impl Question {
    /// Answers it.
    pub fn answer(self, answer: Answer) {
        // Nobody waits for one that comes too late.
        _ = self.0.try_send(answer);
    }
}

/// What is asked, for the loop that watches.
pub struct Questions(mpsc::Receiver<Question>);

impl Questions {
    /// The next one.
    pub async fn next(&mut self) -> Question {
        match self.0.recv().await {
            Some(question) => question,
            // The thread has ended, as it never does.
            None => std::future::pending().await,
        }
    }
}

/// Listens from now on, as `name`. A later filter of system calls needs to leave it no more than to accept.
///
/// # Errors
/// When the name is taken, or there can be no thread.
pub fn listen(name: &str) -> io::Result<Questions> {
    let listener = UnixListener::bind_addr(&address(name)?)?;
    // One at a time: with a loop that does not come to the first, the others need not wait.
    let (ask, questions) = mpsc::channel(1);
    writer::spawn("health", move || serve(&listener, &ask))?;
    Ok(Questions(questions))
}

fn serve(listener: &UnixListener, ask: &mpsc::Sender<Question>) {
    while !ask.is_closed() {
        match listener.accept() {
            // Nothing is read from anybody: who connects and is silent holds nothing up.
            Ok((stream, _)) if peer(&stream).is_ok_and(|user| user == own_user()) => {
                if let Err(error) = reply(stream, ask) {
                    log::debug!("whoever asked for health has left: {error}");
                }
            }
            Ok(_) => {}
            Err(error) => {
                log::debug!("nobody can ask for health: {error}");
                std::thread::sleep(PAUSE);
            }
        }
    }
}

fn reply(mut stream: UnixStream, ask: &mpsc::Sender<Question>) -> io::Result<()> {
    let text = match answer(ask) {
        Ok(text) => format!("{WELL}{text}\n"),
        Err(text) => format!("{UNWELL}{text}\n"),
    };
    // Nobody else writes: it has room.
    stream.write_all(text.as_bytes())
}

fn answer(ask: &mpsc::Sender<Question>) -> Answer {
    let (sender, answer) = sync_channel(1);
    let stands = || format!("the loop that watches has not come to answer for {} s", LOOP_ANSWERS_WITHIN.as_secs());
    match ask.try_send(Question(sender)) {
        Ok(()) => {}
        Err(mpsc::error::TrySendError::Full(_)) => return Err(stands()),
        Err(mpsc::error::TrySendError::Closed(_)) => return Err(ENDS.to_owned()),
    }
    match answer.recv_timeout(LOOP_ANSWERS_WITHIN) {
        Ok(answer) => answer,
        Err(RecvTimeoutError::Timeout) => Err(stands()),
        Err(RecvTimeoutError::Disconnected) => Err(ENDS.to_owned()),
    }
}

const ENDS: &str = "it is about to end";
