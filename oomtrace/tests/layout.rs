//! What every recording says lies right on terminals of every width, with colours and without: no word is broken, no command is, and
//! nothing else is wider than the terminal.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails by panicking"
)]

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use oomtrace::filter::Filter;
use oomtrace::model::Record;
use oomtrace::run::recording::read;
use oomtrace::run::replay::replay;
use oomtrace::sink::Sink;
use oomtrace::sink::human::{Human, Look};
use unicode_width::UnicodeWidthStr as _;

struct Kept(Vec<Record>);

impl Sink for Kept {
    fn put(&mut self, record: &Record) -> io::Result<()> {
        self.0.push(record.clone());
        Ok(())
    }
}

/// The records of every recording, one stream behind the other.
fn streams() -> Vec<Vec<Record>> {
    let folders = std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recordings")).unwrap();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    let files = files.map(|file| file.unwrap().path()).filter(|path| path.extension().is_some_and(|ext| ext == "rec"));
    files
        .map(|file| {
            let mut kept = Kept(Vec::new());
            replay(read(&file).unwrap(), &Filter::default(), &mut kept).unwrap();
            kept.0
        })
        .collect()
}

fn shown(records: &[Record], look: Look) -> String {
    let mut out = Vec::new();
    let mut human = Human::new(&mut out, move || look);
    records.iter().for_each(|record| human.put(record).unwrap());
    String::from_utf8(out).unwrap()
}

fn commands(records: &[Record]) -> BTreeSet<&str> {
    let verdicts = records.iter().filter_map(|record| match record {
        Record::Incident(incident) => incident.verdict.as_ref(),
        Record::Correction(correction) => Some(&correction.verdict),
        _ => None,
    });
    verdicts.flat_map(|verdict| &verdict.advice).filter_map(|advice| advice.command.as_deref()).collect()
}

/// Without what begins with an escape and ends with `m`, which is a colour.
fn plain(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| match part.split_once('m') {
        Some((color, rest)) if color.chars().all(|c| c.is_ascii_digit() || c == ';') => text + rest,
        _ => text + "\x1b[" + part,
    })
}

fn words(text: &str) -> BTreeSet<&str> {
    text.split_whitespace().collect()
}

#[test]
fn every_block_of_every_recording_lies_right() {
    let mut blocks = 0;
    for records in streams() {
        let commands = commands(&records);
        for verbose in [false, true] {
            let look = Look { all: true, verbose, ..Look::default() };
            let whole = shown(&records, look);
            let known = words(&whole);
            for width in [60, 80, 120, 200] {
                let look = Look { width: Some(width), ..look };
                let text = shown(&records, look);
                assert_eq!(plain(&shown(&records, Look { color: true, ..look })), text);
                // A line that is written anew where it stands is as wide as what is written last.
                for line in text.lines().flat_map(|line| line.split("\r\x1b[K")) {
                    let is_command = commands.contains(line.trim());
                    assert!(is_command || line.width() <= width, "{width}: {line}\n{text}");
                    assert_eq!(line, line.trim_end(), "{text}");
                }
                for command in &commands {
                    let own = text.lines().any(|line| line.trim_start() == *command);
                    assert!(own || !whole.contains(command), "{command}\n{text}");
                }
                let broken: Vec<&str> =
                    words(&text).difference(&known).filter(|word| !word.contains('…')).copied().collect();
                assert!(broken.is_empty() || text.contains("\x1b[K"), "{broken:?}\n{text}");
                blocks += text.matches("\n   killed ").count();
            }
            let brief = shown(&records, Look { brief: true, width: Some(60), ..look });
            assert!(!brief.contains("\n\n") && !brief.starts_with('\n'), "{brief}");
        }
    }
    assert!(blocks > 1000, "{blocks}");
}
