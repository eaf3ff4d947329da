//! What an exit status says, and what it does not: by the conventions of shells, of Docker and of Kubernetes.

mod causes;
mod reasons;

use crate::node::signals;

/// Explains an exit code (`137`), a signal, the reason that Docker, Kubernetes or systemd gives (`OOMKilled`, `oom-kill`), or a cause of oomtrace's
/// own; none when it is nothing of these.
#[must_use]
pub fn explain(text: &str) -> Option<String> {
    let text = text.trim();
    match text.parse::<u32>() {
        Ok(code) => exit_code(code),
        Err(_) => reasons::explain(text).or_else(|| by_name(text)).or_else(|| causes::explain(text)),
    }
}

/// An exit code as a shell, Docker or Kubernetes shows it.
fn exit_code(code: u32) -> Option<String> {
    let said = match code {
        0 => "The process ended by itself and reported success. Nothing killed it; a child of it may have been killed.".to_owned(),
        124 => "From timeout(1): its time limit was up, and its command ended at the signal that it sent. Else exit(124), the program's own choice.".to_owned(),
        1..=123 => format!(
            "The process ended by itself with exit({code}): the program's own choice, an error for most. Nothing killed it; \
             a child of it may have been killed, also by the OOM killer, and it may have ended for that."
        ),
        125 => "From `docker run`: Docker itself failed, and the container's command was never started. Else exit(125).".to_owned(),
        126 => "The command was found and could not be run: no right to execute it, or not a program.".to_owned(),
        127 => "The command was not found: a wrong path, or a missing interpreter or loader.".to_owned(),
        128 => "Kubernetes' StartError: the container's process could not be started. From a shell: exit with a wrong number.".to_owned(),
        129..=192 => by_signal(code - 128)?,
        193..=254 => format!("The process ended by itself with exit({code}): the program's own choice. Nothing killed it."),
        255 => "exit(255) or exit(-1): the program's own choice, or a runtime that lost the container's real status.".to_owned(),
        _ => return None,
    };
    let signal = if (1..=64).contains(&code) { Some(signals::name(code)) } else { None };
    Some(match signal {
        Some(name) => format!("{said} (As a signal, {code} is {name}: `oomtrace explain {name}`.)"),
        None => said,
    })
}

fn by_signal(signal: u32) -> Option<String> {
    let (code, name) = (128 + signal, signals::name(signal));
    let meaning = match name.as_str() {
        "SIGKILL" => {
            "the kernel's OOM killer, `docker kill`, a stop that timed out, kubelet, systemd, an OOM daemon, or \
                      anybody's kill -9. The code alone cannot say which: it is no proof of an OOM kill, and its absence \
                      is none against one (a child may have been OOM-killed)"
        }
        "SIGTERM" => {
            "somebody asked it to stop (`docker stop`, kubelet, systemd), and it did. It was not killed by force, \
                      whatever an earlier OOM kill of a child makes Docker or Kubernetes say"
        }
        "SIGSEGV" => "it used memory that it does not have: a bug of the program, not a memory limit",
        "SIGABRT" => "it gave up on itself: abort(), a failed assertion, or its C library noticing a broken heap",
        "SIGBUS" => {
            "it used mapped memory that has nothing behind it: a truncated file, a full /dev/shm, or bad hardware"
        }
        "SIGILL" => "it ran into an instruction that this processor does not have, or into a trap of its compiler's",
        "SIGFPE" => "it divided by zero, or its arithmetic overflowed into a trap",
        "SIGINT" => "Ctrl-C, or the image's stop signal",
        "SIGQUIT" => "Ctrl-\\, or the image's stop signal",
        "SIGHUP" => "its terminal went away, or somebody sent it",
        "SIGPIPE" => "it wrote to a pipe that nobody reads any more",
        "SIGSYS" => "seccomp forbade a system call",
        "SIGXCPU" => "its CPU time was used up (RLIMIT_CPU, soft limit)",
        _ => "somebody sent it that signal, and it had no handler for it",
    };
    let mut text = format!(
        "128 + {signal}: ended by {name}, or passed on: a shell or an init such as tini ends with {code} when its child was \
         ended by {name}, and a program may call exit({code}) itself. {name} here means: {meaning}."
    );
    if name == "SIGKILL" {
        text.push_str(
            "\n\nWho sent it is known only while it happens: the kernel keeps no record. `sudo oomtrace` shows it the next \
             time. What is left to know of one that was not watched, `sudo oomtrace why NAME` puts together: the kernel's log, the cgroup's \
             counters, the journal, and what Docker, Kubernetes and systemd say.\n\n\
             To tell them apart: with the reason OOMKilled, the OOM killer was there, for this process or for a child of it. With Error, \
             look for a stop (`docker events`, the pod's Events: Killing, Evicted, Preempting) just before: it timed out. Docker's \
             health check kills no container. An exit(137) of the program's own, or one that a shell passed on from its child, is no \
             SIGKILL for the container: oomtrace says so in a record of type `exit`. And Kubernetes writes 137 with the reason \
             ContainerStatusUnknown where it does not know.",
        );
    }
    Some(text)
}

/// A signal's name, as people write it.
fn by_name(word: &str) -> Option<String> {
    by_signal(signals::number(word)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_code_has_an_explanation_and_nothing_else_has() {
        for code in 0..=255 {
            assert!(explain(&code.to_string()).is_some(), "{code}");
        }
        for text in ["256", "-1", "", "137x", "nonsense", "99999999999"] {
            assert_eq!(explain(text), None, "{text:?}");
        }
    }

    #[test]
    fn codes_above_128_name_their_signal_and_say_that_it_may_be_passed_on() {
        for (code, name) in
            [(130, "SIGINT"), (134, "SIGABRT"), (137, "SIGKILL"), (139, "SIGSEGV"), (143, "SIGTERM"), (162, "SIGRTMIN")]
        {
            let text = explain(&code.to_string()).unwrap();
            assert!(text.contains(&format!("ended by {name}")) && text.contains("passed on"), "{text}");
        }
        // 128 + 9 is the only one that a SIGKILL may be behind.
        for code in [0, 1, 125, 139, 143, 255] {
            assert!(!explain(&code.to_string()).unwrap().contains("SIGKILL"), "{code}");
        }
        assert!(explain("137").unwrap().contains("no proof of an OOM kill"));
    }

    #[test]
    fn reasons_and_names_are_read_in_any_case() {
        assert_eq!(explain("OOMKilled"), explain("oomkilled"));
        assert!(explain("OOMKilled").unwrap().contains("does not say whose limit"));
        // A child may have been killed, and the first process end as it likes.
        let text = explain("OOMKilled").unwrap();
        assert!(
            text.contains("With any other (1, 143, 0 …) it ended by itself") && !text.contains("was no OOM kill"),
            "{text}"
        );
        assert_eq!(explain("SIGTERM"), explain("143"));
        assert_eq!(explain("term"), explain("143"));
        assert!(explain("CrashLoopBackOff").unwrap().contains("It is no cause"));
    }

    #[test]
    fn each_signal_is_explained_by_what_usually_makes_it() {
        for (code, name, meaning) in [
            (129, "SIGHUP", "its terminal went away"),
            (130, "SIGINT", "Ctrl-C"),
            (131, "SIGQUIT", "Ctrl-\\"),
            (132, "SIGILL", "does not have, or into a trap"),
            (134, "SIGABRT", "abort()"),
            (135, "SIGBUS", "a truncated file"),
            (136, "SIGFPE", "divided by zero"),
            (137, "SIGKILL", "`sudo oomtrace` shows it the next time"),
            (138, "SIGUSR1", "it had no handler for it"),
            (139, "SIGSEGV", "not a memory limit"),
            (141, "SIGPIPE", "a pipe that nobody reads"),
            (143, "SIGTERM", "asked it to stop"),
            (152, "SIGXCPU", "RLIMIT_CPU"),
            (159, "SIGSYS", "seccomp"),
        ] {
            let text = explain(name).unwrap();
            assert_eq!(explain(&code.to_string()).as_ref(), Some(&text), "{code}");
            let start = format!("128 + {}: ended by {name}, or passed on: a shell or an init such as tini", code - 128);
            assert!(text.starts_with(&start) && text.contains(meaning), "{text}");
            assert!(
                text.contains(&format!("ends with {code} when")) && text.contains(&format!("exit({code})")),
                "{text}"
            );
            assert_eq!(text.contains("sudo oomtrace"), name == "SIGKILL", "{text}");
        }
    }

    #[test]
    fn a_number_that_may_be_meant_as_a_signal_has_a_hint() {
        assert!(explain("9").unwrap().contains("`oomtrace explain SIGKILL`"));
        assert!(!explain("0").unwrap().contains("As a signal"));
        assert!(!explain("137").unwrap().contains("As a signal"));
    }
}
