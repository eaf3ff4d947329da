//! PHP-FPM.

use crate::text::bytes;
use crate::words::advice::program::{Program, Setting};

pub fn setting(program: &Program<'_>) -> Option<Setting> {
    let (_, rest) = program.title().filter(|(name, _)| name.starts_with("php-fpm"))?;
    // The pool's name comes from its configuration.
    let pool =
        rest.strip_prefix("pool ").map(|pool| format!(" of pool {}", crate::text::quote::quote(pool.trim_end())));
    let pool = pool.unwrap_or_default();
    Some(match program.fitting(None).filter(|_| program.own.is_some_and(|own| own < program.limit / 2)) {
        Some(fit) => Setting {
            action: format!("set pm.max_children = {fit}{pool}; memory_limit bounds each"),
            why: format!(
                "a child had {}, and {fit} of those have room in {}",
                bytes(program.own.unwrap_or_default()),
                bytes(program.limit)
            ),
            at_fault: false,
        },
        None => Setting {
            action: format!("lower memory_limit or pm.max_children{pool}"),
            why: format!("pm.max_children times memory_limit is what they may take of {}", bytes(program.limit)),
            at_fault: false,
        },
    })
}
