//! The library's modules stand in the order of the pipeline in `src/lib.rs`, and each uses only those above it.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails by panicking"
)]

use std::fs;
use std::path::{Path, PathBuf};

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The modules that a text names after `crate::`, comments left out; `use crate::{a, b}` is not written here.
fn used(text: &str) -> Vec<String> {
    let code = text.lines().map(|line| line.split("//").next().unwrap_or_default());
    let mut found = Vec::new();
    for line in code {
        assert!(!line.contains("use crate::{"), "one line for each module: {line}");
        for rest in line.split("crate::").skip(1) {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            found.push(rest[..end].to_owned());
        }
    }
    found
}

#[test]
fn no_module_uses_one_that_comes_after_it() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lib = fs::read_to_string(src.join("lib.rs")).unwrap();
    let order: Vec<&str> = lib.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    assert!(order.len() > 10, "{order:?}");
    let place = |module: &str| order.iter().position(|known| *known == module);
    let mut arrows_back = Vec::new();
    for module in &order {
        let (file, folder) = (src.join(format!("{module}.rs")), src.join(module));
        let mut files: Vec<PathBuf> = [file].into_iter().filter(|file| file.exists()).collect();
        if folder.exists() {
            sources(&folder, &mut files);
        }
        assert!(!files.is_empty(), "{module} has no file");
        // Tests may look at what becomes of it.
        for file in files.into_iter().filter(|file| !file.to_string_lossy().ends_with("tests.rs")) {
            let text = fs::read_to_string(&file).unwrap();
            for used in used(&text) {
                // What is no module of the library is a macro, or an item of its root.
                if place(&used).is_some_and(|used| Some(used) > place(module)) {
                    arrows_back.push(format!("{} uses {used}", file.strip_prefix(&src).unwrap().display()));
                }
            }
        }
    }
    assert!(arrows_back.is_empty(), "a module uses only those above it in src/lib.rs:\n{}", arrows_back.join("\n"));
}

#[test]
fn what_is_used_is_found() {
    let text = "use crate::model::Incident; // crate::words\nfn f(x: crate::node::Y) -> crate::text::Z {}\n";
    assert_eq!(used(text), ["model", "node", "text"]);
}
