//! Programs that start processes and end them, and by what.

use crate::judge::judgement::Manager;
use crate::judge::senders::{is_installed, matches, program};
use crate::model::Incident;

mod timeout;

/// Such programs, inside containers too, and the limit of theirs that they kill by.
const MANAGERS: &[(&str, &str)] = &[
    ("gunicorn", "its worker time-out (--timeout)"),
    ("uwsgi", "its request time-out (harakiri)"),
    ("unicorn*", "its worker time-out"),
    ("puma*", "its worker time-out"),
    ("php-fpm*", "its request time-out (request_terminate_timeout)"),
    ("apache2", "its graceful shut-down time-out"),
    ("httpd", "its graceful shut-down time-out"),
    ("celery", "its hard time limit (--time-limit)"),
    ("supervisord", "its stop time-out (stopwaitsecs)"),
    ("circusd", "its graceful_timeout"),
    ("pm2", "its kill_timeout"),
    ("monit", "its stop time-out"),
    ("s6-supervise", "its timeout-kill"),
    ("s6-svscan", "its shut-down"),
    ("runsv", "a request (sv)"),
    ("tini", "its own end"),
    ("docker-init", "its own end"),
    ("dumb-init", "its own end"),
    ("catatonit", "its own end"),
];

/// The program that manages processes which the sender looks like, where it is the victim's parent, and the limit of it that ends them.
pub fn manager(incident: &Incident) -> Option<Manager> {
    let sender = incident.sender.process.as_ref()?;
    if incident.victim.process.ppid != Some(sender.pid) {
        return None;
    }
    let name = program(sender)?;
    if name == "timeout" && is_installed(sender, name) {
        let arguments = sender.cmdline.as_ref().filter(|_| !sender.cmdline_truncated)?.get(1..)?;
        return Some(Manager { program: "timeout", limit: timeout::limit(arguments)?.into() });
    }
    let (pattern, limit) = MANAGERS.iter().find(|(pattern, _)| matches(name, pattern))?;
    Some(Manager { program: pattern.trim_end_matches('*'), limit: (*limit).into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::judge::tests::run as process;
    use crate::model::Process;

    #[test]
    fn managers_are_known_anywhere_by_program_script_or_title_and_end_their_own_children() {
        let cgroup = format!("/docker/{}", "a".repeat(64));
        for (exe, cmdline, name) in [
            ("/usr/bin/python3.11", &["/usr/bin/python3", "/usr/bin/gunicorn", "app"][..], Some("gunicorn")),
            ("/usr/bin/python3.11", &["gunicorn: master [app:app]"], Some("gunicorn")),
            ("/usr/sbin/php-fpm8.2", &["php-fpm: master process"], Some("php-fpm")),
            ("/usr/bin/timeout", &["timeout", "-s", "KILL", "5", "sleep", "9"], Some("timeout")),
            ("/usr/bin/timeout", &["timeout", "5", "sleep", "9"], None),
            // Anybody's own.
            ("/home/u/timeout", &["timeout", "-s", "KILL", "5", "sleep", "9"], None),
            ("/usr/bin/python3.11", &["python3", "/srv/app.py"], None),
            ("/usr/bin/bash", &["gunicorn"], None),
        ] {
            let mut incident = crate::judge::tests::kill(exe);
            incident.sender.process = Some(Process { pid: 10, ..process(exe, &cgroup, cmdline) });
            incident.victim.process.ppid = Some(10);
            assert_eq!(manager(&incident).map(|m| m.program), name, "{exe} {cmdline:?}");
            // A process that it has nothing to do with.
            incident.victim.process.ppid = Some(11);
            assert_eq!(manager(&incident), None, "{exe} {cmdline:?}");
        }
    }
}
