//! What must not leave the node, and privileges that are not needed.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use oomtrace::model::Incident;
use oomtrace::probe::requirements::Capability;

use crate::Scenario;
use crate::support::needs::Need;
use crate::support::process::{Owned, run, wait_until};
use crate::support::tracer::{Tracer, command};

pub const ALL: &[Scenario] = &[
    Scenario { name: "hostile::privacy::secrets_are_masked_in_every_output", needs: &[Need::Tracing], run: masked },
    Scenario { name: "hostile::privacy::secrets_are_shown_to_who_asks", needs: &[Need::Tracing], run: shown },
    Scenario { name: "hostile::privacy::arguments_are_left_out", needs: &[Need::Tracing], run: left_out },
    Scenario { name: "hostile::privacy::an_argument_is_no_ancestry", needs: &[Need::Tracing], run: quoted },
    Scenario { name: "hostile::privacy::a_watching_oomtrace_holds_little", needs: &[Need::Tracing], run: confined },
    Scenario { name: "hostile::privacy::what_is_not_given_up_is_said", needs: &[Need::Tracing], run: unconfined },
    Scenario { name: "hostile::privacy::with_two_capabilities_none_is_left", needs: &[Need::Tracing], run: by_two },
];

const SECRETS: [&str; 3] = ["hunter2-of-the-victim", "hunter2-of-the-sender", "hunter2-of-its-parent"];

/// A shell that holds a secret, and does something until it is killed.
fn victim(name: &str, secret: &str) -> Owned {
    let mut shell = Command::new("sh");
    let victim = Owned::spawn(shell.arg0(name).args(["-c", "sleep 1000; true", "sh", "--password", secret]));
    let cmdline = format!("/proc/{}/cmdline", victim.pid());
    let has = |cmdline: &[u8]| cmdline.windows(secret.len()).any(|part| part == secret.as_bytes());
    wait_until("the victim has its arguments", || fs::read(&cmdline).is_ok_and(|cmdline| has(&cmdline)));
    victim
}

/// Has it killed by a shell in a shell, each of which holds a secret.
fn killed(tracer: &mut Tracer, victim: &mut Owned) -> Incident {
    let inner = format!("kill -9 {}; true", victim.pid());
    let script = format!("sh -c '{inner}' sh --token={}; true", SECRETS[1]);
    run(Command::new("sh").args(["-c", &script, "sh"]).arg(format!("APP_API_KEY={}", SECRETS[2])));
    victim.wait();
    tracer.incident(victim.pid())
}

/// The text form of a recording.
fn text_of(tracer: &Tracer, arguments: &[&str]) -> String {
    run(command().arg("replay").arg(tracer.recording()).args(["--color", "never"]).args(arguments))
}

fn holds_none(what: &str, text: &str) {
    for secret in SECRETS {
        assert!(!text.contains(secret), "{what} holds {secret}: {text}");
    }
}

fn masked() {
    let mut tracer = Tracer::start(&[]);
    let mut victim = victim("sh", SECRETS[0]);
    let incident = killed(&mut tracer, &mut victim);
    let arguments = |cmdline: &Option<Vec<String>>| cmdline.clone().unwrap_or_default();
    let sender = arguments(&incident.sender.process.as_ref().unwrap().cmdline);
    assert!(sender.iter().any(|argument| argument == "--token=REDACTED"), "{sender:?}");
    // What is no secret is still there: the judge and the reader need it.
    assert!(sender.iter().any(|argument| argument.starts_with("kill -9 ")), "{sender:?}");
    let of_victim = arguments(&incident.victim.process.cmdline);
    assert!(
        of_victim.is_empty() || of_victim.ends_with(&["--password".to_owned(), "REDACTED".to_owned()]),
        "{of_victim:?}"
    );
    wait_until("the incident is recorded", || text_of(&tracer, &[]).contains("SIGKILL"));
    holds_none("standard output", &tracer.lines().join("\n"));
    holds_none("the recording", &String::from_utf8_lossy(&fs::read(tracer.recording()).unwrap()));
    holds_none("the text", &text_of(&tracer, &[]));
    // Once it is left out, no option brings it back.
    holds_none("the text with all that is recorded", &text_of(&tracer, &["--no-redact"]));
    holds_none("standard error", &tracer.end().stderr);
}

fn shown() {
    let mut tracer = Tracer::start(&["--no-redact"]);
    let mut victim = victim("sh", SECRETS[0]);
    killed(&mut tracer, &mut victim);
    assert!(tracer.lines().join("\n").contains(SECRETS[1]));
    wait_until("the incident is recorded", || text_of(&tracer, &["--no-redact"]).contains(SECRETS[1]));
    // Who replays it later has not asked.
    holds_none("the text", &text_of(&tracer, &[]));
}

fn left_out() {
    let mut tracer = Tracer::start(&["--no-cmdline"]);
    assert!(tracer.ready.missing.iter().any(|missing| missing.contains("--no-cmdline")), "{:?}", tracer.ready);
    let mut victim = victim("sh", SECRETS[0]);
    let incident = killed(&mut tracer, &mut victim);
    let sender = incident.sender.process.unwrap();
    assert_eq!((sender.cmdline, sender.cmdline_truncated), (Some(vec!["sh".to_owned()]), true));
    for ancestor in &incident.sender.ancestors {
        assert!(ancestor.cmdline.as_ref().is_none_or(|cmdline| cmdline.len() == 1), "{ancestor:?}");
    }
    let recording = fs::read(tracer.recording()).unwrap();
    holds_none("the recording", &String::from_utf8_lossy(&recording));
    assert!(!String::from_utf8_lossy(&recording).contains("sleep 1000; true"));
}

/// What `/proc` says of each of a process's threads.
fn threads(pid: u32) -> Vec<String> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).unwrap().flatten();
    tasks.filter_map(|task| fs::read_to_string(task.path().join("status")).ok()).collect()
}

/// A line of it, as a hexadecimal number.
fn number(status: &str, name: &str) -> u64 {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    u64::from_str_radix(line.trim(), 16).unwrap()
}

/// Every thread has no capability beyond `allowed`, none that a program would inherit, and is filtered.
fn assert_confined(tracer: &mut Tracer, allowed: &[Capability]) {
    // Threads are made as names are asked for, and are confined as well.
    let mut victim = victim("sh", SECRETS[0]);
    killed(tracer, &mut victim);
    tracer.wait_until_settled();
    let allowed = allowed.iter().fold(0_u64, |mask, capability| mask | 1 << *capability as u64);
    for status in threads(tracer.pid()) {
        for name in ["CapEff:", "CapPrm:"] {
            assert_eq!(number(&status, name) & !allowed, 0, "{name} {status}");
        }
        for name in ["CapInh:", "CapAmb:"] {
            assert_eq!(number(&status, name), 0, "{name} {status}");
        }
        assert_eq!((number(&status, "NoNewPrivs:"), number(&status, "Seccomp:")), (1, 2), "{status}");
    }
}

fn confined() {
    // As it runs on a node: a call that is not on the list is answered.
    let mut tracer = Tracer::start(&["--sandbox=on"]);
    let sandbox = tracer.ready.sandbox.clone().unwrap();
    assert!(sandbox.no_new_privs && sandbox.seccomp, "{sandbox:?}");
    for given_up in ["CAP_SYS_ADMIN", "CAP_PERFMON", "CAP_SYSLOG", "CAP_DAC_OVERRIDE"] {
        assert!(!sandbox.capabilities.iter().any(|held| held == given_up), "{sandbox:?}");
    }
    let kept = [Capability::SysPtrace, Capability::DacReadSearch, Capability::IpcLock, Capability::Bpf];
    assert_confined(&mut tracer, &kept);
    let any = threads(tracer.pid());
    if number(&any[0], "CapBnd:") != 0 {
        let own = fs::read_to_string("/proc/self/status").unwrap();
        let may_drop = number(&own, "CapEff:") & (1 << 8) != 0;
        assert!(!may_drop, "CAP_SETPCAP was held, and the bounding set is left");
    }
}

fn unconfined() {
    let tracer = Tracer::start(&["--sandbox=off"]);
    let sandbox = tracer.ready.sandbox.clone().unwrap();
    assert!(!sandbox.seccomp && sandbox.capabilities.iter().any(|held| held == "CAP_BPF"), "{sandbox:?}");
}

fn by_two() {
    let mut tracer = Tracer::start_with(&[], &[Capability::Bpf, Capability::Perfmon]);
    let sandbox = tracer.ready.sandbox.clone().unwrap();
    assert!(sandbox.no_new_privs && sandbox.seccomp, "{sandbox:?}");
    assert_confined(&mut tracer, &[Capability::Bpf]);
}

/// The victim's killer calls itself, and has an argument, as if its parent were another's.
fn quoted() {
    let mut tracer = Tracer::start(&[]);
    let mut victim = victim("sh", SECRETS[0]);
    let script = format!("printf 'sh[1]  <  ' > /proc/$$/comm; kill -9 {}; true", victim.pid());
    run(Command::new("sh").args(["-c", &script, "sh", "x  <  kubelet[812]", "why it's\nso"]));
    victim.wait();
    let incident = tracer.incident(victim.pid());
    assert_eq!(incident.sender.process.as_ref().unwrap().comm, "sh[1]  <  ");
    // Another scenario's kill may be like it, and stand for both.
    let only = ["--pid", &victim.pid().to_string()];
    wait_until("the incident is recorded", || text_of(&tracer, &only).contains("SIGKILL"));
    let text = text_of(&tracer, &only);
    let line = text
        .lines()
        .find(|line| line.trim_start().starts_with("by ") && line.contains("'sh[1]  <  '["))
        .unwrap_or_else(|| panic!("no such line: {text}"));
    assert!(line.contains(r"'x  <  kubelet[812]' $'why it\'s\nso'  <  "), "{line}");
    let verdict = incident.verdict.unwrap();
    assert!(verdict.summary.contains("'sh[1]  <  '["), "{}", verdict.summary);
}
