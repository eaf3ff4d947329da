//! The sections of BENCHMARKS.md that one bench each makes, and that can be made anew by themselves.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use xtask::say;

use super::{flight, history, rules};

/// A section.
pub struct Section {
    /// As `--only` takes it, and the bench's name.
    pub name: &'static str,
    heading: &'static str,
    arguments: &'static [&'static str],
    doing: &'static str,
    write: fn(&str) -> Result<String>,
}

/// In their order.
pub const ALL: [Section; 3] = [
    Section {
        name: "flight",
        heading: flight::HEADING,
        arguments: &[flight::SECONDS],
        doing: "measuring what it costs to follow memory, which takes twelve minutes",
        write: flight::section,
    },
    Section {
        name: "history",
        heading: history::HEADING,
        arguments: &[history::INCIDENTS],
        doing: "measuring questions to a large history, which takes 6 GiB of disk and some minutes",
        write: history::section,
    },
    Section {
        name: "rules",
        heading: rules::HEADING,
        arguments: &[],
        doing: "comparing what rules say of memory curves",
        write: rules::section,
    },
];

impl Section {
    /// Runs its bench; the section.
    pub fn measured(&self, workspace: &Path) -> Result<String> {
        say(self.doing);
        let program = crate::executable(workspace, &["bench", "--package", "oomtrace", "--bench", self.name], None)?;
        let output = Command::new(program).args(self.arguments).output().context("cannot run the bench's program")?;
        if !output.status.success() {
            bail!("{}: {}: {}", self.name, output.status, String::from_utf8_lossy(&output.stderr));
        }
        Ok(format!("\n{}", (self.write)(&String::from_utf8_lossy(&output.stdout))?))
    }
}

/// Makes the named ones of the file at `path` anew.
pub fn renew(workspace: &Path, path: &Path, only: &[String]) -> Result<()> {
    let names: Vec<&str> = ALL.iter().map(|section| section.name).collect();
    if let Some(unknown) = only.iter().find(|name| !names.contains(&name.as_str())) {
        bail!("no such section: {unknown}; they are {}", names.join(", "));
    }
    let mut text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    for section in ALL.iter().filter(|section| only.iter().any(|name| name == section.name)) {
        let made = section.measured(workspace)?;
        print!("{made}");
        text = replaced(&text, section.heading, &made);
    }
    fs::write(path, &text).with_context(|| format!("cannot write {}", path.display()))
}

/// The text with the section that has that heading made anew; one that it has not yet comes before the last.
fn replaced(text: &str, heading: &str, made: &str) -> String {
    let start = text.find(&format!("\n{heading}\n"));
    let last = text.rfind("\n## ").unwrap_or(text.len());
    let from = start.unwrap_or(last);
    let until = match start {
        Some(start) => {
            text.get(start + 1..).and_then(|rest| rest.find("\n## ")).map_or(text.len(), |at| start + 1 + at)
        }
        None => last,
    };
    format!("{}{made}{}", text.get(..from).unwrap_or_default(), text.get(until..).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::replaced;

    #[test]
    fn a_section_is_made_anew_and_no_other() {
        let text = "# B\n\n## A\n\nold\n\n## Rules\n\nlast\n";
        assert_eq!(replaced(text, "## A", "\n## A\n\nnew\n"), "# B\n\n## A\n\nnew\n\n## Rules\n\nlast\n");
        assert_eq!(replaced(text, "## Rules", "\n## Rules\n\nnew\n"), "# B\n\n## A\n\nold\n\n## Rules\n\nnew\n");
        assert_eq!(
            replaced(text, "## C", "\n## C\n\nnew\n"),
            "# B\n\n## A\n\nold\n\n## C\n\nnew\n\n## Rules\n\nlast\n"
        );
    }
}
