//! What others say of a container's end, against what the kernel did.

use crate::judge::contradiction::{DockerSays, KILLED, KubeletSays};
use crate::text::quote::quote;

/// Docker's story.
#[must_use]
pub fn docker_says(found: &DockerSays) -> String {
    let was = found.oom_killed.map(|killed| match killed {
        false => "Docker says OOMKilled=false, but the kernel's OOM killer ended the container's first process",
        true => {
            "Docker says OOMKilled=true, which is of an earlier kill in the container: no OOM killer ended its first process"
        }
    });
    let code = found.exit_code.map(|code| {
        format!("Docker says exit code {code}, but the container's first process died of SIGKILL ({KILLED})")
    });
    was.map(str::to_owned).into_iter().chain(code).collect::<Vec<_>>().join("; ")
}

/// The kubelet's: its reason and its exit code.
#[must_use]
pub fn kubelet_says(found: &KubeletSays, reason: Option<&str>, exit_code: i64) -> String {
    let says = format!("the kubelet says {} (exit code {exit_code})", quote(reason.unwrap_or("nothing")));
    match found {
        KubeletSays::NoOomKill => {
            format!("{says}, but the kernel's OOM killer ended the container's first process")
        }
        KubeletSays::EarlierOomKill => format!(
            "{says}, which is of an earlier kill in the container, by a counter that never falls: no OOM killer ended its first process"
        ),
        KubeletSays::NotKilled => format!("{says}, but the container's first process died of SIGKILL ({KILLED})"),
        KubeletSays::EndOfChild => {
            format!("{says}, but that is the end of its child, which the kernel's OOM killer ended")
        }
        KubeletSays::NothingWrong => {
            format!("{says}, though the kernel's OOM killer had ended a process in the container")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_of_dockers_errors_are_said() {
        let said = docker_says(&DockerSays { oom_killed: Some(false), exit_code: Some(1) });
        assert!(
            said.starts_with("Docker says OOMKilled=false, but") && said.contains("; Docker says exit code 1, but")
        );
        let said = docker_says(&DockerSays { oom_killed: None, exit_code: Some(0) });
        assert!(said.starts_with("Docker says exit code 0, but"), "{said}");
    }

    #[test]
    fn what_the_kubelet_says_is_quoted() {
        let said = kubelet_says(&KubeletSays::NotKilled, Some("a\u{1b}[2J"), 0);
        assert!(said.starts_with("the kubelet says $'a\\033[2J' (exit code 0), but"), "{said}");
        let said = kubelet_says(&KubeletSays::EarlierOomKill, None, 143);
        assert!(said.starts_with("the kubelet says nothing (exit code 143), which is of an earlier kill"), "{said}");
    }
}
