//! Programs that start processes and end them, in containers too: by which limit of theirs they do so, and what changes that.

/// What is known of one of them.
pub struct ProcessManager {
    /// Its file's name; one that ends in `*` is the beginning of a name.
    pub program: &'static str,
    /// The limit that it kills by.
    pub limit: &'static str,
    /// Options of its command line that set the limit.
    pub options: &'static [&'static str],
    pub remedy: Remedy,
}

/// What to do about its kills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// It ends what it manages when it ends itself, or is asked to: nothing is to be set.
    None,
    /// How the limit is set is not known here.
    Limit,
    /// This, in words.
    Set(&'static str),
}

impl ProcessManager {
    /// Its name, without what marks a beginning.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.program.trim_end_matches('*')
    }
}

/// By the name that [`ProcessManager::name`] gives.
#[must_use]
pub fn named(name: &str) -> Option<&'static ProcessManager> {
    ALL.iter().find(|manager| manager.name() == name)
}

const fn manager(
    program: &'static str,
    limit: &'static str,
    options: &'static [&'static str],
    remedy: Remedy,
) -> ProcessManager {
    ProcessManager { program, limit, options, remedy }
}

/// All of them.
pub static ALL: [ProcessManager; 33] = [
    manager(
        "gunicorn",
        "its worker time-out (--timeout)",
        &["--timeout", "-t"],
        Remedy::Set(
            "raise --timeout (timeout in gunicorn.conf.py; 30 s without it), or find out what kept the worker busy: its log says WORKER TIMEOUT",
        ),
    ),
    manager(
        "uwsgi",
        "its request time-out (harakiri)",
        &["--harakiri", "-t"],
        Remedy::Set("raise harakiri in its ini file, or make the request quicker"),
    ),
    manager(
        "unicorn*",
        "its worker time-out",
        &[],
        Remedy::Set("raise timeout in unicorn.rb, or make the request quicker"),
    ),
    manager(
        "puma*",
        "its worker time-out",
        &[],
        Remedy::Set("raise worker_timeout in puma.rb, or find out what kept the worker from its check-in"),
    ),
    manager(
        "uvicorn",
        "its health check of workers (--timeout-worker-healthcheck)",
        &["--timeout-worker-healthcheck"],
        Remedy::Limit,
    ),
    manager("hypercorn", "its graceful time-out (--graceful-timeout)", &["--graceful-timeout"], Remedy::Limit),
    manager("granian", "its worker time-out (--workers-kill-timeout)", &["--workers-kill-timeout"], Remedy::Limit),
    manager(
        "php-fpm*",
        "its request time-out (request_terminate_timeout)",
        &[],
        Remedy::Set("raise request_terminate_timeout in the pool's file, or make the request quicker"),
    ),
    // In every edition it kills what has not ended 60 s after it was asked to (PROCESS_SHUTDOWN_TIMEOUT, 4.0 to 6.0).
    manager(
        "PassengerAgent",
        "its request time-out (max_request_time), or its shut-down",
        &[],
        Remedy::Set(
            "read its log: the process did not shut down within 1 minute, or, in the Enterprise edition, took longer for a request than \
             max_request_time allows (PassengerMaxRequestTime in Apache): raise that, or make the request quicker",
        ),
    ),
    manager(
        "apache2",
        "its graceful shut-down time-out",
        &[],
        Remedy::Set("raise GracefulShutdownTimeout, or make the requests quicker"),
    ),
    manager(
        "httpd",
        "its graceful shut-down time-out",
        &[],
        Remedy::Set("raise GracefulShutdownTimeout, or make the requests quicker"),
    ),
    manager(
        "postgres",
        "its immediate shut-down, or another server process's crash",
        &[],
        Remedy::Set("read the server's log: another of its processes crashed, or it was stopped in immediate mode"),
    ),
    manager(
        "celery",
        "its hard time limit (--time-limit)",
        &["--time-limit"],
        Remedy::Set("raise task_time_limit (--time-limit), or make the task quicker"),
    ),
    manager("resque*", "its worker's time-out (RESQUE_TERM_TIMEOUT)", &[], Remedy::Limit),
    manager(
        "supervisord",
        "its stop time-out (stopwaitsecs)",
        &[],
        Remedy::Set("raise stopwaitsecs of the program's section in supervisord.conf, or have it end at stopsignal"),
    ),
    manager(
        "circusd",
        "its graceful_timeout",
        &[],
        Remedy::Set("raise graceful_timeout of the watcher, or have it end at its stop_signal"),
    ),
    manager(
        "pm2",
        "its kill_timeout",
        &[],
        Remedy::Set("raise kill_timeout (ms) in ecosystem.config.js, or have it end at SIGINT"),
    ),
    manager("God Daemon", "its kill_timeout", &[], Remedy::Limit),
    manager("foreman", "its shut-down time-out (--timeout)", &["--timeout", "-t"], Remedy::Limit),
    manager("honcho", "its shut-down time-out (5 s)", &[], Remedy::Limit),
    manager("overmind", "its shut-down time-out (--timeout)", &["--timeout", "-t"], Remedy::Limit),
    manager(
        "monit",
        "its stop time-out",
        &[],
        Remedy::Set("give its stop program a longer timeout, or have it end sooner"),
    ),
    manager(
        "s6-supervise",
        "its timeout-kill",
        &[],
        Remedy::Set("raise the number in the service's timeout-kill file (ms), or have it end sooner"),
    ),
    manager("s6-svscan", "its shut-down", &[], Remedy::None),
    manager("runsv", "a request (sv)", &[], Remedy::None),
    manager("dinit", "its stop-timeout", &[], Remedy::Limit),
    manager("slurmstepd", "its job's time limit, or a cancellation (scancel)", &[], Remedy::Limit),
    manager("condor_starter", "its job's limit or removal (condor_rm)", &[], Remedy::Limit),
    manager("pbs_mom", "its job's limit or deletion (qdel)", &[], Remedy::Limit),
    manager("tini", "its own end", &[], Remedy::None),
    manager("docker-init", "its own end", &[], Remedy::None),
    manager("dumb-init", "its own end", &[], Remedy::None),
    manager("catatonit", "its own end", &[], Remedy::None),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_one_entry_that_is_found_by_its_name() {
        for manager in &ALL {
            let same = ALL.iter().filter(|other| other.name() == manager.name()).count();
            let found = named(manager.name()).map(|found| found.limit);
            assert_eq!((same, found), (1, Some(manager.limit)), "{}", manager.program);
        }
    }
}
