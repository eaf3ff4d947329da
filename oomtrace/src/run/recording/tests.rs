//! Files as they are written, and as they are found.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use oomtrace_common::event::WIRE_VERSION;

use super::*;
use crate::event::ProcessKey;
use crate::model::Limited;
use crate::resolve::facts::Facts as _;
use crate::sink::queue::Count;

/// A file in memory.
#[derive(Clone, Default)]
struct Memory(Arc<Mutex<Vec<u8>>>);

impl Write for Memory {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

const LOST: Lost = {
    let zero = Limited { stop_signals: 0, signals: 0, connections: 0, cgroups: 0 };
    Lost {
        events: 3,
        kills: 2,
        oom_marks: 1,
        oom_choices: 0,
        exits: 0,
        arguments: 0,
        stop_signals: 0,
        signals: 0,
        connections: 0,
        disconnections: 0,
        cgroups: 0,
        limited: zero,
        unwritten: None,
    }
};

impl Memory {
    /// What `record` records.
    fn of(record: impl FnOnce(&Recorder)) -> Vec<u8> {
        let file = Self::default();
        let recorder = Recorder::to(file.clone(), Arc::default(), |_| {}).unwrap();
        record(&recorder);
        assert!(recorder.close(Instant::now() + Duration::from_secs(20)).is_zero());
        file.0.lock().unwrap().clone()
    }
}

fn start() -> Start {
    Start {
        host_mount: None,
        systemd: None,
        wire_version: WIRE_VERSION,
        page_size: 4096,
        ready: Ready {
            schema: 1,
            version: "0.1.0".to_owned(),
            node: Some("node-7".to_owned()),
            boot_id: None,
            attached: Vec::new(),
            missing: Vec::new(),
            sandbox: None,
        },
        signal_generate: true,
        mark_victim: true,
        process_exit: true,
        reads_victims: true,
        since: 5,
        sockets: Vec::new(),
        privacy: Privacy::Shown,
        detail: Detail::default(),
    }
}

/// A recording, and where its last frame starts.
fn recording() -> (Vec<u8>, usize) {
    let record = |recorder: &Recorder| {
        recorder.start(&start());
        recorder.event(b"bytes of an event");
        recorder.advance(7);
        recorder.answer(&Answer::User { uid: 5, name: Some("eve".to_owned()) });
    };
    let without_last = Memory::of(record).len();
    let bytes = Memory::of(|recorder| {
        record(recorder);
        recorder.lost(&LOST);
    });
    (bytes, without_last)
}

#[test]
fn what_was_written_is_read() {
    let mut contents = Contents::parse(&recording().0).unwrap();
    assert_eq!(contents.start, start());
    assert_eq!(contents.steps, [Step::Event(b"bytes of an event".to_vec()), Step::Advance(7), Step::Lost(LOST)]);
    assert_eq!((contents.answers.user(5).as_deref(), contents.answers.user(6)), (Some("eve"), None));
    assert_eq!(*contents.answers.process(ProcessKey { pid: 1, start: 1 }, None), Details::default());
    assert_eq!(contents.torn, 0);
}

#[test]
fn losses_from_before_kinds_were_counted_are_read() {
    let bytes = Memory::of(|recorder| {
        recorder.start(&start());
        recorder.frame(Kind::Lost, &7_u64.to_le_bytes(), Count::one(false));
    });
    let contents = Contents::parse(&bytes).unwrap();
    assert_eq!(contents.steps, [Step::Lost(Lost { events: 7, ..Lost::default() })]);
}

#[test]
fn a_torn_tail_is_dropped_and_said() {
    let (bytes, last) = recording();
    for len in last..bytes.len() {
        let contents = Contents::parse(&bytes[..len]).unwrap();
        assert_eq!((contents.steps.len(), contents.torn), (2, len - last), "{len} bytes");
    }
}

#[test]
fn a_file_cut_off_or_changed_anywhere_never_panics_and_is_never_taken_for_whole() {
    let (bytes, last) = recording();
    for len in 0..last {
        // Cut between two frames it is a shorter recording.
        match Contents::parse(&bytes[..len]) {
            Ok(contents) => assert!(contents.steps.len() < 3),
            Err(ParseError::Foreign | ParseError::Damaged(..)) => {}
            Err(other) => panic!("{len}: {other:?}"),
        }
    }
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 0x10;
        match Contents::parse(&changed) {
            // A length that grew reaches beyond the end, as a torn frame does.
            Ok(contents) => assert!(contents.torn > 0, "byte {at}"),
            Err(ParseError::Foreign) => assert!(at < MAGIC.len()),
            Err(ParseError::Newer(_)) => assert!(at < MAGIC.len() + 2),
            Err(ParseError::Damaged(..)) => {}
            Err(other) => panic!("{at}: {other:?}"),
        }
    }
}

#[test]
fn foreign_newer_and_other_wire_versions_are_told_apart() {
    assert!(matches!(Contents::parse(b""), Err(ParseError::Foreign)));
    assert!(matches!(Contents::parse(b"\x7fELF and so on"), Err(ParseError::Foreign)));
    let mut newer = recording().0;
    newer[8] = 99;
    assert!(matches!(Contents::parse(&newer), Err(ParseError::Newer(99))));
    let bytes = Memory::of(|recorder| recorder.start(&Start { wire_version: 1, ..start() }));
    assert!(matches!(Contents::parse(&bytes), Err(ParseError::Wire(1, _))));
}
