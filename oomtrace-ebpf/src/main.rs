//! oomtrace's kernel side: it records facts at its hooks and decides nothing beyond a cheap filter.
//!
//! One file a hook; `kernel/` holds the typed readers. Field offsets come from user space (see
//! `oomtrace_common::layout`). Kernel memory is read by `bpf_probe_read_kernel`, or by loads that the verifier allows by the
//! kernel's types; neither can fault.
#![no_std]
#![no_main]
#![warn(clippy::undocumented_unsafe_blocks)]

mod cgroup_change;
mod count;
mod globals;
mod kernel;
mod limit;
mod mark_victim;
mod oom_kill_process;
mod record;
mod room;
mod sched_process_exit;
mod signal_deliver;
mod signal_generate;
mod signals;
mod unix_connect;

#[cfg(not(test))]
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    // Nothing here panics: the verifier rejects a program in which this can be reached.
    loop {}
}

/// `bpf_probe_read_kernel` and the ring buffer are GPL-only helpers.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
