//! Kills and ends of before, of what was asked about: how many, how long ago, and the latest of them.

use super::Look;
use super::block::Block;
use super::words::when;
use crate::model::{Answer, EarlierKill, TargetKind, Why};
use crate::past::answer::EARLIER as KNOWN;
use crate::text::{age_ms, elapsed_ms, ordinal};
use crate::words::folded::{self, Earlier, Folded};

/// Those that have a line each.
const MOST: usize = 5;

/// Whether it was the first time: `4th time in 2 d 3 h, each 31 h 2 min to 34 h 0 min after its start`.
pub(super) fn earlier(why: &Why, block: &mut Block) {
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
        (true, Some(least), Some(most)) => match (elapsed_ms(*least), elapsed_ms(*most)) {
            (least, most) if least == most => format!(", each {least} after its start"),
            (least, most) => format!(", {least} to {most} after its start"),
        },
        _ => String::new(),
    };
    let last = span(latest.time.as_ref(), time.as_ref())
        .map(|ms| format!("; the last one {} before", elapsed_ms(ms)))
        .unwrap_or_default();
    let is_node = why.target.is_none();
    // More are not looked for.
    let least = if count > KNOWN { "at least " } else { "" };
    let number = format!("{least}the {}", ordinal(count as u64));
    // Of an end with 137 nobody may know that it was a kill.
    let is_kill = why.answer != Answer::Unexplained && why.earlier.iter().all(|kill| kill.cause.is_some());
    let what = if is_kill { "kill" } else { "end by SIGKILL or with 137" };
    // A process is killed once.
    let is_process = why.target.as_ref().is_some_and(|target| target.kind == TargetKind::Process);
    match (is_node, why.answer) {
        (false, _) if is_process => {
            let others = if count == 2 { "another process".to_owned() } else { format!("{} others", count - 1) };
            block.line("before", &format!("{others} with that number had been killed{whole}{last}"));
        }
        (true, _) => block.line("before", &format!("{number} {what} on this node that is known{whole}{last}")),
        (false, Answer::Watched | Answer::Killed | Answer::Unexplained) => {
            block.line("before", &format!("it is {number} {what} that is known{whole}{ages}{last}"))
        }
        (false, _) => {
            let known = match count {
                2 => format!("one {what} is"),
                _ if is_kill => format!("{} kills are", count - 1),
                _ => format!("{} ends by SIGKILL or with 137 are", count - 1),
            };
            block.line("before", &format!("{known} known{whole}{last}"));
        }
    }
    let Earlier { lines, left } = match block.look.verbose {
        // Each has its incident's id.
        true => Earlier { lines: why.earlier.iter().map(|kill| (kill, None)).collect(), left: 0 },
        false => folded::earlier(&why.earlier, MOST),
    };
    lines.iter().for_each(|(kill, folded)| block.line("", &one(kill, folded.as_ref(), is_node, block.look)));
    if left > 0 {
        block.line("", &format!("and {least}{left} more"));
    } else if !least.is_empty() {
        block.line("", &format!("the list ends here, at {KNOWN}: more are not looked for"));
    }
}

fn own_age(why: &Why) -> Option<u64> {
    age_ms(why.incident.as_ref()?)
}

/// `03:40:11  web ×40 from 03:10:05 to 03:40:11: ran into its own limit of 64 MiB`
fn one(kill: &EarlierKill, folded: Option<&Folded>, has_place: bool, look: Look) -> String {
    let time = kill.time.as_ref().map_or_else(|| "some time".to_owned(), |time| when(time, look));
    let place = Some(kill.place.clone()).filter(|place| has_place && !place.is_empty());
    let count = folded.and_then(|folded| folded.said(|time| when(time, look)));
    let place = match place.into_iter().chain(count).collect::<Vec<_>>().join(" ") {
        none if none.is_empty() => none,
        place => format!("{place}: "),
    };
    let id = kill.incident.as_ref().filter(|_| look.verbose).map(|id| format!(", incident {id}")).unwrap_or_default();
    format!("{time}  {place}{}{id}", kill.why)
}

#[cfg(test)]
mod tests {
    use super::super::TimeForm;
    use super::super::why::tests::exited;
    use super::super::why::why;
    use super::*;
    use crate::model::Cause;

    #[test]
    fn a_list_that_was_cut_says_so() {
        let kill = EarlierKill { place: "web".to_owned(), why: "x".to_owned(), ..EarlierKill::default() };
        for (count, verbose, last) in [
            (KNOWN, false, "and at least 95 more"),
            (KNOWN, true, "the list ends here, at 100: more are not looked for"),
            (KNOWN - 1, false, "and 94 more"),
        ] {
            let asked = Why { earlier: vec![kill.clone(); count], looked_at: Vec::new(), ..exited() };
            let text = why(&asked, Look { verbose, ..Look::default() });
            assert!(text.contains(last), "{last}: {text}");
        }
        let asked = Why { earlier: vec![kill; KNOWN - 1], looked_at: Vec::new(), ..exited() };
        assert!(!why(&asked, Look { verbose: true, ..Look::default() }).contains("the list ends"));
    }

    #[test]
    fn like_kills_of_before_are_one_line() {
        let kill = |minute: u32, why: &str| EarlierKill {
            time: Some(format!("2026-11-20T03:{minute:02}:00Z")),
            place: "web".to_owned(),
            incident: Some(format!("id-{minute}")),
            cause: Some(Cause::OomContainerLimit),
            why: why.to_owned(),
            ..EarlierKill::default()
        };
        // Eight of one kind, among them one of another.
        let mut earlier: Vec<EarlierKill> = (0..8).rev().map(|number| kill(10 + 5 * number, "ran into it")).collect();
        earlier.insert(3, kill(31, "somebody killed it"));
        let look = Look { time: TimeForm::Utc, ..Look::default() };
        let asked = Why { earlier: earlier.clone(), looked_at: Vec::new(), ..exited() };
        let text = why(&asked, look);
        let line = "2026-11-20 03:45:00Z  ×8 from 2026-11-20 03:10:00Z to 2026-11-20 03:45:00Z: ran into it\n";
        assert!(text.contains(line) && text.contains("03:31:00Z  somebody killed it\n"), "{text}");
        assert!(text.matches("ran into it").count() == 1 && !text.contains("more"), "{text}");
        // Of the node, with the place.
        let asked = Why { target: None, is_of_another: None, ..asked };
        assert!(why(&asked, look).contains("03:45:00Z  web ×8 from "), "{}", why(&asked, look));
        let text = why(&asked, Look { verbose: true, ..look });
        assert!(text.matches("ran into it").count() == 8 && text.contains("incident id-10"), "{text}");
        // Those on no line are counted, and not the lines.
        // And of whom it was, and of how much, makes no other kind.
        let unlike = ["a", "b", "c", "d", "e", "f", "g"].iter().zip((0..7).rev());
        let unlike =
            unlike.flat_map(|(x, n)| [kill(2 * n + 1, &format!("{x}[{n}]")), kill(2 * n, &format!("{x}[7{n}]"))]);
        let asked = Why { earlier: unlike.collect(), ..asked };
        assert!(why(&asked, look).contains("and 4 more"), "{}", why(&asked, look));
    }
}
