//! Names the functions of user stacks, in a thread of its own: a file may be large, and its disk slow. What it has not found in time is
//! given without.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use crate::event::ProcessKey;
use crate::model::UserFrame;
use crate::node::functions::{Function, Place, functions};
use crate::node::program_file::Root;

/// How long a verdict may wait for names, counted from when they were asked for: a victim takes some of it to end.
const PATIENCE: Duration = Duration::from_millis(20);
/// Stacks that wait to be named.
const QUEUE: usize = 8;
/// Bytes of its stack: oomtrace's memory is locked, where that may be.
const STACK: usize = 256 << 10;
/// Stacks whose incident has not come.
const PENDING: usize = 64;

/// A frame's file, with its build id and the place in it.
type Frame = Option<(PathBuf, String, Place)>;
type Names = Vec<Option<Function>>;

struct Question {
    root: Root,
    frames: Vec<Frame>,
    answer: Sender<Names>,
}

/// See the module's documentation.
#[derive(Default)]
pub struct Namer {
    thread: Option<SyncSender<Question>>,
    pending: HashMap<ProcessKey, (Instant, Receiver<Names>)>,
}

impl Namer {
    /// Starts to look for the functions of a stack of a process that is still there.
    pub fn ask(&mut self, proc: &Path, key: ProcessKey, stack: &[UserFrame]) {
        let frames: Vec<Frame> = stack.iter().enumerate().map(|(index, frame)| sought(frame, index > 0)).collect();
        if frames.iter().all(Option::is_none) {
            return;
        }
        let root = match Root::of(proc, key.pid) {
            Ok(root) => root,
            Err(error) => return log::debug!("no names of user functions: the root of {}: {error}", key.pid),
        };
        let (answer, answered) = channel();
        if self.thread().is_some_and(|thread| thread.try_send(Question { root, frames, answer }).is_ok()) {
            if self.pending.len() >= PENDING {
                self.pending.clear();
            }
            self.pending.insert(key, (Instant::now(), answered));
        }
    }

    /// The functions, one answer for each frame; empty when they were not asked for, or are not found in time.
    pub fn take(&mut self, key: ProcessKey) -> Names {
        let Some((asked, answered)) = self.pending.remove(&key) else { return Vec::new() };
        // Too late, or the thread is gone.
        answered.recv_timeout(PATIENCE.saturating_sub(asked.elapsed())).unwrap_or_default()
    }

    /// Started when it is needed first, with what privileges are left by then.
    fn thread(&mut self) -> Option<&SyncSender<Question>> {
        if self.thread.is_none() {
            let (ask, asked) = sync_channel(QUEUE);
            let started = std::thread::Builder::new()
                .name("functions".to_owned())
                .stack_size(STACK)
                .spawn(move || answer(&asked));
            match started {
                Ok(_) => self.thread = Some(ask),
                Err(error) => log::warn!("no names of user functions: {error}"),
            }
        }
        self.thread.as_ref()
    }
}

/// What of a frame can be looked up.
fn sought(frame: &UserFrame, is_return: bool) -> Frame {
    let place = Place { offset: frame.offset?, is_return };
    Some((PathBuf::from(frame.file.as_ref()?), frame.build_id.clone()?, place))
}

fn answer(asked: &Receiver<Question>) {
    for Question { root, frames, answer } in asked {
        // Nobody waits for it any more where that took too long.
        _ = answer.send(names(&root, &frames));
    }
}

/// Each file is read once. A build id is what a file says of itself: what one container's says is not given for another's.
fn names(root: &Root, frames: &[Frame]) -> Names {
    let mut names: Names = vec![None; frames.len()];
    let mut files: Vec<(&Path, &str)> =
        frames.iter().flatten().map(|(file, id, _)| (file.as_path(), id.as_str())).collect();
    files.sort_unstable();
    files.dedup();
    for (file, id) in files {
        let (places, into): (Vec<Place>, Vec<&mut Option<Function>>) = frames
            .iter()
            .zip(&mut names)
            .filter_map(|(frame, name)| {
                let (its, its_id, place) = frame.as_ref()?;
                (its == file && its_id == id).then_some((*place, name))
            })
            .unzip();
        match root.open(file).and_then(|file| functions(&file, id, &places)) {
            Ok(found) => into.into_iter().zip(found).for_each(|(name, found)| *name = found),
            Err(error) => log::debug!("no names of functions in {}: {error}", file.display()),
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::mappings::mapped;

    #[test]
    fn a_stack_of_this_process_is_named_in_time_and_once() {
        let key = ProcessKey { pid: std::process::id(), start: 0 };
        let address = nix::libc::malloc as *const () as u64;
        let place = mapped(Path::new("/proc"), key.pid, &[address]).remove(0).unwrap();
        let frame = |file: Option<&str>, build_id: Option<&str>| UserFrame {
            address,
            file: file.map(str::to_owned),
            offset: Some(place.offset),
            build_id: build_id.map(str::to_owned),
            function: None,
            function_offset: None,
        };
        let mut namer = Namer::default();
        // Another build than it says, and nothing to look at.
        namer.ask(Path::new("/proc"), key, &[frame(Some(&place.file), Some("00")), frame(Some("/gone"), Some("00"))]);
        assert_eq!(namer.take(key), [None, None]);
        assert_eq!(namer.take(key), []);
        namer.ask(Path::new("/proc"), key, &[frame(None, Some("00")), frame(Some(&place.file), None)]);
        assert!(namer.thread.is_some() && namer.pending.is_empty());
        namer.ask(Path::new("/proc"), ProcessKey { pid: 0, start: 0 }, &[frame(Some("/gone"), Some("00"))]);
        assert!(namer.pending.is_empty());
    }

    #[test]
    fn a_frame_that_is_called_is_a_return_address() {
        let frame = UserFrame {
            address: 7,
            file: Some("/a".to_owned()),
            offset: Some(5),
            build_id: Some("00".to_owned()),
            function: None,
            function_offset: None,
        };
        for (index, is_return) in [(0, false), (1, true)] {
            assert_eq!(sought(&frame, index > 0).unwrap().2, Place { offset: 5, is_return });
        }
        assert_eq!(sought(&UserFrame { build_id: None, ..frame }, false), None);
    }
}
