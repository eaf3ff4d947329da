//! The answer of `oomtrace why`: the usual block, under a line that says whether it was watched or found after the fact.

use anstyle::{AnsiColor, Style};

use super::block::{Block, SIGNAL, block};
use super::words::{about, full_name, time_of};
use super::{Look, TimeForm};
use crate::model::{Answer, Confidence, EarlierKill, Reconstructed, SaidEnd, Why};
use crate::past::answer::EARLIER as MOST_EARLIER;
use crate::text::elapsed_ms;
use crate::text::quote::quote;

const KILL: Style = AnsiColor::Red.on_default().bold();
/// Kills of before that have a line each.
const EARLIER: usize = 5;

/// The answer, with a line feed at the end of each line.
#[must_use]
pub fn why(why: &Why, look: Look) -> String {
    let mut text = String::new();
    if let Some(incident) = &why.incident {
        text.push_str(&block(incident, look));
    } else if let Some(found) = &why.reconstructed {
        text.push_str(&reconstructed(why, found, look));
    } else {
        let mut block = Block { text: String::new(), look };
        block.plain(&sentence(&why.summary));
        text.push_str(&block.text);
    }
    let mut rest = Block { text: String::new(), look };
    before(why, &mut rest);
    since(why, &mut rest);
    // Where nothing was found, where it was looked is the answer.
    if look.verbose || matches!(why.answer, Answer::Nothing | Answer::Alive | Answer::Unexplained) {
        for (index, looked) in why.looked_at.iter().enumerate() {
            let reach = looked.since.as_ref().map(|at| format!(", since {}", when(at, look))).unwrap_or_default();
            let read = if looked.is_read { "" } else { "not read: " };
            rest.line(
                if index == 0 { "looked" } else { "" },
                &format!("{}{reach}: {read}{}", looked.place, looked.said),
            );
        }
    }
    text + &rest.text
}

fn sentence(text: &str) -> String {
    if text.ends_with('.') { text.to_owned() } else { format!("{text}.") }
}

fn when(time: &str, look: Look) -> String {
    time_of(time, jiff::Timestamp::now(), look.time)
}

fn sure(confidence: Confidence) -> &'static str {
    match confidence {
        Confidence::Certain => "certain, by the kernel's own report",
        Confidence::Likely => "likely",
        Confidence::Possible => "possible, no more",
    }
}

fn reconstructed(why: &Why, found: &Reconstructed, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    let confidence =
        found.verdict.as_ref().map(|verdict| format!(" ({})", sure(verdict.confidence))).unwrap_or_default();
    block.dim(&format!("after the fact{confidence}: no oomtrace watched, and this is what others have left"));
    let place = place_of(why, found);
    let time = found.time.as_deref().unwrap_or_default();
    let (style, said) = match &found.verdict {
        Some(verdict) => (KILL, &verdict.why),
        None => (SIGNAL, &why.summary),
    };
    let stated = if found.verdict.is_some() { place } else { String::new() };
    block.title(time, what_of(why, found), style, &stated, said);
    found
        .container
        .iter()
        .filter(|container| !container.cgroup.is_empty())
        .for_each(|container| block.line("in", &about(container)));
    if let Some(incident) = found.as_incident() {
        block.line("killed", &super::words::killed(&incident, look.verbose));
        block.collateral(&incident);
        if incident.oom.is_some() {
            block.oom(&incident);
        }
    }
    found.end.iter().for_each(|end| block.line("ended", &said_of(end)));
    for (index, session) in found.sessions.iter().take(EARLIER).enumerate() {
        let from = session.from.as_ref().map(|from| format!(" from {}", quote(from))).unwrap_or_default();
        let who =
            format!("{} on {}{from}, since {}", quote(&session.user), quote(&session.tty), when(&session.since, look));
        block.line(
            if index == 0 { "there" } else { "" },
            &format!("{who}: logged in then, which need not mean anything"),
        );
    }
    if let Some(verdict) = &found.verdict {
        block.remedies(verdict, &[], &[]);
        if look.verbose {
            block.facts(&verdict.evidence);
        }
    }
    if !found.unknown.is_empty() {
        block.faint("unseen", &found.unknown.join("; "));
    }
    if !found.missing.is_empty() {
        block.faint(
            if found.unknown.is_empty() { "unseen" } else { "" },
            &format!("what a running oomtrace would have known: {}", found.missing.join("; ")),
        );
    }
    block.text
}

/// `OOM KILL`, `KILLED`, `EXIT 137`, `ENDED`
#[must_use]
pub fn what_of(why: &Why, found: &Reconstructed) -> &'static str {
    match (&found.verdict, why.answer) {
        (Some(_), _) if found.oom.is_some() => "OOM KILL",
        (Some(_), _) => "KILLED",
        (None, Answer::Unexplained) => "EXIT 137",
        (None, _) => "ENDED",
    }
}

/// `web`, `shop/web-5d4/app`, `web.service`, or what was asked about.
#[must_use]
pub fn place_of(why: &Why, found: &Reconstructed) -> String {
    let container = found.container.as_ref().map(full_name);
    let unit = found.unit.as_ref().map(|unit| quote(unit).into_owned());
    let target = why.target.as_ref().map(|target| quote(&target.name).into_owned());
    let victim = found.victim.as_ref().map(|victim| crate::text::process(&victim.process));
    container.or(unit).or(target).or(victim).unwrap_or_default()
}

/// `exit code 137, OOM-killed, says Docker`
#[must_use]
pub fn said_of(end: &SaidEnd) -> String {
    let code = end.exit_code.map(|code| format!("exit code {code}"));
    let oom = end.oom_killed.map(|killed| if killed { "OOM-killed" } else { "not OOM-killed" }.to_owned());
    let reason = end.reason.as_ref().map(|reason| quote(reason).into_owned());
    let parts: Vec<String> = [code, oom, reason].into_iter().flatten().collect();
    format!("{}, says {}", if parts.is_empty() { "some time".to_owned() } else { parts.join(", ") }, end.by)
}

/// Whether it was the first time: `4th time in 2 d 3 h, each 31 h 2 min to 34 h 0 min after its start`.
fn before(why: &Why, block: &mut Block) {
    let (Some(latest), Some(oldest)) = (why.earlier.first(), why.earlier.last()) else { return };
    let time = why.incident.as_ref().map(|incident| incident.time.clone());
    let time = time.or_else(|| why.reconstructed.as_ref()?.time.clone());
    let span = |from: Option<&String>, to: Option<&String>| {
        let (from, to): (jiff::Timestamp, jiff::Timestamp) = (from?.parse().ok()?, to?.parse().ok()?);
        u64::try_from(to.duration_since(from).as_millis()).ok()
    };
    let whole =
        span(oldest.time.as_ref(), time.as_ref()).map(|ms| format!(" in {}", elapsed_ms(ms))).unwrap_or_default();
    let count = why.earlier.len() + 1;
    let ages: Vec<u64> = why.earlier.iter().filter_map(|kill| kill.after_start_ms).chain(own_age(why)).collect();
    let ages = match (ages.len() > 1, ages.iter().min(), ages.iter().max()) {
        (true, Some(least), Some(most)) => format!(", {} to {} after its start", elapsed_ms(*least), elapsed_ms(*most)),
        _ => String::new(),
    };
    let last = span(latest.time.as_ref(), time.as_ref())
        .map(|ms| format!("; the last one {} before", elapsed_ms(ms)))
        .unwrap_or_default();
    let is_node = why.target.is_none();
    // More are not looked for.
    let least = if count > MOST_EARLIER { "at least " } else { "" };
    let number = format!("{least}the {}", ordinal(count));
    match (is_node, why.answer) {
        (true, _) => block.line("before", &format!("{number} kill on this node that is known{whole}{last}")),
        (false, Answer::Watched | Answer::Killed | Answer::Unexplained) => {
            block.line("before", &format!("it is {number} kill that is known{whole}{ages}{last}"))
        }
        (false, _) => {
            let kills = if count == 2 { "one kill is".to_owned() } else { format!("{} kills are", count - 1) };
            block.line("before", &format!("{kills} known{whole}{last}"));
        }
    }
    let shown = if block.look.verbose { why.earlier.len() } else { EARLIER.min(why.earlier.len()) };
    for kill in why.earlier.iter().take(shown) {
        block.line("", &one(kill, is_node, block.look));
    }
    if why.earlier.len() > shown {
        block.line("", &format!("and {} more", why.earlier.len() - shown));
    }
}

fn own_age(why: &Why) -> Option<u64> {
    crate::text::age_ms(why.incident.as_ref()?)
}

fn one(kill: &EarlierKill, has_place: bool, look: Look) -> String {
    let time = kill.time.as_ref().map_or_else(|| "some time".to_owned(), |time| when(time, look));
    let place = if has_place && !kill.place.is_empty() { format!("{}: ", kill.place) } else { String::new() };
    let id = kill.incident.as_ref().filter(|_| look.verbose).map(|id| format!(", incident {id}")).unwrap_or_default();
    format!("{time}  {place}{}{id}", kill.why)
}

/// `2nd`, `11th`, `23rd`.
fn ordinal(number: usize) -> String {
    let end = match (number % 100, number % 10) {
        (11..=13, _) => "th",
        (_, 1) => "st",
        (_, 2) => "nd",
        (_, 3) => "rd",
        _ => "th",
    };
    format!("{number}{end}")
}

/// What it does now.
fn since(why: &Why, block: &mut Block) {
    let Some(target) = &why.target else { return };
    match (target.is_running, &target.running_since) {
        _ if matches!(why.answer, Answer::Alive | Answer::Nothing) => {}
        (Some(true), Some(since)) => {
            let look = Look { time: TimeForm::Relative, ..block.look };
            block.line("now", &format!("it runs, since {} ({})", when(since, block.look), when(since, look)));
        }
        (Some(true), None) => block.line("now", "it runs"),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_endings() {
        let all = [1, 2, 3, 4, 11, 12, 13, 21, 22, 23, 111, 112].map(ordinal);
        assert_eq!(all, ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd", "23rd", "111th", "112th"]);
    }
}
