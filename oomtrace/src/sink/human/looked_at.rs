//! Where `oomtrace why` has looked, and what could not be read there.

use super::block::Block;
use super::words::when;
use crate::model::{Answer, LookedAt, Why};

/// The lines about it, at the end of the answer.
pub(super) fn looked_at(why: &Why, block: &mut Block) {
    // Where nothing was found, where it was looked is the answer.
    if block.look.verbose || matches!(why.answer, Answer::Nothing | Answer::Alive | Answer::Unexplained) {
        let is_said = |looked: &&LookedAt| found_nothing(why) && is_closed(looked);
        for (index, looked) in why.looked_at.iter().filter(|looked| !is_said(looked)).enumerate() {
            let reach = looked.since.as_ref().map(|at| format!(", since {}", when(at, block.look))).unwrap_or_default();
            let read = if looked.is_read { "" } else { "not read: " };
            block.line(
                if index == 0 { "looked" } else { "" },
                &format!("{}{reach}: {read}{}", looked.place, looked.said),
            );
        }
    }
    let unread: Vec<String> =
        missing(why).filter(|looked| !found_nothing(why) || !is_closed(looked)).map(may_have).collect();
    if !unread.is_empty() {
        block.faint("unread", &unread.join("; "));
    }
}

/// What is there and could not be read, and so may be missing from the answer.
#[must_use]
pub fn unread(why: &Why) -> Vec<String> {
    missing(why).map(may_have).collect()
}

fn missing(why: &Why) -> impl Iterator<Item = &LookedAt> {
    why.looked_at.iter().filter(|looked| looked.is_missing)
}

fn may_have(looked: &LookedAt) -> String {
    format!("what {} has may be missing here ({})", named(looked), looked.said)
}

/// `the kernel log`, `Docker`
fn named(looked: &LookedAt) -> String {
    match looked.place.as_str() {
        "docker" => "Docker".to_owned(),
        "kubernetes" => "the Kubernetes API".to_owned(),
        own @ "systemd" => own.to_owned(),
        other => format!("the {other}"),
    }
}

/// It is there, and nothing of it could be read.
const fn is_closed(looked: &LookedAt) -> bool {
    looked.is_missing && !looked.is_read
}

/// No kill and no end was found: what could not be read may be why.
const fn found_nothing(why: &Why) -> bool {
    why.exit.is_none() && why.incident.is_none() && why.reconstructed.is_none()
}

/// `Could not read the history (…: Permission denied), nor the kernel log (…): run it as root.` It stands
/// before the sentence that nothing was found.
pub(super) fn unread_first(why: &Why) -> Option<String> {
    let closed: Vec<&LookedAt> = why.looked_at.iter().filter(|looked| is_closed(looked)).collect();
    let said: Vec<String> = closed.iter().map(|looked| format!("{} ({})", named(looked), looked.said)).collect();
    // As std::io::Error words EACCES and EPERM: others, root does not get over either.
    let is_refused = |looked: &&LookedAt| {
        ["permission denied", "not permitted"].iter().any(|error| looked.said.to_ascii_lowercase().contains(error))
    };
    let root = if closed.iter().any(is_refused) { ": run it as root" } else { "" };
    (!said.is_empty()).then(|| format!("Could not read {}{root}.", said.join(", nor ")))
}

#[cfg(test)]
mod tests {
    use super::super::Look;
    use super::super::why::tests::exited;
    use super::super::why::why;
    use super::*;

    fn nothing() -> Why {
        Why {
            asked: None,
            target: None,
            answer: Answer::Nothing,
            summary: "nothing that is left says of any kill on this node".to_owned(),
            exit: None,
            is_of_another: None,
            ..exited()
        }
    }

    #[test]
    fn where_nothing_was_found_what_could_not_be_read_comes_first_and_once() {
        let text = why(&nothing(), Look::default());
        let first = "Could not read the kernel log (/dev/kmsg: Operation not permitted): run it as root.\nNothing";
        assert!(text.to_lowercase().starts_with(&first.to_lowercase()), "{text}");
        assert_eq!(text.matches("not permitted").count(), 1, "{text}");
        let mut damaged = nothing();
        damaged.looked_at[0].said = "/dev/kmsg: Input/output error".to_owned();
        assert!(!why(&damaged, Look::default()).contains("as root"));
        // What was read in part is said with what was found there.
        damaged.looked_at[0].is_read = true;
        let text = why(&damaged, Look::default());
        assert!(text.to_lowercase().starts_with("nothing") && text.contains("may be missing here"), "{text}");
    }
}
