//! Loads a hook's programs and attaches them, by the way that the kernel allows.

use std::collections::HashMap;
use std::path::Path;

use aya::programs::{BtfTracePoint, FEntry, KProbe, Program, ProgramError, RawTracePoint};
use aya::{Btf, Ebpf};
use oomtrace_common::settings::USUAL;

use crate::probe::hook::{Absent, Hook};
use crate::probe::layout::KernelLayout;
use crate::probe::load::Options;

/// What perf_event_open(2) attaches kprobes through (4.17); absent without CONFIG_KPROBES.
const KPROBE_PMU: &str = "/sys/bus/event_source/devices/kprobe";

/// Attaches hook after hook.
pub struct Attacher<'a> {
    /// By name.
    programs: HashMap<&'a str, &'a mut Program>,
    layout: &'a KernelLayout,
    /// What programs are attached to, by number, as aya takes it; else why not.
    types: &'a Result<Btf, String>,
    without: &'a [Absent],
    /// The programs for `signal_generate`.
    signals: Signals<&'static str, &'static str>,
    /// Why fentry is no use here: a kernel that refuses it for one function does for all.
    no_fentry: Option<String>,
    /// Why `signal_generate` is not read by the kernel's types, where it is attached another way.
    pub untyped: Option<String>,
}

/// Two programs for one tracepoint: the one reads kernel memory by its types, which the verifier has to know (5.11); the other by
/// a helper's calls, which cost more than twice as much time at each signal that is recorded.
struct Signals<Typed, Probed> {
    typed: Typed,
    probed: Probed,
}

/// A kernel function that is hooked, and its programs.
struct Function {
    name: &'static str,
    /// Takes a raw tracepoint instead, where there is one, and the kernel has it.
    or_tracepoint: Option<&'static str>,
}

impl<'a> Attacher<'a> {
    pub fn new(
        ebpf: &'a mut Ebpf,
        layout: &'a KernelLayout,
        types: &'a Result<Btf, String>,
        options: &'a Options,
    ) -> Self {
        let signals = if options.asked() & !USUAL == 0 {
            Signals { typed: "signal_generate_typed", probed: "signal_generate" }
        } else {
            Signals { typed: "signal_generate_any_typed", probed: "signal_generate_any" }
        };
        let programs = ebpf.programs_mut().collect();
        Self { programs, layout, types, without: &options.without, signals, no_fentry: None, untyped: None }
    }

    /// Loads the programs of `hooks` and attaches them; else why not, in words.
    ///
    /// The kernel needs more time to verify `signal_generate` than all the others, so that has a thread of its own meanwhile.
    pub fn attach_all(&mut self, hooks: &[Hook]) -> Vec<(Hook, Result<(), String>)> {
        let largest = Hook::SignalGenerate;
        let is_wanted = hooks.contains(&largest) && self.known(largest).is_ok();
        let ahead = is_wanted.then(|| self.take_signals()).flatten();
        let types = self.types;
        std::thread::scope(|scope| {
            let attaching = ahead.map(|programs| scope.spawn(|| attach_signals(programs, types)));
            let others = hooks.iter().filter(|hook| attaching.is_none() || **hook != largest);
            let mut results: Vec<_> = others.map(|hook| (*hook, self.attach(*hook))).collect();
            if let Some(thread) = attaching {
                let panicked = |_| Err("the thread that attaches it panicked".to_owned());
                let result = thread.join().unwrap_or_else(panicked);
                results.push((largest, result.map(|untyped| self.untyped = untyped)));
            }
            results
        })
    }

    /// The programs for `signal_generate`; that by types only where it is wanted.
    fn take_signals(&mut self) -> Option<Signals<Result<&'a mut Program, String>, &'a mut Program>> {
        let typed = match self.programs.remove(self.signals.typed) {
            _ if self.without.contains(&Absent::TpBtf) => Err("left out by --without".to_owned()),
            typed => typed.ok_or_else(|| no_program(self.signals.typed)),
        };
        Some(Signals { typed, probed: self.programs.remove(self.signals.probed)? })
    }

    /// Why this kernel, or whoever started oomtrace, does not want the hook.
    fn known(&self, hook: Hook) -> Result<(), String> {
        if self.without.contains(&Absent::Hook(hook)) {
            return Err("left out by --without".to_owned());
        }
        let is_known = match hook {
            Hook::SignalGenerate => self.layout.signal_generate,
            Hook::MarkVictim => self.layout.mark_victim.is_some(),
            Hook::SchedProcessExit => self.layout.process_exit.is_some(),
            Hook::SignalDeliver => self.layout.signal_deliver,
            Hook::Cgroups => self.layout.cgroups,
            Hook::OomKillProcess | Hook::UnixConnect => true,
        };
        let name = tracepoints(hook).first().unwrap_or(&"");
        is_known
            .then_some(())
            .ok_or_else(|| format!("this kernel's type information has no {name} with the arguments known"))
    }

    fn attach(&mut self, hook: Hook) -> Result<(), String> {
        self.known(hook)?;
        match hook {
            Hook::OomKillProcess => self.function(&Function { name: "oom_kill_process", or_tracepoint: None }),
            Hook::UnixConnect => {
                let or_tracepoint = self.layout.sk_data_ready.then_some("sk_data_ready");
                self.function(&Function { name: "security_unix_stream_connect", or_tracepoint })
            }
            _ => tracepoints(hook).iter().try_for_each(|name| self.tracepoint(name)),
        }
    }

    fn tracepoint(&mut self, name: &str) -> Result<(), String> {
        attach(self.programs.get_mut(name).ok_or_else(|| no_program(name))?, name)
    }

    /// These functions run rarely, so that a kprobe's price does not matter, and more kernels have it than fentry.
    fn function(&mut self, function: &Function) -> Result<(), String> {
        let Err(no_kprobe) = self.kprobe(function.name) else { return Ok(()) };
        let Err(no_fentry) = self.fentry(function.name) else { return Ok(()) };
        let why = format!("{no_kprobe}; {no_fentry}");
        match function.or_tracepoint {
            Some(name) => self.tracepoint(name).map_err(|no_tracepoint| format!("{why}; {name}: {no_tracepoint}")),
            None => Err(why),
        }
    }

    fn kprobe(&mut self, function: &str) -> Result<(), String> {
        if self.without.contains(&Absent::Kprobe) {
            return Err("kprobes are left out by --without".to_owned());
        }
        if !Path::new(KPROBE_PMU).exists() {
            return Err("this kernel has no kprobes".to_owned());
        }
        let program: &mut KProbe = self.program(function)?;
        program.load().map_err(|e| describe(&e))?;
        program.attach(function, 0).map_err(|e| chain(&e))?;
        Ok(())
    }

    /// x86 5.5, arm64 6.4; needs CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS.
    fn fentry(&mut self, function: &str) -> Result<(), String> {
        if self.without.contains(&Absent::Fentry) {
            return Err("fentry is left out by --without".to_owned());
        }
        if let Some(why) = &self.no_fentry {
            return Err(why.clone());
        }
        let btf = self.types.as_ref()?;
        let program: &mut FEntry = self.program(&format!("{function}_fentry"))?;
        let failed = |error: ProgramError| format!("fentry: {}", describe(&error));
        let attached =
            program.load(function, btf).map_err(failed).and_then(|()| program.attach().map(|_| ()).map_err(failed));
        self.no_fentry = attached.clone().err();
        attached
    }

    fn program<'b, T>(&'b mut self, name: &str) -> Result<&'b mut T, String>
    where
        &'b mut T: TryFrom<&'b mut Program, Error = ProgramError>,
    {
        let program: &'b mut Program = self.programs.get_mut(name).ok_or_else(|| no_program(name))?;
        program.try_into().map_err(|e: ProgramError| e.to_string())
    }
}

/// The raw tracepoints that a hook is made of, each with a program of the same name.
const fn tracepoints(hook: Hook) -> &'static [&'static str] {
    match hook {
        Hook::SignalGenerate => &["signal_generate"],
        Hook::MarkVictim => &["mark_victim"],
        Hook::SchedProcessExit => &["sched_process_exit"],
        Hook::SignalDeliver => &["signal_deliver"],
        Hook::Cgroups => &["cgroup_mkdir", "cgroup_rename", "cgroup_rmdir", "cgroup_release"],
        Hook::OomKillProcess | Hook::UnixConnect => &[],
    }
}

/// Has the kernel verify one of the programs for `signal_generate`, and attaches it; why it is not the one that reads by types,
/// if it is the other, which sees the same.
fn attach_signals(
    programs: Signals<Result<&mut Program, String>, &mut Program>,
    types: &Result<Btf, String>,
) -> Result<Option<String>, String> {
    let name = Hook::SignalGenerate.name();
    let Err(why) = programs.typed.and_then(|typed| attach_typed(typed, name, types)) else { return Ok(None) };
    log::debug!("{name} is read by a helper's calls: {why}");
    attach(programs.probed, name).map(|()| Some(why))
}

/// Has the kernel verify a BTF tracepoint's program, and attaches it.
fn attach_typed(program: &mut Program, name: &str, types: &Result<Btf, String>) -> Result<(), String> {
    let program: &mut BtfTracePoint = program.try_into().map_err(|e: ProgramError| e.to_string())?;
    program.load(name, types.as_ref()?).map_err(|e| describe(&e))?;
    program.attach().map(|_| ()).map_err(|e| describe(&e))
}

/// Has the kernel verify a raw tracepoint's program, and attaches it.
fn attach(program: &mut Program, name: &str) -> Result<(), String> {
    let program: &mut RawTracePoint = program.try_into().map_err(|e: ProgramError| e.to_string())?;
    program.load().map_err(|e| describe(&e))?;
    program.attach(name).map(|_| ()).map_err(|e| describe(&e))
}

fn no_program(name: &str) -> String {
    format!("the kernel side has no program {name}")
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
