//! Servers and workers in Ruby.

use crate::text::bytes;
use crate::words::advice::program::{Program, Setting};

pub fn setting(program: &Program<'_>) -> Option<Setting> {
    let title = program.args.first().map(String::as_str).unwrap_or_default();
    let is_ruby = program.exe.starts_with("ruby") || title.starts_with("puma") || title.starts_with("sidekiq ");
    if !is_ruby {
        return None;
    }
    let limit = bytes(program.limit);
    let fewer = if title.starts_with("sidekiq ") || program.is("sidekiq") {
        let now = program.option(&["-c", "--concurrency"]).and_then(|count| count.parse::<u64>().ok());
        Some(format!("lower --concurrency{}", now.map(|count| format!(" (now {count})")).unwrap_or_default()))
    } else if title.starts_with("puma: cluster") || program.is("puma") || program.is("unicorn") {
        let now = program.option(&["-w", "--workers"]).and_then(|count| count.parse().ok());
        let fit = program.fitting(now).map(|count| format!(" to {count}")).unwrap_or_default();
        Some(format!("lower the number of workers{fit} (WEB_CONCURRENCY, --workers)"))
    } else {
        None
    };
    let fewer = fewer.map(|fewer| format!("; {fewer}")).unwrap_or_default();
    Some(Setting {
        action: format!("set MALLOC_ARENA_MAX=2, or run it with jemalloc{fewer}"),
        why: format!(
            "glibc keeps memory that Ruby's threads have freed in up to 8 arenas a processor, within {limit} as well"
        ),
        at_fault: false,
    })
}
