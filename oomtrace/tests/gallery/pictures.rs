//! Pictures of terminals for the README: of what `tmux capture-pane -e -p` took of a real run, kept beside them with the same name.

use std::fs;
use std::path::PathBuf;

use crate::screen::{plain, screen};
use crate::show::workspace;
use crate::svg::svg;

/// Where they are in the workspace.
const DIRECTORY: &str = "docs/pictures";
/// Each with its title, and the columns of its terminal.
const ALL: [(&str, &str, usize); 3] = [
    ("top", "oomtrace top", 100),
    ("top-incident", "an incident, opened in oomtrace top", 100),
    ("why", "oomtrace why shop-worker", 100),
];

/// All of them with what is in them, as paths in the workspace.
pub fn files() -> impl Iterator<Item = (PathBuf, String)> {
    ALL.iter().map(|(name, title, width)| {
        let taken = workspace().join(DIRECTORY).join(format!("{name}.ansi"));
        let text = fs::read_to_string(&taken).unwrap_or_else(|error| panic!("{}: {error}", taken.display()));
        let picture = svg(title, &plain(&text), &screen(&text, *width), *width);
        (PathBuf::from(DIRECTORY).join(format!("{name}.svg")), picture)
    })
}
