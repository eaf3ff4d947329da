//! Records that are no incidents as blocks of lines, and what is said besides.

use std::fmt::Write as _;

use super::Look;
use super::block::{Block, DIM, KILL, SIGNAL};
use super::words::{about, described, when};
use crate::model::{Contradiction, Correction, Exited, Lost, OutputName, Unwritten, Warning};
use crate::sink::outputs::counted;
use crate::sink::queue::Count;
use crate::sink::wrap::wrap;
use crate::text::quote::quote;
use crate::text::{bytes, full_name, known_name, pod_name, shorten_ids, unit_name};

/// `3 routine kills before this one: --all shows them`.
pub(super) fn left_unsaid(routine: u64, look: Look) -> String {
    let (kills, them) = if routine == 1 { ("kill", "it") } else { ("kills", "them") };
    let text = format!("{routine} routine {kills} before this one: --all shows {them}");
    let block = Block { text: String::new(), look };
    format!("{}\n\n", block.paint(DIM, &text))
}

/// What a runtime says against it, with a line feed at the end of each line.
pub(super) fn contradiction(said: &Contradiction, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    block.title(&said.time, "CONFLICT", SIGNAL, &full_name(&said.container), &said.fact);
    if !look.brief {
        block.line("in", &about(&said.container));
    }
    block.text
}

/// A container's first process that only looks killed, with a line feed at the end of each line.
pub(super) fn exit(exited: &Exited, look: Look) -> String {
    let mut block = Block { text: exit_headline(exited, look), look };
    if !look.brief {
        exited.container.iter().for_each(|container| block.line("in", &about(container)));
        block.line("ended", &described(&exited.process));
    }
    block.text
}

/// Its first line alone.
pub(super) fn exit_headline(exited: &Exited, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    let name = || quote(&exited.process.comm).into_owned();
    let place = exited.container.as_ref().map_or_else(name, |container| {
        let pod = container.pod.as_ref().and_then(pod_name).map(|pod| format!("{pod}/")).unwrap_or_default();
        format!("{pod}{}", known_name(container))
    });
    block.title(&exited.time, "EXIT 137", SIGNAL, &place, &exited.why);
    block.text
}

/// What is known by now of an incident that was put out before, with a line feed at the end of each line.
pub(super) fn corrected(correction: &Correction, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    let place = correction.container.as_ref().map_or_else(|| correction.incident.clone(), full_name);
    block.title(&correction.time, "NOW KNOWN", SIGNAL, &place, &correction.verdict.why);
    if !look.brief {
        block.line("killed", &format!("as said above, incident {}", correction.incident));
        block.remedies(&correction.verdict, &correction.missing, &correction.missing_parts);
    }
    block.text
}

/// What is to come, with a line feed at the end of each line.
pub(super) fn warning(warning: &Warning, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    let place = match (&warning.container, &warning.unit, warning.pod.as_ref().and_then(pod_name)) {
        (Some(container), ..) => full_name(container),
        (None, Some(unit), _) => unit_name(unit, Some(&warning.cgroup)),
        (None, None, Some(pod)) => pod,
        (None, None, None) => quote(&shorten_ids(&warning.cgroup)).into_owned(),
    };
    block.title(&warning.time, "WARNING", SIGNAL, &place, &warning.why);
    if look.brief {
        return block.text;
    }
    warning.container.iter().for_each(|container| block.line("in", &about(container)));
    let (held, limit, usage) = (bytes(warning.held_bytes), bytes(warning.limit_bytes), bytes(warning.usage_bytes));
    block.line("memory", &format!("{held} of {limit} cannot be taken back; {usage} in use with page cache"));
    if let Some(reached) = &warning.reached {
        let time = |text: &str| when(text, look);
        let high = reached.high.as_deref().map_or_else(|| "later or never".to_owned(), time);
        let (median, low) = (time(&reached.median), time(&reached.low));
        block.line("met", &format!("at {median}, between {low} and {high}"));
    }
    block.text
}

/// Kills that are not reported must not be missed by whoever reads the others: a line of its own.
pub(super) fn lost_kills(lost: &Lost, look: Look) -> String {
    let mut block = Block { text: String::new(), look };
    for line in wrap(&lost.words().unwrap_or_default(), look.width) {
        // Writing to a String cannot fail.
        _ = writeln!(block.text, "{}", block.paint(KILL, &line));
    }
    block.text
}

/// What an output could not take.
pub(super) fn left_out(unwritten: &Unwritten, look: Look) -> String {
    let Unwritten { output, kills, others } = *unwritten;
    let mut block = Block { text: String::new(), look };
    let text = match output {
        OutputName::Stderr => "nothing can be written there at the moment".to_owned(),
        OutputName::Recording => format!("{kills} kills and {others} other events and answers are not in it"),
        OutputName::History => format!("{} not kept: its disk was full, or too slow", counted(Count { kills, others })),
        OutputName::Stdout | OutputName::Selftest => {
            format!("{} not written: too little was read, or the disk was full", counted(Count { kills, others }))
        }
    };
    block.title(&format!("{:.9}", jiff::Timestamp::now()), "LOST", KILL, output.as_str(), &text);
    block.text
}
