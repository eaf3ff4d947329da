//! Inputs that the fuzzer found worth keeping, and changed ones made of them: nothing panics on any.
//!
//! `cargo +nightly fuzz run event` (or `file`, `reader`, `steps`, `redact`, `pod`) looks for more, in `fuzz/corpus`.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails by panicking"
)]

#[path = "../../fuzz/inputs.rs"]
mod inputs;

use std::fs;
use std::path::Path;

/// Changed inputs made of each kept one.
const CHANGED: usize = 40;

/// Numbers that only look as if by chance (xorshift64), so that a failure is one again.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 1).unwrap() % end.max(1)
    }
}

/// Changes a few bytes, cuts off an end, or doubles a part.
fn change(bytes: &mut Vec<u8>, numbers: &mut Numbers) {
    match numbers.below(4) {
        0 => bytes.truncate(numbers.below(bytes.len())),
        1 if !bytes.is_empty() => {
            let at = numbers.below(bytes.len());
            let part = bytes.get(at..(at + 64).min(bytes.len())).unwrap_or_default().to_vec();
            bytes.splice(at..at, part);
        }
        _ => {
            for _ in 0..=numbers.below(4) {
                let at = numbers.below(bytes.len());
                let value = [0, 0xff, 0x80, 0x7f][numbers.below(4)];
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = if numbers.below(2) == 0 { value } else { *byte ^ (1 << numbers.below(8)) };
                }
            }
        }
    }
}

/// Runs every input of a target, and its changed ones; how many it kept.
fn run(target: &str, input: fn(&[u8])) -> usize {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus").join(target);
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()).collect();
    files.sort();
    for file in &files {
        let bytes = fs::read(file).unwrap();
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15 ^ bytes.len() as u64);
        let attempt = |bytes: &[u8]| {
            if std::panic::catch_unwind(|| input(bytes)).is_err() {
                let kept = std::env::temp_dir().join(format!("oomtrace-{target}-input"));
                fs::write(&kept, bytes).unwrap();
                panic!("an input made of {} panics: kept as {}", file.display(), kept.display());
            }
        };
        attempt(&bytes);
        for _ in 0..CHANGED {
            let mut changed = bytes.clone();
            change(&mut changed, &mut numbers);
            attempt(&changed);
        }
    }
    files.len()
}

#[test]
fn events() {
    assert!(run("event", inputs::event) > 50);
}

#[test]
fn command_lines() {
    assert!(run("redact", inputs::redact) > 20);
}

#[test]
fn files() {
    assert!(run("file", inputs::file) > 20);
}

#[test]
fn readers() {
    assert!(run("reader", inputs::reader) >= 14);
}

#[test]
fn steps() {
    assert!(run("steps", inputs::steps) > 50);
}

#[test]
fn pods() {
    assert!(run("pod", inputs::pod) >= 4);
}
