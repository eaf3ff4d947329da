//! The page, and its pictures.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use xtask::situations::{DIRECTORY, GROUPS, How, Situation, Source, WIDTH};

use crate::pictures;
use crate::screen::{plain, screen};
use crate::show::{all, is_recorded, look, on_node, show, show_incidents, workspace};
use crate::svg::svg;

/// The page's path in the workspace.
pub const PAGE: &str = "docs/gallery.md";

/// The picture's path in the workspace.
pub fn picture(situation: &Situation) -> PathBuf {
    PathBuf::from(DIRECTORY).join(format!("{}.svg", situation.name))
}

/// All files of it with what is in them, as paths in the workspace.
pub fn files() -> Vec<(PathBuf, String)> {
    let mut files = vec![(PathBuf::from(PAGE), page())];
    files.push((PathBuf::from(NODE_PAGE), node_page()));
    files.extend(pictures::files());
    files.extend(all().map(|situation| {
        let said = show(situation, Some(WIDTH), true);
        (picture(situation), svg(situation.title, &plain(&said.text), &screen(&said.text, WIDTH), WIDTH))
    }));
    files
}

/// The page of Kubernetes, which has what is made here behind the line of that beginning.
const NODE_PAGE: &str = "docs/kubernetes.md";
const MADE: &str = "<!-- What follows is made by `cargo xtask gallery`. -->\n";

/// The page as it is kept, with each scenario on the node as it is said today.
fn node_page() -> String {
    let kept = fs::read_to_string(workspace().join(NODE_PAGE)).unwrap();
    let (written, _) = kept.split_once(MADE).unwrap_or_else(|| panic!("{NODE_PAGE} has no {MADE}"));
    let mut page = format!("{written}{MADE}");
    for (scenario, incidents) in on_node() {
        let how = How { brief: false, all: true };
        let said = show_incidents(incidents, look(Some(WIDTH), false, how));
        let title = scenario.replace("::", ": ").replace('_', " ");
        // Writing to a String cannot fail.
        _ = write!(page, "\n### {title}\n\n```text\n{}```\n", plain(&said.text));
    }
    page
}

fn page() -> String {
    let is_own = all().any(|situation| situation.source == Source::Own);
    let made = if is_own { ": for this page on Linux 6.12 with systemd, Docker and podman, or by tests" } else { "" };
    let mut page = format!(
        "# Gallery: {} situations, and what oomtrace says of them\n\n\
         Each was made for real and recorded{made}. The test scenarios made those whose containers are called oomtrace-test-…, on Linux\n\
         6.1 and 7.3: `live` is their program, which stands for whoever killed. This page is made of the recordings, for a\n\
         terminal of {WIDTH} columns, with times in UTC (`--time utc`): `cargo xtask gallery` makes it anew, and with `--record`\n\
         the kills and recordings, too. A test says so when it is not what oomtrace says today. How to read a block is in the\n\
         [README](../README.md#how-to-read-a-block).\n\n",
        all().count()
    );
    let groups = || GROUPS.iter().filter(|group| group.situations.iter().any(|it| is_recorded(&it)));
    for group in groups() {
        // Writing to a String cannot fail.
        _ = writeln!(page, "- [{}](#{})", group.title, anchor(group.title));
    }
    for group in groups() {
        _ = write!(page, "\n## {}\n", group.title);
        for situation in group.situations.iter().filter(is_recorded) {
            page.push_str(&section(situation));
        }
    }
    page
}

fn section(situation: &Situation) -> String {
    let Situation { name, title, made, apart, source, .. } = situation;
    let said = show(situation, Some(WIDTH), false);
    // What a scenario of the tests does is described; the others are commands as they were run.
    let (what, fence) = match source {
        Source::Own => ("Made with", "sh"),
        Source::Test(_) | Source::Kubernetes(_) => ("Made by a test, which does this", "text"),
    };
    format!(
        "\n### {title}\n\n{apart}\n\n{what}:\n\n```{fence}\n{made}\n```\n\n```text\n{}```\n\n![{title}](gallery/{name}.svg)\n",
        plain(&said.text)
    )
}

/// The name that a heading is linked by.
fn anchor(title: &str) -> String {
    let kept = title.to_lowercase().replace(' ', "-");
    kept.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}
