//! The pages agree with the code where both name the same things, and their links lead somewhere.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

use clap::ValueEnum as _;
use oomtrace::model::Cause;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn pages() -> Vec<PathBuf> {
    let files = [root(), root().join("docs")].into_iter().flat_map(|dir| fs::read_dir(dir).unwrap());
    files.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|ext| ext == "md")).collect()
}

/// A page without what stands between lines of three backquotes.
fn prose(text: &str) -> String {
    let mut is_code = false;
    let lines = text.lines().filter(|line| {
        let is_fence = line.starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The names that a page's headings are linked by.
fn anchors(text: &str) -> Vec<String> {
    let heading = |line: &str| {
        let title = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
        let kept = title.to_lowercase().replace(' ', "-");
        Some(kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect())
    };
    prose(text).lines().filter_map(heading).collect()
}

fn links(text: &str) -> Vec<String> {
    let text = prose(text);
    text.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0.to_owned())).collect()
}

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    let mut count = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in links(&text).into_iter().filter(|link| !link.starts_with("https://")) {
            count += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() { page.clone() } else { page.parent().unwrap().join(path) };
            let known = target.exists()
                && (anchor.is_empty() || anchors(&fs::read_to_string(&target).unwrap()).iter().any(|it| it == anchor));
            if !known {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty() && count > 50, "{count} links, broken: {broken:#?}");
}

#[test]
fn the_readme_names_every_cause() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    for cause in Cause::value_variants() {
        let name = cause.to_possible_value().unwrap();
        assert!(readme.contains(&format!("`{}`", name.get_name())), "{}", name.get_name());
    }
}

#[test]
fn the_modules_stand_on_their_page_as_in_the_library() {
    let lib = fs::read_to_string(root().join("oomtrace/src/lib.rs")).unwrap();
    let order: Vec<&str> = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let table = page.split_once("\n## The modules\n").unwrap().1.split_once("\n## ").unwrap().0;
    let named: Vec<&str> =
        table.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`')).map(|(name, _)| name).collect();
    assert_eq!(named, order);
}

#[test]
fn the_files_that_the_page_on_architecture_names_are_there() {
    let page = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let mut count = 0;
    for path in prose(&page).split('`').skip(1).step_by(2) {
        let is_file = path.contains('/') && !path.contains(' ') && !path.contains("NAME");
        if is_file && (path.ends_with(".rs") || path.starts_with("oomtrace")) {
            count += 1;
            let places = ["", "oomtrace", "oomtrace/src", "oomtrace/tests/live", "oomtrace-common/src"];
            assert!(places.iter().any(|place| root().join(place).join(path).exists()), "{path}");
        }
    }
    assert!(count > 20, "{count}");
}

#[test]
fn the_readme_explains_every_label_of_a_block() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let legend = readme.split_once("\n## How to read a block\n").unwrap().1.split_once("\n## ").unwrap().0;
    let files = ["incident.rs", "records.rs"].map(|file| root().join("oomtrace/src/sink/human").join(file));
    let source: String = files.map(|file| fs::read_to_string(file).unwrap()).concat();
    let labels: Vec<&str> =
        source.split("line(\"").skip(1).filter_map(|rest| rest.split_once('"')).map(|(label, _)| label).collect();
    assert!(labels.len() > 8, "{labels:?}");
    // A line that goes on has none.
    for label in labels.into_iter().filter(|label| !label.is_empty()).chain(["killed", "to", "evidence"]) {
        assert!(legend.contains(&format!("`{label}`")), "{label}");
    }
}
