//! The same as Markdown. What others have named stands in it as text: nothing of it makes a link, a heading or HTML.

use std::fmt::Write as _;

use crate::sink::report::section::{Pair, Section};

/// Renders sections, the first of them in full where there is one.
pub fn render(title: &str, subtitle: &str, notes: &[String], sections: &[Section]) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    _ = writeln!(text, "# {}\n", plain(title));
    if !subtitle.is_empty() {
        _ = writeln!(text, "{}\n", plain(subtitle));
    }
    for note in notes {
        _ = writeln!(text, "> {}\n", plain(note));
    }
    if sections.len() > 1 {
        text.push_str("| when | where | why |\n|---|---|---|\n");
        for section in sections {
            let count = section.folded.as_ref().map(|folded| format!("**{folded}** ")).unwrap_or_default();
            _ = writeln!(text, "| {} | {} | {count}{} |", section.time, plain(&section.place), plain(&section.why));
        }
        text.push('\n');
    }
    for section in sections {
        one(&mut text, section, sections.len() > 1);
    }
    text.trim_end().to_owned() + "\n"
}

fn one(text: &mut String, section: &Section, has_heading: bool) {
    if has_heading {
        let place = if section.place.is_empty() { String::new() } else { format!("{}: ", plain(&section.place)) };
        _ = writeln!(text, "## {} {place}{}\n", section.what, plain(&section.why));
    }
    let confidence =
        if section.confidence.is_empty() { String::new() } else { format!(" · {}", plain(&section.confidence)) };
    _ = writeln!(text, "**{}** · {}{confidence}\n", section.what, section.time);
    if let Some(folded) = &section.folded {
        _ = writeln!(text, "**{folded}**: this is the last of them.\n");
    }
    if let Some(after) = &section.after_the_fact {
        _ = writeln!(text, "> {after}\n");
    }
    if !section.advice.is_empty() {
        text.push_str("**What to do**\n\n");
        for (number, advice) in section.advice.iter().enumerate() {
            let why = if advice.why.is_empty() { String::new() } else { format!(" (because {})", plain(&advice.why)) };
            _ = writeln!(text, "{}. {}{why}", number + 1, plain(&advice.action));
            if let Some(command) = &advice.command {
                let fence = fence(command);
                _ = writeln!(text, "\n   {fence}sh\n   {command}\n   {fence}\n");
            }
        }
        text.push('\n');
    }
    table(text, &section.facts);
    if let Some(curve) = &section.curve {
        _ = writeln!(text, "{}\n", plain(&curve.said));
    }
    list(text, "Before", &section.earlier);
    let facts: Vec<String> = section.evidence.iter().map(|pair| format!("{} ({})", pair.text, pair.label)).collect();
    list(text, "Evidence", &facts);
    list(text, section.missing_title, &section.missing);
    if !section.id.is_empty() {
        _ = writeln!(text, "Incident {}\n", code(&section.id));
    }
}

fn table(text: &mut String, facts: &[Pair]) {
    if facts.is_empty() {
        return;
    }
    text.push_str("| | |\n|---|---|\n");
    for fact in facts {
        _ = writeln!(text, "| {} | {} |", plain(&fact.label), plain(&fact.text));
    }
    text.push('\n');
}

fn list(text: &mut String, title: &str, lines: &[String]) {
    if lines.is_empty() {
        return;
    }
    _ = writeln!(text, "**{title}**\n");
    lines.iter().for_each(|line| _ = writeln!(text, "- {}", plain(line)));
    text.push('\n');
}

/// Text in which nothing is markup, in a table's cell as well. A mention or a link would be made of `@name` and `https://` all the same by
/// some: both are broken by a backslash, or left as they are where Markdown has no way to.
fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '|' | '~' | '!' | '@' => safe.extend(['\\', c]),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            c => safe.push(c),
        }
    }
    safe
}

/// Longer than any run of backquotes in it.
fn fence(text: &str) -> String {
    "`".repeat(longest_run(text).max(2) + 1)
}

fn code(text: &str) -> String {
    let ticks = "`".repeat(longest_run(text) + 1);
    format!("{ticks}{text}{ticks}")
}

fn longest_run(text: &str) -> usize {
    text.split(|c| c != '`').map(str::len).max().unwrap_or(0)
}
