//! How a test run ended: one short table of its parts, and a last line that a machine can read.

use std::fmt::Write as _;
use std::time::Duration;

use crate::time_limit::Spoken;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Counts {
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// What became of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It ran to its end.
    Ran,
    /// It did not get to its end, and this is why. That is a failure.
    Broke(String),
    /// It did not run, and this is why. That is a failure only of a part that must run.
    NotRun(String),
}

/// A part of a test run.
#[derive(Clone, Debug)]
pub struct Part {
    pub what: String,
    /// The kernel, or what else it ran on.
    pub place: String,
    pub took: Duration,
    pub counts: Counts,
    /// What failed, by name.
    pub failures: Vec<String>,
    /// What was skipped, and why.
    pub skips: Vec<String>,
    pub outcome: Outcome,
    /// A test run without it says too little to pass.
    pub is_required: bool,
}

impl Part {
    pub fn new(what: impl Into<String>, place: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            place: place.into(),
            took: Duration::ZERO,
            counts: Counts::default(),
            failures: Vec::new(),
            skips: Vec::new(),
            outcome: Outcome::Ran,
            is_required: false,
        }
    }

    /// One that did not run.
    pub fn not_run(what: impl Into<String>, place: impl Into<String>, why: impl Into<String>) -> Self {
        Self { outcome: Outcome::NotRun(why.into()), ..Self::new(what, place) }
    }

    pub fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    /// Failures of it that are no test's: it broke, or it must run and did not.
    fn own_failure(&self) -> Option<String> {
        let (what, place) = (&self.what, &self.place);
        match &self.outcome {
            Outcome::Broke(why) => Some(format!("{what} ({place}): {why}")),
            Outcome::NotRun(why) if self.is_required => Some(format!("{what} ({place}) must run, and did not: {why}")),
            Outcome::Ran if self.counts == Counts::default() => Some(format!("{what} ({place}): no test was run")),
            Outcome::Ran | Outcome::NotRun(_) => None,
        }
    }
}

/// Verdicts of scenarios, held against what they had to be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Verdicts {
    pub all: usize,
    pub wrong: usize,
}

/// The whole run.
#[derive(Debug)]
pub struct Summary {
    pub parts: Vec<Part>,
    /// None where only tests were run that give none.
    pub verdicts: Option<Verdicts>,
    /// What else is to be known of the run.
    pub notes: Vec<String>,
    pub took: Duration,
}

impl Summary {
    /// Nothing failed, and all that must run did.
    pub fn passed(&self) -> bool {
        self.counts().failed == 0
    }

    /// All tests; a failure that is no test's counts as one.
    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for part in &self.parts {
            counts.add(part.counts);
        }
        counts.failed += self.own_failures().len();
        counts
    }

    /// Failures that are no test's.
    fn own_failures(&self) -> Vec<String> {
        let mut failures: Vec<String> = self.parts.iter().filter_map(Part::own_failure).collect();
        match self.verdicts {
            Some(Verdicts { all: 0, .. }) => failures.push("no scenario gave a verdict".to_owned()),
            // The scenario failed, too, but its count must not hang on that.
            Some(Verdicts { wrong, .. }) if wrong > 0 && self.parts.iter().all(|part| part.counts.failed == 0) => {
                failures.push(format!("{wrong} verdicts are wrong"));
            }
            _ => {}
        }
        failures
    }

    /// The table, what failed, what did not run and why, and the last line.
    pub fn format(&self) -> String {
        let mut text = format!("\n{}", self.table());
        if let Some(Verdicts { all, wrong }) = self.verdicts {
            _ = writeln!(text, "\n{all} verdicts, {wrong} wrong");
        }
        for note in &self.notes {
            _ = writeln!(text, "{note}");
        }
        let list = |text: &mut String, title: &str, lines: &[String]| {
            if !lines.is_empty() {
                _ = writeln!(text, "\n{title}:");
                lines.iter().for_each(|line| _ = writeln!(text, "  {line}"));
            }
        };
        let each = |of: &dyn Fn(&Part) -> Vec<String>| self.parts.iter().flat_map(of).collect::<Vec<_>>();
        let skips = each(&|part| part.skips.iter().map(|skip| format!("{skip} ({})", part.place)).collect());
        list(&mut text, "Skipped, because something is missing there", &skips);
        let not_run = each(&|part| match &part.outcome {
            Outcome::NotRun(why) => vec![format!("{} ({}): {why}", part.what, part.place)],
            _ => Vec::new(),
        });
        list(&mut text, "Not run", &not_run);
        let mut failures = each(&|part| part.failures.iter().map(|name| format!("{name} ({})", part.place)).collect());
        failures.extend(self.own_failures());
        list(&mut text, "Failed", &failures);
        let Counts { passed, failed, skipped } = self.counts();
        _ = writeln!(text, "\n{passed} passed, {failed} failed, {skipped} skipped");
        text
    }

    fn table(&self) -> String {
        let head = ["what", "where", "passed", "failed", "skipped", "time"].map(str::to_owned);
        let mut rows = vec![head];
        for part in &self.parts {
            let Counts { passed, failed, skipped } = part.counts;
            let cells = match part.outcome {
                Outcome::Ran => [passed.to_string(), failed.to_string(), skipped.to_string()],
                Outcome::Broke(_) => [passed.to_string(), "broke".to_owned(), skipped.to_string()],
                Outcome::NotRun(_) => ["-".to_owned(), "-".to_owned(), "not run".to_owned()],
            };
            let [passed, failed, skipped] = cells;
            rows.push([part.what.clone(), part.place.clone(), passed, failed, skipped, Spoken(part.took).to_string()]);
        }
        let Counts { passed, failed, skipped } = self.counts();
        let numbers = [passed, failed, skipped].map(|number| number.to_string());
        let [passed, failed, skipped] = numbers;
        rows.push(["all".to_owned(), String::new(), passed, failed, skipped, Spoken(self.took).to_string()]);
        let width = |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
        let widths: [usize; 6] = std::array::from_fn(width);
        let mut text = String::new();
        for row in &rows {
            let cells = row.iter().zip(widths).enumerate().map(|(column, (cell, width))| match column {
                0 | 1 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            });
            _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join("  ").trim_end());
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(what: &str, passed: usize, failures: &[&str]) -> Part {
        Part {
            counts: Counts { passed, failed: failures.len(), skipped: 1 },
            failures: failures.iter().map(|name| (*name).to_owned()).collect(),
            skips: vec![format!("{what}::x: no docker")],
            took: Duration::from_secs(62),
            ..Part::new(what, "Linux 6.1")
        }
    }

    fn summary(parts: Vec<Part>, verdicts: Option<Verdicts>) -> Summary {
        Summary { parts, verdicts, notes: Vec::new(), took: Duration::from_secs(100) }
    }

    const FINE: Option<Verdicts> = Some(Verdicts { all: 3, wrong: 0 });

    fn last(summary: &Summary) -> String {
        summary.format().lines().last().unwrap().to_owned()
    }

    #[test]
    fn the_last_line_is_the_sum() {
        let fine = summary(vec![ran("a", 3, &[]), ran("b", 4, &[])], FINE);
        assert!(fine.passed());
        assert_eq!(last(&fine), "7 passed, 0 failed, 2 skipped");
        let failed = summary(vec![ran("a", 3, &[]), ran("b", 4, &["oom::x"])], FINE);
        assert!(!failed.passed() && failed.format().contains("oom::x (Linux 6.1)"));
        assert_eq!(last(&failed), "7 passed, 1 failed, 2 skipped");
    }

    #[test]
    fn what_says_nothing_fails() {
        for (parts, verdicts, why) in [
            (vec![ran("a", 3, &[])], Some(Verdicts::default()), "no scenario gave a verdict"),
            (vec![ran("a", 3, &[])], Some(Verdicts { all: 2, wrong: 1 }), "1 verdicts are wrong"),
            (vec![Part::new("b", "here")], FINE, "no test was run"),
            (vec![Part::not_run("b", "here", "no time left").required()], FINE, "must run, and did not: no time left"),
            (
                vec![Part { outcome: Outcome::Broke("it stood still".into()), ..ran("b", 2, &[]) }],
                FINE,
                "it stood still",
            ),
        ] {
            let summary = summary(parts, verdicts);
            let text = summary.format();
            assert!(!summary.passed() && text.contains(why), "{text}");
            assert!(last(&summary).contains(" 1 failed, "), "{text}");
        }
        let left_out = summary(vec![ran("a", 3, &[]), Part::not_run("b", "QEMU", "no time left")], FINE);
        let text = left_out.format();
        assert!(left_out.passed() && text.contains("b (QEMU): no time left"), "{text}");
    }
}
