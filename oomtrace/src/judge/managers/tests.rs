use super::*;
use crate::judge::tests::{kill, run as process, stop_signal};
use crate::model::Preceding;

const CONTAINER: &str = "/docker/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// `exe` with these arguments kills a child of its own.
fn own_child(exe: &str, cmdline: &[&str]) -> Incident {
    let mut incident = kill(exe);
    incident.sender.process = Some(Process { pid: 10, ..process(exe, CONTAINER, cmdline) });
    incident.victim.process.ppid = Some(10);
    incident
}

fn limit_of(exe: &str, cmdline: &[&str]) -> Option<String> {
    manager(&own_child(exe, cmdline)).map(|manager| format!("{}: {}", manager.program, manager.limit))
}

#[test]
fn managers_are_known_anywhere_by_program_script_or_title_and_end_their_own_children() {
    for (exe, cmdline, name) in [
        ("/usr/bin/python3.11", &["/usr/bin/python3", "/usr/bin/gunicorn", "app"][..], Some("gunicorn")),
        ("/usr/bin/python3.11", &["gunicorn: master [app:app]"], Some("gunicorn")),
        ("/usr/sbin/php-fpm8.2", &["php-fpm: master process"], Some("php-fpm")),
        ("/usr/bin/python3.11", &["python3", "/srv/app.py"], None),
        ("/usr/bin/bash", &["gunicorn"], None),
        ("/usr/bin/timeout", &["timeout", "-s", "KILL", "5", "sleep", "9"], None),
    ] {
        let mut incident = own_child(exe, cmdline);
        assert_eq!(manager(&incident).map(|m| m.program), name, "{exe} {cmdline:?}");
        // A process that it has nothing to do with.
        incident.victim.process.ppid = Some(11);
        assert_eq!(manager(&incident), None, "{exe} {cmdline:?}");
    }
}

#[test]
fn the_limit_is_the_one_that_the_command_line_gives() {
    let gunicorn = "/usr/bin/gunicorn";
    for (exe, cmdline, expected) in [
        (gunicorn, &["gunicorn", "app"][..], "gunicorn: its worker time-out (--timeout)"),
        (gunicorn, &["gunicorn", "--timeout", "2", "app"], "gunicorn: its worker time-out (--timeout 2)"),
        (gunicorn, &["gunicorn", "--timeout=2.5", "app"], "gunicorn: its worker time-out (--timeout 2.5)"),
        (gunicorn, &["gunicorn", "-t", "2", "-t", "3", "app"], "gunicorn: its worker time-out (--timeout 3)"),
        (gunicorn, &["gunicorn", "-t"], "gunicorn: its worker time-out (--timeout)"),
        (gunicorn, &["gunicorn", "-t", "$(x)"], "gunicorn: its worker time-out (--timeout)"),
        (gunicorn, &["gunicorn", "-t", "1000000000"], "gunicorn: its worker time-out (--timeout)"),
        (gunicorn, &["gunicorn", "-t", "100000000"], "gunicorn: its worker time-out (--timeout 100000000)"),
        (gunicorn, &["gunicorn", "--other", "5"], "gunicorn: its worker time-out (--timeout)"),
        ("/usr/bin/unicorn", &["unicorn", "--timeout", "5"], "unicorn: its worker time-out"),
        (
            "/usr/bin/python3.11",
            &["python3", "/usr/bin/celery", "worker", "--time-limit=60"],
            "celery: its hard time limit (--time-limit 60)",
        ),
    ] {
        assert_eq!(limit_of(exe, cmdline).as_deref(), Some(expected), "{cmdline:?}");
    }
}

#[test]
fn who_asked_to_stop_is_the_sender_itself_and_not_long_ago() {
    let asked = |pid: u32, signal: u32, before_ms: u64| {
        let stop = stop_signal("/usr/bin/supervisord");
        let sender = Process { pid, ..stop.sender.clone() };
        Preceding { signal, before_ms, sender, ..stop }
    };
    for (preceding, expected) in [
        (vec![asked(10, 15, 10_000)], Some((10_000, 10_000))),
        (vec![asked(10, 15, 10_000), asked(10, 2, 4_000)], Some((10_000, 4_000))),
        (vec![asked(9, 15, 10_000)], None),
        (vec![asked(10, 10, 10_000)], None),
        (vec![asked(10, 15, 3_600_001)], None),
        (vec![], None),
    ] {
        let mut incident = own_child("/usr/bin/supervisord", &["supervisord"]);
        incident.preceding = preceding;
        let found = stop(&incident).map(|stop| (stop.first_before_ms, stop.before_ms));
        assert_eq!(found, expected, "{:?}", incident.preceding);
    }
}

#[test]
fn timeout_is_known_where_it_is_installed_and_by_what_it_was_told() {
    let kill_5 = &["timeout", "-s", "KILL", "5", "sleep", "9"][..];
    for (exe, cmdline, found) in [
        ("/usr/bin/timeout", kill_5, Some(("5", None))),
        ("/bin/timeout", &["timeout", "-k", "3", "2m", "sleep", "9"], Some(("2m", Some("3")))),
        ("/usr/bin/timeout", &["timeout", "5", "sleep", "9"], None),
        ("/usr/bin/coreutils", kill_5, Some(("5", None))),
        ("/bin/toybox", kill_5, Some(("5", None))),
        ("/bin/toybox", &["toybox", "timeout", "-s", "KILL", "5", "sleep", "9"], Some(("5", None))),
        ("/bin/toybox", &["toybox", "sleep", "timeout", "9"], None),
        // Anybody's own.
        ("/home/u/timeout", kill_5, None),
        ("/usr/bin/x/timeout", kill_5, None),
        ("/usr/bin/bash", kill_5, None),
        ("/usr/bin/timeout", &[], None),
    ] {
        let mut incident = own_child(exe, cmdline);
        let short = |incident: &Incident| time_limit(incident).map(|limit| (limit.duration, limit.kill_after));
        let expected = found.map(|(duration, after)| (duration.to_owned(), after.map(str::to_owned)));
        assert_eq!(short(&incident), expected, "{exe} {cmdline:?}");
        // Itself.
        (incident.victim.process.ppid, incident.victim.process.pid) = (Some(1), 10);
        assert_eq!(short(&incident), expected, "{exe} {cmdline:?}");
        incident.victim.process.pid = 20;
        assert_eq!(short(&incident), None, "{exe} {cmdline:?}");
        incident.victim.process.ppid = Some(10);
        incident.sender.process.as_mut().unwrap().cmdline_truncated = true;
        assert_eq!(short(&incident), None, "{exe} {cmdline:?}");
    }
}

/// Its child is the process that watches the time, and the command its grandparent.
#[test]
fn busyboxs_timeout_is_known_by_the_command_that_it_ended() {
    let command = ["timeout", "-s", "KILL", "5", "sleep", "9"];
    for (victim, is_its) in [
        (&["sleep", "9"][..], true),
        (&["/bin/sh", "sleep", "9"], true),
        (&["sleep", "8"], false),
        (&["9"], false),
        (&[], false),
    ] {
        let mut incident = own_child("/bin/busybox", &command);
        incident.victim.process.ppid = Some(1);
        incident.victim.process.cmdline = Some(victim.iter().map(|word| (*word).to_owned()).collect());
        let found = time_limit(&incident);
        assert_eq!(found.is_some(), is_its, "{victim:?}");
        assert!(found.is_none_or(|limit| limit.command == command));
    }
    let mut unknown = own_child("/bin/busybox", &command);
    unknown.victim.process.cmdline = None;
    assert_eq!(time_limit(&unknown), None);
}
