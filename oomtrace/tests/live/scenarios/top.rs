//! `oomtrace top` on a terminal, and once.

use std::process::{Command, Output};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::Scenario;
use crate::support::cgroup::Cgroup;
use crate::support::docker::{Container, docker, socket};
use crate::support::needs::Need::{Alone, Docker, MemoryCgroup, Tmux as HasTmux, Tracing};
use crate::support::process::{run, wait_until};
use crate::support::tmux::Tmux;
use crate::support::tracer::{binary, command};

pub const ALL: &[Scenario] = &[
    Scenario {
        name: "top::a_container_climbs_is_killed_and_is_read_about",
        // It opens the latest kill of all that there are.
        needs: &[Alone, Tracing, Docker, HasTmux],
        run: killed,
    },
    Scenario {
        name: "top::the_terminal_is_given_back_however_it_ends",
        needs: &[Tracing, MemoryCgroup, HasTmux],
        run: given_back,
    },
    Scenario {
        name: "top::without_privileges_memory_is_shown_all_the_same",
        needs: &[Tracing, MemoryCgroup, HasTmux],
        run: memory_alone,
    },
    Scenario { name: "top::once_is_a_table_and_an_object", needs: &[Tracing, Docker], run: once },
    Scenario { name: "top::what_is_no_terminal_is_told_what_to_do", needs: &[Tracing], run: no_terminal },
];

/// A MiB of a shell's variables each, until a signal lets it go on.
const CLIMB: &str = "trap 'go=1' USR1; x=0123456789abcdef; for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16; do x=$x$x; done; i=0; \
                     while :; do i=$((i+1)); eval \"v$i=\\$x\"; sleep 0.2; if [ $i -ge 20 ]; then while [ -z \"$go\" ]; do sleep 0.2; done; fi; done";

/// On the command line of a shell.
fn top(arguments: &str) -> String {
    let socket = socket().map(|socket| format!("--docker-socket {}", socket.display())).unwrap_or_default();
    format!("{} top --sandbox=strict {socket} {arguments}\n", binary().display())
}

/// The shell has its screen back, and shows what is typed.
fn is_back(tmux: &Tmux) {
    // What is typed before its end is for nobody: the shell is there once it asks.
    tmux.wait_until("the terminal is given back", |screen| {
        let asks = screen.trim_end().ends_with(['$', '#']);
        asks && tmux.ask("alternate_on") == "0" && tmux.ask("cursor_flag") == "1"
    });
    tmux.write("echo back-$((40+2))\n");
    let screen = tmux.wait_for("back-42");
    assert!(screen.contains("echo back-"), "what is typed is not seen:\n{screen}");
}

fn killed() {
    let container = Container::run(&["--memory", "32m", "--memory-swap", "32m"], CLIMB);
    let other = Container::run(&["--memory", "64m"], "sleep 1000");
    let tmux = Tmux::start(100, 24);
    tmux.write(&top(""));
    // It is near its limit first, with a bar, a share and a curve; the other one comes behind.
    let climbs = |screen: &str| {
        let at = |name: &str| screen.lines().position(|line| line.contains(name));
        let line = screen.lines().find(|line| line.contains(&container.name)).unwrap_or_default();
        let is_drawn = line.contains('█')
            && line.contains("32 MiB")
            && line.chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c));
        let share = line.split_whitespace().find_map(|word| word.strip_suffix('%')?.parse::<u32>().ok());
        is_drawn && share.is_some_and(|share| share > 50) && at(&container.name) < at(&other.name)
    };
    tmux.wait_until("the container climbs on the screen", climbs);
    run(docker().args(["kill", "--signal", "USR1", &container.name]));
    tmux.wait_for("OOM KILL");
    tmux.press("Tab");
    tmux.press("Enter");
    let screen = tmux.wait_for("update --memory");
    assert!(
        screen.contains(&container.name) && screen.contains("limit") && screen.contains("Esc goes back"),
        "{screen}"
    );
    tmux.press("Escape");
    tmux.wait_for("q leaves");
    tmux.write("/");
    tmux.write(&other.name);
    tmux.press("Enter");
    let is_filtered = |screen: &str| screen.contains(&other.name) && !screen.contains(&container.name);
    tmux.wait_until("the filter leaves the other one alone", is_filtered);
    tmux.press("Escape");
    tmux.wait_for(&container.name);
    for (size, said) in [((60, 12), "oomtrace top"), ((30, 6), "is the least"), ((160, 40), "LAST KILL")] {
        tmux.resize(size.0, size.1);
        tmux.wait_for(said);
    }
    tmux.write("?");
    tmux.wait_for("Columns");
    tmux.write("qq");
    is_back(&tmux);
    assert!(tmux.screen().contains(" incident"), "{}", tmux.screen());
}

/// The process that is in the foreground there.
fn pid_of_top(tmux: &Tmux) -> Pid {
    let shell = tmux.ask("pane_pid");
    let mut found = None;
    wait_until("oomtrace runs", || {
        let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).unwrap_or_default();
        found = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
        found.is_some()
    });
    Pid::from_raw(found.unwrap())
}

fn given_back() {
    let tmux = Tmux::start(80, 24);
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        tmux.write(&top(""));
        tmux.wait_for("q leaves");
        kill(pid_of_top(&tmux), signal).unwrap();
        is_back(&tmux);
        tmux.write("clear\n");
    }
    tmux.write(&top(""));
    tmux.wait_for("q leaves");
    tmux.press("C-c");
    is_back(&tmux);
    tmux.write("clear\n");
    // Put aside, and brought back.
    tmux.write("set -m\n");
    tmux.write(&top(""));
    tmux.wait_for("q leaves");
    tmux.press("C-z");
    is_back(&tmux);
    tmux.write("fg\n");
    tmux.wait_for("q leaves");
    assert_eq!(tmux.ask("alternate_on"), "1");
    tmux.press("Escape");
    is_back(&tmux);
}

/// Another user may read what memory cgroups have, and load nothing into the kernel.
fn memory_alone() {
    let cgroup = Cgroup::with_memory_limit(64 << 20);
    let tmux = Tmux::start(80, 24);
    // A program where everybody may start it.
    let directory = tempfile::tempdir().unwrap();
    let program = directory.path().join("oomtrace");
    std::fs::copy(binary(), &program).unwrap();
    run(Command::new("chmod").args(["-R", "a+rx"]).arg(directory.path()));
    tmux.write(&format!("setpriv --reuid 65534 --regid 65534 --clear-groups {} top\n", program.display()));
    let screen = tmux.wait_for("kills are not seen here");
    assert!(screen.contains("oomtrace top"), "{screen}");
    tmux.write("q");
    is_back(&tmux);
    drop(cgroup);
}

fn printed(arguments: &[&str]) -> Output {
    let mut command = command();
    command.args(["top", "--once"]).args(arguments);
    if let Some(socket) = socket() {
        command.arg("--docker-socket").arg(socket);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

fn once() {
    let container = Container::run(&["--memory", "64m"], "sleep 1000");
    let text = String::from_utf8(printed(&[]).stdout).unwrap();
    assert!(text.starts_with("NAME") && !text.contains('\x1b'), "{text}");
    assert!(text.lines().any(|line| line.starts_with(&container.name) && line.contains("64 MiB")), "{text}");
    let top: Value = serde_json::from_slice(&printed(&["--json", "--container", &container.name]).stdout).unwrap();
    let entries = top["entries"].as_array().unwrap();
    assert_eq!(entries.len(), 1, "{top:#}");
    let entry = &entries[0];
    assert_eq!(
        (entry["name"].as_str(), entry["container"]["id"].as_str()),
        (Some(container.name.as_str()), Some(container.id.as_str()))
    );
    assert_eq!(
        (entry["memory"]["level"].as_str(), entry["memory"]["latest"]["limit_bytes"].as_u64()),
        (Some("container"), Some(64 << 20))
    );
    assert!(entry["memory"]["latest"]["usage_bytes"].as_u64() > Some(0) && entry["last_kill"].is_null(), "{entry:#}");
}

fn no_terminal() {
    for (arguments, status, said) in [
        (["top", "--no-redact"], 2, "oomtrace top --once"),
        (["top", "--json"], 2, "top --once --json"),
        (["top", "--no-curves"], 2, "--no-curves"),
    ] {
        let output = command().args(arguments).output().unwrap();
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(status) && text.contains(said), "{arguments:?}: {text}");
    }
}
