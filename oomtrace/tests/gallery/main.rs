//! The gallery: `docs/gallery.md` is what oomtrace says of its recordings today, and reads right on every terminal.
//!
//! `cargo xtask gallery` runs `the_page` with `UPDATE=1`, which writes page and pictures, and `print`, which shows some of it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails by panicking"
)]

mod advice;
mod page;
mod pictures;
mod screen;
mod show;
mod svg;

use std::collections::{BTreeMap, HashSet};
use std::fs;

use oomtrace::model::{Confidence, Incident, Record, SignalPath};
use unicode_width::UnicodeWidthStr as _;
use xtask::situations::{self, Situation, WIDTH};

use screen::plain;
use show::{Said, all, show, workspace};

/// A value of the contract as its JSON has it.
fn name(value: impl serde::Serialize) -> String {
    serde_json::to_value(value).unwrap().as_str().unwrap().to_owned()
}

fn commands(incident: &Incident) -> Vec<String> {
    let verdict = incident.verdict.iter();
    verdict.flat_map(|verdict| &verdict.advice).filter_map(|advice| advice.command.clone()).collect()
}

/// Every command that is shown, also of what is said later.
fn all_commands(situation: &Situation, said: &Said) -> Vec<String> {
    let later = said.records.iter().filter_map(|record| match record {
        Record::Correction(correction) => Some(&correction.verdict),
        _ => None,
    });
    let later = later.flat_map(|verdict| &verdict.advice).filter_map(|advice| advice.command.clone());
    said.incidents(situation).flat_map(commands).chain(later).collect()
}

#[test]
fn the_page_is_what_oomtrace_says_today() {
    let files = page::files();
    if std::env::var_os("UPDATE").is_some() {
        for (path, text) in files {
            fs::write(workspace().join(path), text).unwrap();
        }
        return;
    }
    for (path, text) in files {
        let kept = fs::read_to_string(workspace().join(&path)).unwrap_or_default();
        assert!(
            kept == text,
            "{} is not what oomtrace says today: `cargo xtask gallery` makes it anew",
            path.display()
        );
    }
}

#[test]
fn nothing_lies_about_that_the_page_does_not_show() {
    let mut known: HashSet<String> = all().map(|it| format!("{}.svg", it.name)).collect();
    known.extend(all().map(|it| it.recording().rsplit('/').next().unwrap().to_owned()));
    known.insert("recordings".to_owned());
    let directory = workspace().join(situations::DIRECTORY);
    for file in
        [directory.clone(), directory.join("recordings")].iter().filter_map(|dir| fs::read_dir(dir).ok()).flatten()
    {
        let name = file.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(&name), "{name}");
    }
}

#[test]
fn there_are_forty_and_each_is_another() {
    let all: Vec<&Situation> = all().collect();
    assert!(all.len() >= 40, "{}", all.len());
    let of = |part: fn(&Situation) -> &str| all.iter().map(|situation| part(situation)).collect::<HashSet<_>>().len();
    assert_eq!((of(|it| it.name), of(|it| it.title), of(|it| it.apart)), (all.len(), all.len(), all.len()));
}

/// Nothing that was certain to whoever made it is called possible, or unseen.
#[test]
fn each_is_judged_as_what_made_it() {
    let mut wrong = Vec::new();
    for situation in all() {
        let said = show(situation, None, false);
        let mut causes: BTreeMap<String, usize> = BTreeMap::new();
        for incident in said.incidents(situation) {
            let verdict = incident.verdict.as_ref().unwrap();
            *causes.entry(name(verdict.cause)).or_default() += 1;
            if verdict.confidence == Confidence::Possible || incident.signal.path == Some(SignalPath::Unseen) {
                wrong.push(format!("{}: {:?}, {:?}", situation.name, verdict.confidence, incident.signal.path));
            }
        }
        for (cause, number) in situation.is {
            let found = causes.remove(*cause).unwrap_or_default();
            if found < *number {
                wrong.push(format!("{}: {found} of {number} × {cause}", situation.name));
            }
        }
        if !causes.is_empty() {
            wrong.push(format!("{}: also {causes:?}", situation.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Columns before a block's text at the most, behind which a word that has no room loses its middle.
const BEFORE: usize = 44;

/// The words of `narrow` are those of `whole`; one that no line has room for has its first and its last characters.
fn same_words(whole: &str, narrow: &str, width: usize) -> Result<(), String> {
    let mut parts = narrow.split_whitespace();
    for word in whole.split_whitespace() {
        let found = parts.next().unwrap_or_default();
        let is_cut = || {
            let ends = found.split_once('…');
            ends.is_some_and(|(start, end)| !start.is_empty() && word.starts_with(start) && word.ends_with(end))
        };
        if found != word && !(word.width() + BEFORE > width && is_cut()) {
            return Err(format!("{word:?} is {found:?}"));
        }
    }
    Ok(())
}

#[test]
fn words_and_commands_stay_whole_on_every_terminal() {
    let mut wrong = Vec::new();
    for situation in all().filter(|situation| !situation.how.brief) {
        let whole = show(situation, None, false);
        let commands: HashSet<String> = all_commands(situation, &whole).into_iter().collect();
        // What counts repeats is a line each time that the number has doubled, where it is no terminal.
        let is_count = |line: &&str| !line.trim_start().starts_with('×');
        let text_of = |text: &str| text.lines().filter(is_count).map(|line| format!("{line}\n")).collect::<String>();
        for width in [60, 80, WIDTH, 120, 200] {
            let said = show(situation, Some(width), false);
            let text = plain(&said.text);
            let mut fail = |what: String| wrong.push(format!("{} at {width}: {what}", situation.name));
            if let Err(what) = same_words(&text_of(&plain(&whole.text)), &text_of(&text), width) {
                fail(what);
            }
            for command in &commands {
                if !text.lines().any(|line| line.trim_start() == command) {
                    fail(format!("no line is {command}"));
                }
            }
            for line in text.lines().filter(|line| line.width() > width && !commands.contains(line.trim_start())) {
                fail(format!("{} columns: {line}", line.width()));
            }
            for line in text.lines().filter(|line| line.trim_end() != *line) {
                fail(format!("blanks at the end of {line:?}"));
            }
            let painted = show(situation, Some(width), true);
            if plain(&painted.text) != text || !painted.text.contains('\x1b') {
                fail("colours change more than colours".to_owned());
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_command_that_is_shown_was_executed_by_a_test() {
    let executed = advice::executed();
    let mut missing = HashSet::new();
    let mut shown = HashSet::new();
    for situation in all() {
        let said = show(situation, None, false);
        for command in all_commands(situation, &said) {
            let shape = advice::shape(&command);
            if !executed.get(&shape).is_some_and(Option::is_some) {
                missing.insert(format!("{shape} ({}: {command})", situation.name));
            }
            shown.insert(shape);
        }
    }
    assert!(missing.is_empty(), "not in {}: {missing:#?}", advice::LIST);
    // One that is neither shown nor executed is of no use to anybody.
    let is_idle = |(shape, by): &(&String, &Option<String>)| by.is_none() && !shown.contains(*shape);
    let idle: Vec<&String> = executed.iter().filter(is_idle).map(|(shape, _)| shape).collect();
    assert!(idle.is_empty(), "neither shown nor executed: {idle:#?}");
}

/// Shows what `cargo xtask gallery --only … --width …` asks for.
#[test]
fn print() {
    let Ok(only) = std::env::var("OOMTRACE_GALLERY_PRINT") else { return };
    let width = std::env::var("OOMTRACE_GALLERY_WIDTH").ok().and_then(|width| width.parse().ok()).unwrap_or(WIDTH);
    let starts: Vec<&str> = only.split_whitespace().collect();
    for situation in all() {
        if starts.is_empty() || starts.iter().any(|start| situation.name.starts_with(start)) {
            let said = show(situation, Some(width), true);
            println!("── {}: {}\n   $ {}\n\n{}", situation.name, situation.title, situation.made, said.text);
        }
    }
}
