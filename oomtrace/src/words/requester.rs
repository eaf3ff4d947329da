//! Who asked a runtime to kill: how that is known, and what could not be seen of it.

use crate::judge::judgement::requester::{Came, FoundBy, Moment, RequesterUnseen, Via, When};
use crate::model::{Evidence, Source};
use crate::text;

/// The fact as a line of evidence.
pub fn evidence(found_by: &FoundBy) -> Evidence {
    let (fact, source) = match found_by {
        FoundBy::Exec => {
            let fact = "the sender is no child of the container's first process: it was brought in later (exec)";
            (fact.to_owned(), Source::Kernel)
        }
        FoundBy::RunBy { process, parent } => {
            (format!("{} was run by {}", text::process(process), text::process(parent)), Source::Kernel)
        }
        FoundBy::Came(came) => self::came(came),
        FoundBy::Others { named, more, may_have_asked } => {
            let so = if *may_have_asked {
                "so any of them may have asked"
            } else {
                "with nothing that says that they asked for this"
            };
            let named: Vec<String> = named.iter().map(text::process).collect();
            let more = if *more > 0 { format!(" and {more} more") } else { String::new() };
            (format!("connected as well, {so}: {}{more}", named.join(", ")), Source::Kernel)
        }
    };
    Evidence { fact, source }
}

fn came(came: &Came) -> (String, Source) {
    let Came { process, socket, when, stood, names_container } = came;
    let (when, source) = match when {
        When::Before { ms, what, wrote } => {
            let how = if *wrote { "wrote" } else { "connected" };
            let what = match what {
                Moment::StopSignal => "the stop signal",
                Moment::Exec => "the command was started in the container",
                Moment::Kill => "the kill",
            };
            let stood = if *stood { ", and was connected before oomtrace started" } else { "" };
            (format!("{how} to {socket} {} before {what}{stood}", text::duration_ms(*ms)), Source::Kernel)
        }
        When::NotSeen => (format!("connected to {socket} before oomtrace started"), Source::Procfs),
        When::AgainAndAgain => (format!("connected to {socket} again and again"), Source::Kernel),
    };
    let names = if *names_container { ", and its command line names the container" } else { "" };
    (format!("{} {when}{names}", text::process(process)), source)
}

/// By what it asked.
pub fn via(via: &Via) -> String {
    match via {
        Via::Itself => "it is the runtime itself".to_owned(),
        Via::Ran(process) => format!("it ran {}", text::process(process)),
        Via::Socket(socket) => socket.clone(),
    }
}

/// What is missing.
pub fn unseen(unseen: RequesterUnseen) -> String {
    let why = match unseen {
        RequesterUnseen::Crowded => "more came to its socket than could be recorded, and it may be one that was not",
        RequesterUnseen::Nested => "its runtime runs in a container itself, and connections to that are not seen",
        RequesterUnseen::Nobody => "no process was seen to connect to its socket (TCP is not seen)",
    };
    format!("who asked the runtime: {why}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Process;

    fn process(pid: u32, comm: &str) -> Process {
        Process { pid, comm: comm.to_owned(), ..Process::default() }
    }

    #[test]
    fn each_fact_has_its_sentence() {
        let came = |when, stood, names_container| {
            let socket = "/run/docker.sock".to_owned();
            FoundBy::Came(Box::new(Came { process: process(2, "python3"), socket, when, stood, names_container }))
        };
        let before = |what, wrote| When::Before { ms: 30, what, wrote };
        let others = |more, may_have_asked| FoundBy::Others {
            named: vec![process(2, "python3"), process(3, "java")],
            more,
            may_have_asked,
        };
        let run_by = FoundBy::RunBy { process: Box::new(process(5, "podman")), parent: Box::new(process(4, "bash")) };
        for (found_by, fact, source) in [
            (
                came(before(Moment::StopSignal, false), false, false),
                "python3[2] connected to /run/docker.sock 30 ms before the stop signal",
                Source::Kernel,
            ),
            (
                came(before(Moment::Kill, true), true, true),
                "python3[2] wrote to /run/docker.sock 30 ms before the kill, and was connected before oomtrace started, and its command line names the container",
                Source::Kernel,
            ),
            (
                came(before(Moment::Exec, false), false, true),
                "python3[2] connected to /run/docker.sock 30 ms before the command was started in the container, and its command line names the container",
                Source::Kernel,
            ),
            (
                came(When::NotSeen, true, false),
                "python3[2] connected to /run/docker.sock before oomtrace started",
                Source::Procfs,
            ),
            (
                came(When::AgainAndAgain, false, false),
                "python3[2] connected to /run/docker.sock again and again",
                Source::Kernel,
            ),
            (others(0, true), "connected as well, so any of them may have asked: python3[2], java[3]", Source::Kernel),
            (
                others(2, false),
                "connected as well, with nothing that says that they asked for this: python3[2], java[3] and 2 more",
                Source::Kernel,
            ),
            (run_by, "podman[5] was run by bash[4]", Source::Kernel),
        ] {
            assert_eq!(evidence(&found_by), Evidence { fact: fact.to_owned(), source });
        }
    }
}
