//! What stands behind a process that killed another by itself: a person at a shell, a debugger, a job of a CI runner's or of cron's.
//! By its own program and those of its parents, the nearest first. Anybody may name a program so: this is likely at the most, and
//! decides words alone.

use crate::judge::elevation::is_elevator;
use crate::judge::judgement::{Origin, Shell};
use crate::judge::senders::{file_name, is_hosts_root, is_in_hosts_namespaces, matches, program};
use crate::model::{Incident, Process};

const DEBUGGERS: &[&str] = &["gdb", "gdbserver", "lldb", "lldb-server", "strace", "ltrace", "dlv", "rr"];

const SHELLS: &[&str] = &["bash", "sh", "dash", "zsh", "fish", "ksh*", "mksh", "ash", "tcsh", "csh"];

/// Programs that people kill with.
const TOOLS: &[&str] =
    &["kill", "pkill", "killall", "killall5", "skill", "xkill", "top", "htop", "btop", "atop", "busybox", "toybox"];

/// Programs that run the jobs of a CI service, by their executable.
const RUNNERS: &[(&str, &str)] = &[
    ("Runner.Worker", "GitHub Actions"),
    ("Runner.Listener", "GitHub Actions"),
    ("gitlab-runner*", "GitLab CI"),
    ("buildkite-agent", "Buildkite"),
    ("drone-runner*", "Drone"),
    ("drone-agent", "Drone"),
    ("woodpecker-agent", "Woodpecker"),
    ("act_runner", "Gitea Actions"),
    ("forgejo-runner", "Forgejo Actions"),
    ("circleci-agent", "CircleCI"),
    ("circleci-runner", "CircleCI"),
    ("Agent.Worker", "Azure Pipelines"),
    ("Agent.Listener", "Azure Pipelines"),
    ("bamboo-agent", "Bamboo"),
    ("teamcity-agent", "TeamCity"),
];

/// What Jenkins' agent is started with (`java -jar agent.jar`).
const JENKINS: &[&str] = &["agent.jar", "remoting.jar", "slave.jar", "swarm-client.jar"];

const SCHEDULERS: &[&str] = &["cron", "crond", "anacron", "atd", "fcron"];

const SSH: &[&str] = &["sshd", "sshd-session", "dropbear"];

/// None where nothing of it is known.
pub fn origin(incident: &Incident) -> Option<Origin> {
    let sender = incident.sender.process.as_ref()?;
    if let Some(debugger) = one_of(sender, DEBUGGERS) {
        return Some(Origin::Debugger(debugger));
    }
    let terminal = incident.sender.login.as_ref().and_then(|login| login.tty.clone());
    let chain: Vec<&Process> = std::iter::once(sender).chain(&incident.sender.ancestors).collect();
    chain.iter().enumerate().find_map(|(at, process)| {
        let below = chain.get(..at).unwrap_or_default();
        if let Some(service) = runner(process).filter(|_| is_in_hosts_namespaces(process) || at > 0) {
            return Some(Origin::Ci { service, by_runner: at == 0 });
        }
        if let Some(terminal) = terminal.as_ref().filter(|_| is_interactive(process)) {
            let by_hand =
                below.iter().enumerate().all(|(at, process)| is_elevator(process) || (at == 0 && is_tool(process)));
            let shell = shell_name(process)?.to_owned();
            return Some(Origin::Shell(Shell { shell, terminal: terminal.clone(), by_hand, own: at == 0 }));
        }
        // The kernel's own first process, and what a session or a job is started by, end the search.
        if let Some(scheduler) = one_of(process, SCHEDULERS).filter(|_| is_hosts_root(process)) {
            return Some(Origin::Scheduler(scheduler));
        }
        one_of(process, SSH).filter(|_| at > 0).map(|_| Origin::Ssh)
    })
}

/// The name in the list that the process's program has.
fn one_of(process: &Process, list: &'static [&'static str]) -> Option<&'static str> {
    let name = program(process)?;
    list.iter().find(|known| **known == name).copied()
}

fn runner(process: &Process) -> Option<&'static str> {
    let name = program(process)?;
    if name == "java" {
        let is_agent =
            |argument: &String| JENKINS.contains(&file_name(argument)) || argument.starts_with("hudson.remoting.");
        return process.cmdline.iter().flatten().any(is_agent).then_some("Jenkins");
    }
    RUNNERS.iter().find(|(pattern, _)| matches(name, pattern)).map(|(_, service)| *service)
}

/// A person kills with that.
fn is_tool(process: &Process) -> bool {
    program(process).is_some_and(|name| TOOLS.contains(&name))
}

/// The shell's name, of busybox's by its first argument.
fn shell_name(process: &Process) -> Option<&str> {
    let called = || {
        file_name(process.cmdline.as_ref()?.first()?)
            .strip_prefix('-')
            .or_else(|| Some(file_name(process.cmdline.as_ref()?.first()?)))
    };
    let name = match program(process)? {
        "busybox" | "toybox" => called()?,
        name => name,
    };
    SHELLS.iter().any(|shell| matches(name, shell)).then_some(name)
}

/// A shell that runs neither a script nor a command that it was given: nothing but options follow its name. Its command line may be
/// unknown, and then it is none.
fn is_interactive(process: &Process) -> bool {
    let given = process.cmdline.as_deref().filter(|_| !process.cmdline_truncated).unwrap_or_default();
    let is_mere = |option: &String| {
        let is_long = option.starts_with("--") && option.len() > 2 && !option.starts_with("--command");
        let letters = option.strip_prefix('-').filter(|letters| !letters.is_empty() && !letters.starts_with('-'));
        is_long || letters.is_some_and(|letters| letters.chars().all(|letter| matches!(letter, 'i' | 'l' | 's' | 'm')))
    };
    shell_name(process).is_some() && !given.is_empty() && given.iter().skip(1).all(is_mere)
}

#[cfg(test)]
mod tests;
