//! The terminal: taken for a screen, and given back as it was, whatever happens.

use std::fs::File;
use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::sync::{Mutex, Once, PoisonError, TryLockError};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use oomtrace::sink::steady::duplicate;
use rustix::termios::{InputModes, LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

/// The other screen, without a cursor; and back, with its colours as they were.
const TAKE: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[2J\x1b[H";
const WIPE: &[u8] = b"\x1b[0m\x1b[2J";
const GIVE_BACK: &[u8] = b"\x1b[0m\x1b[?25h\x1b[?1049l";
/// A terminal that takes nothing for so long, in milliseconds, gets its mode back alone.
const PATIENCE: u16 = 200;
/// It is waited for so often and so long where another thread is at it.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(10);

static TAKEN: Mutex<Option<Taken>> = Mutex::new(None);

struct Taken {
    out: File,
    mode: Termios,
    /// It has the other screen now.
    is_up: bool,
}

/// Takes the terminal that is standard input and output. From then on a panic gives it back before it says what it is.
///
/// # Errors
/// When it is none.
pub fn take() -> io::Result<()> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
        }));
    });
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    if taken.is_none() {
        *taken = Some(Taken { out: duplicate(io::stdout())?, mode: tcgetattr(io::stdin())?, is_up: false });
    }
    taken.as_mut().map_or(Ok(()), Taken::take)
}

/// Gives it back, if it is taken. Never waits for long: whoever reads it may have gone.
pub fn restore() {
    for _ in 0..TRIES {
        let taken = match TAKEN.try_lock() {
            Ok(taken) => Some(taken),
            Err(TryLockError::Poisoned(taken)) => Some(taken.into_inner()),
            // Somebody takes it just now, or cannot write to it.
            Err(TryLockError::WouldBlock) => None,
        };
        if let Some(mut taken) = taken {
            return taken.iter_mut().for_each(Taken::give_back);
        }
        std::thread::sleep(PAUSE);
    }
}

/// Leaves nothing on the screen, where it is taken.
///
/// # Errors
/// When it cannot be written to.
pub fn wipe() -> io::Result<()> {
    match TAKEN.lock().unwrap_or_else(PoisonError::into_inner).as_mut().filter(|taken| taken.is_up) {
        Some(taken) => taken.out.write_all(WIPE),
        None => Ok(()),
    }
}

/// It has the other screen now.
pub fn is_taken() -> bool {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner).as_ref().is_some_and(|taken| taken.is_up)
}

impl Taken {
    fn take(&mut self) -> io::Result<()> {
        let mut mode = self.mode.clone();
        // A key at a time, unseen. Ctrl-C, Ctrl-\ and Ctrl-Z stay signals, for all that were started together; Ctrl-S stops nothing.
        mode.local_modes -= LocalModes::ICANON | LocalModes::ECHO | LocalModes::ECHONL | LocalModes::IEXTEN;
        mode.local_modes |= LocalModes::ISIG;
        mode.input_modes -= InputModes::IXON;
        mode.special_codes[SpecialCodeIndex::VMIN] = 1;
        mode.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &mode)?;
        self.is_up = true;
        self.out.write_all(TAKE)
    }

    fn give_back(&mut self) {
        if !std::mem::take(&mut self.is_up) {
            return;
        }
        let mut waits = [PollFd::new(self.out.as_fd(), PollFlags::POLLOUT)];
        let takes_more = poll(&mut waits, PollTimeout::from(PATIENCE)).is_ok_and(|ready| ready > 0);
        if takes_more {
            // It may be gone, and then nobody sees it.
            _ = self.out.write_all(GIVE_BACK);
        }
        _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.mode);
    }
}
