use super::*;
use crate::judge::tests::{kill, run};
use crate::model::Login;

fn process(exe: &str, cmdline: &[&str]) -> Process {
    run(exe, "/user.slice/user-1000.slice/session-3.scope", cmdline)
}

/// `chain` is the sender and its parents.
fn found(tty: Option<&str>, chain: &[Process]) -> Option<Origin> {
    let mut incident = kill("/x");
    incident.sender.process = chain.first().cloned();
    incident.sender.ancestors = chain.get(1..).unwrap_or_default().to_vec();
    incident.sender.login = Some(Login { uid: None, user: None, session: None, tty: tty.map(str::to_owned) });
    origin(&incident)
}

fn tool() -> Process {
    process("/usr/bin/kill", &["kill", "-9", "20"])
}

fn shell(by_hand: bool, own: bool) -> Option<Origin> {
    named("bash", by_hand, own)
}

fn named(shell: &str, by_hand: bool, own: bool) -> Option<Origin> {
    Some(Origin::Shell(Shell { shell: shell.to_owned(), terminal: "pts2".to_owned(), by_hand, own }))
}

#[test]
fn a_person_at_a_shell_has_a_terminal_and_gave_it_no_script() {
    let bash = |arguments: &[&str]| process("/usr/bin/bash", arguments);
    let sudo = || process("/usr/bin/sudo", &["sudo", "kill", "-9", "20"]);
    let python = || process("/usr/bin/python3.11", &["python3", "/srv/reap.py"]);
    for (tty, chain, expected) in [
        (Some("pts2"), vec![tool(), bash(&["bash"])], shell(true, false)),
        (Some("pts2"), vec![tool(), bash(&["-bash"])], shell(true, false)),
        (Some("pts2"), vec![tool(), bash(&["bash", "-il"])], shell(true, false)),
        (Some("pts2"), vec![tool(), bash(&["bash", "--login"])], shell(true, false)),
        (Some("pts2"), vec![tool(), sudo(), sudo(), bash(&["-bash"])], shell(true, false)),
        (Some("pts2"), vec![bash(&["-bash"])], shell(true, true)),
        (Some("pts2"), vec![python(), bash(&["-bash"])], shell(false, false)),
        (Some("pts2"), vec![tool(), python(), bash(&["-bash"])], shell(false, false)),
        (Some("pts2"), vec![tool(), tool(), bash(&["-bash"])], shell(false, false)),
        (Some("pts2"), vec![tool(), process("/bin/busybox", &["-ash"])], named("ash", true, false)),
        (Some("pts2"), vec![tool(), process("/bin/busybox", &["/bin/sh"])], named("sh", true, false)),
        (Some("pts2"), vec![tool(), process("/bin/busybox", &["vi"])], None),
        (Some("pts2"), vec![tool(), process("/usr/bin/ksh93", &["ksh"])], named("ksh93", true, false)),
        // A script in the shell of somebody at a terminal.
        (Some("pts2"), vec![tool(), bash(&["bash", "reap.sh"]), bash(&["-bash"])], shell(false, false)),
        (Some("pts2"), vec![tool(), bash(&["bash", "-c", "kill -9 20"])], None),
        (Some("pts2"), vec![tool(), bash(&["bash", "-ic", "kill"])], None),
        (Some("pts2"), vec![tool(), bash(&["bash", "--command=x"])], None),
        (Some("pts2"), vec![tool(), bash(&["bash", "-"])], None),
        (Some("pts2"), vec![tool(), bash(&["bash", "--"])], None),
        (Some("pts2"), vec![tool(), bash(&[])], None),
        (Some("pts2"), vec![tool()], None),
        (None, vec![tool(), bash(&["-bash"])], None),
    ] {
        assert_eq!(found(tty, &chain), expected, "{tty:?} {chain:?}");
    }
    let cut = Process { cmdline_truncated: true, ..bash(&["bash"]) };
    assert_eq!(found(Some("pts2"), &[tool(), cut]), None);
}

#[test]
fn debuggers_runners_schedulers_and_ssh_are_known_by_their_programs() {
    let at = |exe: &str| process(exe, &["x"]);
    let java = |arguments: &[&str]| process("/usr/bin/java", arguments);
    let ci = |service, by_runner| Some(Origin::Ci { service, by_runner });
    let sh = || process("/usr/bin/sh", &["sh", "-c", "x"]);
    for (chain, expected) in [
        (vec![at("/usr/bin/gdb")], Some(Origin::Debugger("gdb"))),
        (vec![at("/usr/bin/strace"), sh()], Some(Origin::Debugger("strace"))),
        (vec![tool(), at("/usr/bin/gdb")], None),
        (vec![tool(), sh(), at("/opt/runner/bin/Runner.Worker")], ci("GitHub Actions", false)),
        (vec![at("/opt/runner/bin/Runner.Worker"), at("/opt/runner/bin/Runner.Listener")], ci("GitHub Actions", true)),
        (vec![at("/usr/bin/gitlab-runner-linux-amd64")], ci("GitLab CI", true)),
        (vec![tool(), at("/usr/bin/buildkite-agent")], ci("Buildkite", false)),
        // A usual word.
        (vec![at("/usr/bin/act")], None),
        (vec![at("/usr/bin/actor")], None),
        (vec![tool(), java(&["java", "-jar", "/home/jenkins/agent.jar"])], ci("Jenkins", false)),
        (vec![java(&["java", "-cp", "x.jar", "hudson.remoting.jnlp.Main"])], ci("Jenkins", true)),
        (vec![java(&["java", "-jar", "shop.jar"])], None),
        (vec![tool(), sh(), at("/usr/sbin/cron")], Some(Origin::Scheduler("cron"))),
        (vec![tool(), sh(), at("/usr/sbin/crond")], Some(Origin::Scheduler("crond"))),
        (vec![tool(), sh(), at("/usr/sbin/sshd")], Some(Origin::Ssh)),
        // It ended its own child.
        (vec![at("/usr/sbin/sshd")], None),
        // The nearest one.
        (vec![tool(), at("/usr/bin/act_runner"), at("/usr/sbin/sshd")], ci("Gitea Actions", false)),
        (vec![tool(), sh()], None),
        (vec![], None),
    ] {
        assert_eq!(found(None, &chain), expected, "{chain:?}");
    }
}
