//! The tables, in Markdown.

use std::fmt::Write as _;

use super::rule::Rule;
use super::score::{Limit, Outcome, Replay};

/// What a group of curves showed of each rule.
pub struct Group<'a> {
    pub name: &'static str,
    pub rules: Vec<(&'a dyn Rule, Vec<Outcome>)>,
}

pub fn leaks(groups: &[Group<'_>]) -> String {
    let mut text = "| | of the whole curve: precision | recall | F1 | at any time: precision | recall | F1 |\n\
                    |---|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    each(
        &mut text,
        groups,
        6,
        |rule| rule.about().leaks,
        |outcomes| {
            let mut cells = String::new();
            for said in [|outcome: &Outcome| outcome.at_end, |outcome: &Outcome| outcome.ever] {
                let right = count(outcomes, |outcome| outcome.is_leak && said(outcome));
                let wrong = count(outcomes, |outcome| !outcome.is_leak && said(outcome));
                let leaks = count(outcomes, |outcome| outcome.is_leak);
                let (precision, recall) = (right / (right + wrong), right / leaks);
                let f1 = 2.0 * precision * recall / (precision + recall);
                _ = write!(cells, " {} | {} | {} |", share(precision), share(recall), share(f1));
            }
            cells
        },
    );
    text
}

pub fn warnings(groups: &[Group<'_>]) -> String {
    let mut text =
        "| | false warnings a container-day, periodic | all that are no leak | limits met, warned of | forecasts \
                    half-way | error, median | 90 % | truth inside |\n|---|---:|---:|---:|---:|---:|---:|---:|\n"
            .to_owned();
    each(
        &mut text,
        groups,
        7,
        |rule| rule.about().leaks,
        |outcomes| {
            let rate = |is_of: fn(&Outcome) -> bool| {
                let of: Vec<&Outcome> = outcomes.iter().filter(|outcome| !outcome.is_leak && is_of(outcome)).collect();
                let days: f64 = of.iter().map(|outcome| outcome.days).sum();
                of.iter().map(|outcome| outcome.warnings as f64).sum::<f64>() / days
            };
            let met: usize = outcomes.iter().map(|outcome| outcome.met).sum();
            let met_warned: usize = outcomes.iter().map(|outcome| outcome.met_warned).sum();
            let half_way: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.half_way).collect();
            let mut errors: Vec<f64> = half_way.iter().filter_map(|half_way| half_way.error).collect();
            errors.sort_by(f64::total_cmp);
            let at =
                |share: f64| errors.get(((errors.len() as f64 * share) as usize).min(errors.len().saturating_sub(1)));
            let inside: Vec<bool> = half_way.iter().filter_map(|half_way| half_way.is_inside).collect();
            let inside_share = inside.iter().filter(|inside| **inside).count() as f64 / inside.len() as f64;
            let made =
                if half_way.is_empty() { "–".to_owned() } else { format!("{} of {}", errors.len(), half_way.len()) };
            format!(
                " {} | {} | {met_warned} of {met} | {made} | {} | {} | {} |",
                rate_of(rate(|outcome| outcome.is_periodic)),
                rate_of(rate(|_| true)),
                percent(at(0.5).copied()),
                percent(at(0.9).copied()),
                share(inside_share),
            )
        },
    );
    text
}

pub fn limits(groups: &[Group<'_>]) -> String {
    let mut text = "| | advised, of all | of it killed, of the lives | slack, mean | advised, of the first half | killed, of the lives \
                    after | slack, mean |\n|---|---:|---:|---:|---:|---:|---:|\n"
        .to_owned();
    each(
        &mut text,
        groups,
        6,
        |rule| rule.about().limits,
        |outcomes| {
            let replays: [Vec<Replay>; 2] = [
                outcomes.iter().filter_map(|outcome| outcome.of_all).collect(),
                outcomes.iter().filter_map(|outcome| outcome.of_half).collect(),
            ];
            replays.iter().map(|replays| replayed(replays)).collect()
        },
    );
    text
}

fn replayed(replays: &[Replay]) -> String {
    let limits: Vec<(Limit, usize)> = replays.iter().filter_map(|replay| Some((replay.limit?, replay.lives))).collect();
    let killed: usize = limits.iter().map(|(limit, _)| limit.killed).sum();
    let lives: usize = limits.iter().map(|(_, lives)| lives).sum();
    let slack = limits.iter().map(|(limit, _)| limit.slack).sum::<f64>() / limits.len() as f64;
    format!(" {} of {} | {killed} of {lives} | {:.0} % |", limits.len(), replays.len(), 100.0 * slack)
}

/// By class: how many curves are called leaks at their ends, and warnings of those that are none.
pub fn classes(group: &Group<'_>) -> String {
    let rules: Vec<_> = group.rules.iter().filter(|(rule, _)| rule.about().leaks).collect();
    let mut text = "| |".to_owned();
    for (rule, _) in &rules {
        _ = write!(text, " {} |", rule.name());
    }
    text.push_str("\n|---|");
    text.push_str(&"---:|".repeat(rules.len()));
    text.push('\n');
    let Some((_, first)) = rules.first() else { return text };
    let mut names: Vec<(&str, bool)> = first.iter().map(|outcome| (outcome.class, outcome.is_leak)).collect();
    names.dedup();
    for (name, is_leak) in names {
        _ = write!(text, "| {name} |");
        for (_, outcomes) in &rules {
            let of: Vec<&Outcome> = outcomes.iter().filter(|outcome| outcome.class == name).collect();
            let said = |says: fn(&Outcome) -> bool| of.iter().filter(|outcome| says(outcome)).count();
            let (at_end, ever) = (said(|outcome| outcome.at_end), said(|outcome| outcome.ever));
            let warnings: usize = of.iter().map(|outcome| outcome.warnings).sum();
            if is_leak {
                _ = write!(text, " {at_end}/{ever} of {} |", of.len());
            } else {
                _ = write!(text, " {at_end}/{ever} of {}, {warnings} |", of.len());
            }
        }
        text.push('\n');
    }
    text
}

/// A row for each group and rule that has a word on it.
fn each(
    text: &mut String,
    groups: &[Group<'_>],
    cells: usize,
    is_of: impl Fn(&dyn Rule) -> bool,
    row: impl Fn(&[Outcome]) -> String,
) {
    for group in groups {
        _ = writeln!(text, "| **{}** |{}", group.name, " |".repeat(cells));
        for (rule, outcomes) in group.rules.iter().filter(|(rule, _)| is_of(*rule)) {
            _ = writeln!(text, "| {} |{}", rule.name(), row(outcomes));
        }
    }
}

fn count(outcomes: &[Outcome], is_of: impl Fn(&Outcome) -> bool) -> f64 {
    outcomes.iter().filter(|outcome| is_of(outcome)).count() as f64
}

fn share(share: f64) -> String {
    if share.is_nan() { "–".to_owned() } else { format!("{share:.2}") }
}

fn rate_of(rate: f64) -> String {
    if rate.is_nan() { "–".to_owned() } else { format!("{rate:.3}") }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "–".to_owned(), |share| format!("{:.0} %", 100.0 * share))
}
