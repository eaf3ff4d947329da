//! The part of a kernel stack that belongs to what sent a signal: what lies below the entry of an interrupt, an exception or a
//! softirq only happened to run there.

/// Names that end in `*` are prefixes. Where system calls enter needs no name: nothing lies below.
const ENTRIES: &[&str] = &[
    // x86-64 from 5.8 on: arch/x86/include/asm/idtentry.h. With FRED (6.9): arch/x86/entry/entry_fred.c.
    "asm_*",
    "sysvec_*",
    "__sysvec_*",
    "exc_*",
    "common_interrupt",
    "__common_interrupt",
    "fred_*",
    // Before, and where the stubs' own symbols begin and end a section.
    "apic_timer_interrupt",
    "smp_apic_timer_interrupt",
    "reschedule_interrupt",
    "call_function_interrupt",
    "call_function_single_interrupt",
    "irq_work_interrupt",
    "ret_from_intr",
    "do_IRQ",
    "page_fault",
    "async_page_fault",
    "do_page_fault",
    "__irqentry_text_start",
    "__entry_text_start",
    "error_entry",
    "nmi",
    "end_repeat_nmi",
    // arm64: arch/arm64/kernel/entry.S and entry-common.c; el0_irq, el1_irq and el1_sync are those of 5.10. Its system calls enter by
    // el0t_64_sync (el0_sync), below which nothing lies.
    "el1h_*",
    "el1t_*",
    "el1_*",
    "el0t_64_irq*",
    "el0t_32_irq*",
    "el0t_64_fiq*",
    "el0t_64_error*",
    "el0_irq",
    "el0_interrupt",
    "el0_da",
    "el0_ia",
    "__el0_irq_handler_common",
    "do_interrupt_handler",
    "call_on_irq_stack",
    "gic_handle_irq",
    "do_mem_abort",
    "handle_domain_irq",
    "__handle_domain_irq",
    // What interrupts run, on every architecture: kernel/softirq.c, kernel/irq, kernel/irq_work.c, kernel/smp.c, kernel/time.
    "handle_softirqs",
    "__do_softirq",
    "__softirqentry_text_start",
    "do_softirq*",
    "run_ksoftirqd",
    "invoke_softirq",
    "irq_exit*",
    "__irq_exit*",
    "__local_bh_enable_ip",
    "irqentry_*",
    "generic_handle_domain_irq",
    "generic_handle_arch_irq",
    "handle_irq_event*",
    "irq_work_run*",
    "irq_work_single",
    "flush_smp_call_function_queue",
    "__flush_smp_call_function_queue",
    "generic_smp_call_function_single_interrupt",
    "hrtimer_interrupt",
    "hrtimer_run_softirq",
    "__hrtimer_run_queues",
    "run_timer_softirq",
    "call_timer_fn",
    "update_process_times",
    "tick_*",
];

/// The innermost part of a stack, up to where it was entered by an interrupt and its like, that function included.
#[must_use]
pub fn own(symbols: &[String]) -> &[String] {
    let entry = symbols.iter().position(|symbol| is_entry(symbol));
    entry.and_then(|at| symbols.get(..=at)).unwrap_or(symbols)
}

fn is_entry(symbol: &str) -> bool {
    let base = base(symbol);
    ENTRIES.iter().any(|entry| match entry.strip_suffix('*') {
        Some(start) => base.starts_with(start),
        None => base == *entry,
    })
}

/// `symbol` is the function `marker`, or a part of it that the compiler split off (`oom_kill_process.cold`); for a system call, with
/// the architecture's prefix (`__x64_sys_kill`, `__se_sys_kill`).
#[must_use]
pub fn is(symbol: &str, marker: &str) -> bool {
    let base = base(symbol);
    base == marker
        || (marker.starts_with("sys_")
            && base.starts_with("__")
            && base.strip_suffix(marker).is_some_and(|before| before.ends_with('_')))
}

fn base(symbol: &str) -> &str {
    symbol.split_once('.').map_or(symbol, |(base, _)| base)
}
