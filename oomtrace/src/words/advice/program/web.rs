//! Web servers: workers for each processor of the machine.

use crate::text::bytes;
use crate::words::advice::program::{Program, Setting};

pub fn setting(program: &Program<'_>) -> Option<Setting> {
    let (setting, counted) = match program.exe {
        "nginx" => ("worker_processes", "auto counts the machine's processors, not what the container may use"),
        "apache2" | "httpd" => ("MaxRequestWorkers", "each connection has a worker with memory of its own"),
        _ => return None,
    };
    let fit = program.fitting(None).filter(|_| program.own.is_some_and(|own| own < program.limit / 2));
    let number = fit.map(|fit| format!(" to {fit}")).unwrap_or_default();
    Some(Setting {
        action: format!("lower {setting}{number}"),
        why: format!("{counted}; all share {}", bytes(program.limit)),
        at_fault: false,
    })
}
