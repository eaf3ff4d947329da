//! Loads one program and attaches it, by the way that the kernel allows.

use std::path::Path;

use aya::Ebpf;
use aya::programs::{FEntry, KProbe, Program, ProgramError, RawTracePoint};

use super::hook::{Absent, Hook};
use super::layout::KernelLayout;

/// What perf_event_open(2) attaches kprobes through (4.17); absent without CONFIG_KPROBES.
const KPROBE_PMU: &str = "/sys/bus/event_source/devices/kprobe";

/// Loads the hook's program and attaches it; else why not, in words.
pub fn attach(ebpf: &mut Ebpf, layout: &KernelLayout, hook: Hook, without: &[Absent]) -> Result<(), String> {
    match hook {
        Hook::OomKillProcess => return attach_function(ebpf, without),
        Hook::SignalGenerate if !layout.signal_generate => {
            return Err("this kernel's type information has no signal_generate with the arguments known".to_owned());
        }
        Hook::MarkVictim if layout.mark_victim.is_none() => {
            return Err("this kernel's type information has no mark_victim".to_owned());
        }
        Hook::SchedProcessExit if layout.process_exit.is_none() => {
            return Err("this kernel's type information has no sched_process_exit".to_owned());
        }
        Hook::SignalDeliver if !layout.signal_deliver => {
            return Err("this kernel's type information has no signal_deliver".to_owned());
        }
        _ => {}
    }
    let program = program(ebpf, hook.name())?;
    let program: &mut RawTracePoint = program.try_into().map_err(|e: ProgramError| e.to_string())?;
    program.load().map_err(|e| describe(&e))?;
    program.attach(hook.name()).map_err(|e| describe(&e))?;
    Ok(())
}

/// `oom_kill_process` is a function and no tracepoint. It runs once an OOM kill, so a kprobe's price does not matter, and
/// unlike fentry a kprobe needs no second reading of BTF, which takes some 30 ms.
fn attach_function(ebpf: &mut Ebpf, without: &[Absent]) -> Result<(), String> {
    let no_kprobe = match by_kprobe(ebpf, without) {
        Ok(()) => return Ok(()),
        Err(why) => why,
    };
    by_fentry(ebpf, without).map_err(|no_fentry| format!("{no_kprobe}; {no_fentry}"))
}

fn by_kprobe(ebpf: &mut Ebpf, without: &[Absent]) -> Result<(), String> {
    if without.contains(&Absent::Kprobe) {
        return Err("kprobes are left out by --without".to_owned());
    }
    if !Path::new(KPROBE_PMU).exists() {
        return Err("this kernel has no kprobes".to_owned());
    }
    let program: &mut KProbe =
        program(ebpf, "oom_kill_process")?.try_into().map_err(|e: ProgramError| e.to_string())?;
    program.load().map_err(|e| describe(&e))?;
    program.attach("oom_kill_process", 0).map_err(|e| chain(&e))?;
    Ok(())
}

/// x86 5.5, arm64 6.4; needs CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS.
fn by_fentry(ebpf: &mut Ebpf, without: &[Absent]) -> Result<(), String> {
    if without.contains(&Absent::Fentry) {
        return Err("fentry is left out by --without".to_owned());
    }
    let btf = aya::Btf::from_sys_fs().map_err(|e| chain(&e))?;
    let program = program(ebpf, "oom_kill_process_fentry")?;
    let program: &mut FEntry = program.try_into().map_err(|e: ProgramError| e.to_string())?;
    let failed = |error: ProgramError| format!("fentry: {}", describe(&error));
    program.load("oom_kill_process", &btf).map_err(failed)?;
    program.attach().map_err(failed)?;
    Ok(())
}

fn program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Program, String> {
    ebpf.program_mut(name).ok_or_else(|| format!("the kernel side has no program {name}"))
}

/// An error with its causes on one line; the verifier's log goes to the debug log.
fn describe(error: &ProgramError) -> String {
    if let ProgramError::LoadError { io_error, verifier_log } = error {
        log::debug!("verifier: {verifier_log}");
        return format!("the kernel refused the program: {io_error}");
    }
    chain(error)
}

/// An error and its causes on one line, without repeating what a cause's text already says.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        cause = error.source();
    }
    text
}
