//! What the tests executed of the commands that are advised, as their shapes: names and figures differ from one to the next.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A line for each shape, and behind a `|` the scenario that executes it as it is printed, and looks whether it does what it promises;
/// `-` where none does so yet.
pub const LIST: &str = "oomtrace/tests/gallery/executed.txt";

/// A command with what differs from one incident to another replaced: `docker update --memory N --memory-swap N NAME`.
pub fn shape(command: &str) -> String {
    let mut words: Vec<&str> = command.split_whitespace().collect();
    // Another daemon is asked in the same words.
    if let Some(at) = words.iter().position(|word| *word == "--host") {
        words.drain(at..words.len().min(at + 2));
    }
    let shaped = words.iter().enumerate().map(|(at, word)| {
        let before = at.checked_sub(1).and_then(|at| words.get(at)).copied().unwrap_or_default();
        match word.split_once('=') {
            Some((key, value)) if !value.is_empty() => format!("{key}={}", word_shape(value, before, false)),
            _ => word_shape(word, before, at == 0),
        }
    });
    shaped.collect::<Vec<_>>().join(" ")
}

/// Words that programs know: verbs, options, keys.
const KNOWN: [&str; 22] = [
    "docker",
    "podman",
    "update",
    "sudo",
    "systemctl",
    "set-property",
    "kubectl",
    "set",
    "resources",
    "lxc-cgroup",
    "memory.max",
    "nerdctl",
    "crictl",
    "deployment",
    "statefulset",
    "daemonset",
    "pod",
    "service",
    "echo",
    "edit",
    "tee",
    "env",
];

fn word_shape(word: &str, _before: &str, is_first: bool) -> String {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let is_figure = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    if is_figure {
        "N".to_owned()
    } else if is_first
        || word.starts_with('-')
        || KNOWN.contains(&word)
        || !word.contains(|c: char| c.is_ascii_alphanumeric())
    {
        word.to_owned()
    } else if let Some((kind, _)) = word.split_once('/').filter(|(kind, _)| KNOWN.contains(kind)) {
        format!("{kind}/NAME")
    } else {
        "NAME".to_owned()
    }
}

fn scenarios() -> String {
    let mut files = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("tests")];
    let mut text = String::new();
    while let Some(path) = files.pop() {
        if path.is_dir() {
            files.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            text.push_str(&fs::read_to_string(path).unwrap());
        }
    }
    text
}

/// The shapes of the list, with the scenario that executes each, which must be there.
pub fn executed() -> BTreeMap<String, Option<String>> {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(LIST);
    let text = fs::read_to_string(path).unwrap();
    let sources = scenarios();
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let (shape, by) = line.split_once(" | ").unwrap_or_else(|| panic!("{line:?}"));
            let by = Some(by.trim()).filter(|by| *by != "-").map(str::to_owned);
            if let Some(by) = &by {
                assert!(sources.contains(&format!("\"{by}\"")), "no scenario is called {by}");
            }
            (shape.trim().to_owned(), by)
        })
        .collect()
}

#[test]
fn a_shape_has_no_names_and_no_figures() {
    for (command, shaped) in [
        ("docker update --memory 48m --memory-swap 48m web", "docker update --memory N --memory-swap N NAME"),
        (
            "docker --host unix:///run/other.sock update --memory 48m --memory-swap 48m web",
            "docker update --memory N --memory-swap N NAME",
        ),
        ("systemctl set-property report.service MemoryMax=36M", "systemctl set-property NAME MemoryMax=N"),
        ("lxc-cgroup -n db memory.max 36M", "lxc-cgroup -n NAME memory.max N"),
        (
            "kubectl set resources deployment/web -c app --limits=memory=96Mi",
            "kubectl set resources deployment/NAME -c NAME --limits=NAME",
        ),
    ] {
        assert_eq!(shape(command), shaped);
    }
}
