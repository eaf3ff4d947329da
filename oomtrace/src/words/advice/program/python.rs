//! Servers and workers in Python: so many processes, each of which grows. Python itself has no bound to set.

use crate::text::bytes;
use crate::words::advice::program::{Program, Setting};

pub fn setting(program: &Program<'_>) -> Option<Setting> {
    if program.is("gunicorn") {
        return Some(workers(
            program,
            "--workers",
            &["-w", "--workers"],
            "--max-requests 1000 has each worker begin anew",
        ));
    }
    if program.exe == "uwsgi" || program.is("uwsgi") {
        let each = program.share_mib(80) / set(program, &["-p", "--processes", "--workers"]).unwrap_or(1).max(1);
        let anew = format!("--reload-on-rss {} has a worker begin anew that has grown", each.max(1));
        return Some(workers(program, "--processes", &["-p", "--processes", "--workers"], &anew));
    }
    // `celery: …` is the title of celery[setproctitle]: [celeryd: celery@host:MainProcess].
    let is_titled = program.args.first().is_some_and(|title| title.starts_with("[celeryd:"));
    if is_titled || program.is("celery") {
        let count = set(program, &["-c", "--concurrency"]);
        let each_kib = (program.share_mib(80) / count.unwrap_or(1).max(1)).max(1) << 10;
        let anew = format!("--max-memory-per-child {each_kib} (KiB) has a child begin anew that has grown");
        return Some(workers(program, "--concurrency", &["-c", "--concurrency"], &anew));
    }
    None
}

fn set(program: &Program<'_>, names: &[&str]) -> Option<u64> {
    program.option(names)?.parse().ok()
}

/// Fewer of them, or each for a shorter time.
fn workers(program: &Program<'_>, option: &str, names: &[&str], anew: &str) -> Setting {
    let count = set(program, names);
    let now = count.map(|count| format!(" (now {count})")).unwrap_or_default();
    let fit = program.fitting(count).map(|count| format!(" to {count}")).unwrap_or_default();
    let size = program.own.map(|own| format!(": this one had {}", bytes(own))).unwrap_or_default();
    Setting {
        action: format!("lower {option}{now}{fit}; {anew}"),
        why: format!("each worker has memory of its own, and all share {}{size}", bytes(program.limit)),
        at_fault: false,
    }
}
