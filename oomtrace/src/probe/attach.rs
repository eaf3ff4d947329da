//! Loads a hook's programs and attaches them, by the way that the kernel allows.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use aya::programs::{BtfTracePoint, FEntry, KProbe, Program, ProgramError, RawTracePoint};
use aya::{Btf, BtfError, Ebpf};
use oomtrace_common::settings::USUAL;

use crate::probe::attach_error::AttachError;
use crate::probe::hook::{Absent, Hook};
use crate::probe::layout::KernelLayout;
use crate::probe::load::Options;

/// What perf_event_open(2) attaches kprobes through (4.17); absent without CONFIG_KPROBES.
const KPROBE_PMU: &str = "/sys/bus/event_source/devices/kprobe";

/// What programs are attached to, by number, as aya takes it; else why not.
pub type Types = Result<Btf, Arc<BtfError>>;

/// Attaches hook after hook.
pub struct Attacher<'a> {
    /// By name.
    programs: HashMap<&'a str, &'a mut Program>,
    layout: &'a KernelLayout,
    types: &'a Types,
    without: &'a [Absent],
    /// The programs for `signal_generate`.
    signals: Signals<&'static str, &'static str>,
    /// Why fentry is no use here: a kernel that refuses it for one function does for all.
    no_fentry: Option<Arc<AttachError>>,
    /// Why `signal_generate` is not read by the kernel's types, where it is attached another way.
    pub untyped: Option<AttachError>,
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
    pub fn new(ebpf: &'a mut Ebpf, layout: &'a KernelLayout, types: &'a Types, options: &'a Options) -> Self {
        let signals = if options.asked() & !USUAL == 0 {
            Signals { typed: "signal_generate_typed", probed: "signal_generate" }
        } else {
            Signals { typed: "signal_generate_any_typed", probed: "signal_generate_any" }
        };
        let programs = ebpf.programs_mut().collect();
        Self { programs, layout, types, without: &options.without, signals, no_fentry: None, untyped: None }
    }

    /// Loads the programs of `hooks` and attaches them; else why not.
    ///
    /// The kernel needs more time to verify `signal_generate` than all the others, so that has a thread of its own meanwhile.
    pub fn attach_all(&mut self, hooks: &[Hook]) -> Vec<(Hook, Result<(), AttachError>)> {
        let largest = Hook::SignalGenerate;
        let is_wanted = hooks.contains(&largest) && self.known(largest).is_ok();
        let ahead = is_wanted.then(|| self.take_signals()).flatten();
        let types = self.types;
        std::thread::scope(|scope| {
            let attaching = ahead.map(|programs| scope.spawn(|| attach_signals(programs, types)));
            let others = hooks.iter().filter(|hook| attaching.is_none() || **hook != largest);
            let mut results: Vec<_> = others.map(|hook| (*hook, self.attach(*hook))).collect();
            if let Some(thread) = attaching {
                let result = thread.join().unwrap_or(Err(AttachError::Panicked));
                results.push((largest, result.map(|untyped| self.untyped = untyped)));
            }
            results
        })
    }

    /// The programs for `signal_generate`; that by types only where it is wanted.
    fn take_signals(&mut self) -> Option<Signals<Result<&'a mut Program, AttachError>, &'a mut Program>> {
        let typed = match self.programs.remove(self.signals.typed) {
            _ if self.without.contains(&Absent::TpBtf) => Err(AttachError::LeftOut),
            typed => typed.ok_or_else(|| no_program(self.signals.typed)),
        };
        Some(Signals { typed, probed: self.programs.remove(self.signals.probed)? })
    }

    /// Why this kernel, or whoever started oomtrace, does not want the hook.
    fn known(&self, hook: Hook) -> Result<(), AttachError> {
        if self.without.contains(&Absent::Hook(hook)) {
            return Err(AttachError::LeftOut);
        }
        let is_known = match hook {
            Hook::SignalGenerate => self.layout.signal_generate,
            Hook::MarkVictim => self.layout.mark_victim.is_some(),
            Hook::SchedProcessExit => self.layout.process_exit.is_some(),
            Hook::SignalDeliver => self.layout.signal_deliver,
            Hook::Cgroups => self.layout.cgroups,
            Hook::OomKillProcess | Hook::UnixConnect => true,
        };
        let name = tracepoints(hook).first().copied().unwrap_or_default();
        if is_known { Ok(()) } else { Err(AttachError::Unknown(name)) }
    }

    fn attach(&mut self, hook: Hook) -> Result<(), AttachError> {
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

    fn tracepoint(&mut self, name: &str) -> Result<(), AttachError> {
        attach(self.programs.get_mut(name).ok_or_else(|| no_program(name))?, name)
    }

    /// These functions run rarely, so that a kprobe's price does not matter, and more kernels have it than fentry.
    fn function(&mut self, function: &Function) -> Result<(), AttachError> {
        let Err(kprobe) = self.kprobe(function.name) else { return Ok(()) };
        let Err(fentry) = self.fentry(function.name) else { return Ok(()) };
        let neither = AttachError::Function { kprobe: kprobe.into(), fentry: fentry.into() };
        let Some(name) = function.or_tracepoint else { return Err(neither) };
        self.tracepoint(name).map_err(|tracepoint| AttachError::Tracepoint {
            function: neither.into(),
            name,
            tracepoint: tracepoint.into(),
        })
    }

    fn kprobe(&mut self, function: &str) -> Result<(), AttachError> {
        if self.without.contains(&Absent::Kprobe) {
            return Err(AttachError::KprobesLeftOut);
        }
        if !Path::new(KPROBE_PMU).exists() {
            return Err(AttachError::NoKprobes);
        }
        let program: &mut KProbe = self.program(function)?;
        program.load()?;
        program.attach(function, 0)?;
        Ok(())
    }

    /// x86 5.5, arm64 6.4; needs CONFIG_DYNAMIC_FTRACE_WITH_DIRECT_CALLS.
    fn fentry(&mut self, function: &str) -> Result<(), AttachError> {
        if self.without.contains(&Absent::Fentry) {
            return Err(AttachError::FentryLeftOut);
        }
        if let Some(why) = &self.no_fentry {
            return Err(AttachError::Fentry(Arc::clone(why)));
        }
        let types = known_types(self.types)?;
        let program: &mut FEntry = self.program(&format!("{function}_fentry"))?;
        let attached = program.load(function, types).and_then(|()| program.attach());
        attached.map(|_| ()).map_err(|error| {
            let why = Arc::new(AttachError::from(error));
            self.no_fentry = Some(Arc::clone(&why));
            AttachError::Fentry(why)
        })
    }

    fn program<'b, T>(&'b mut self, name: &str) -> Result<&'b mut T, AttachError>
    where
        &'b mut T: TryFrom<&'b mut Program, Error = ProgramError>,
    {
        let program: &'b mut Program = self.programs.get_mut(name).ok_or_else(|| no_program(name))?;
        Ok(program.try_into()?)
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
    programs: Signals<Result<&mut Program, AttachError>, &mut Program>,
    types: &Types,
) -> Result<Option<AttachError>, AttachError> {
    let name = Hook::SignalGenerate.name();
    let Err(why) = programs.typed.and_then(|typed| attach_typed(typed, name, types)) else { return Ok(None) };
    log::debug!("{name} is read by a helper's calls: {why}");
    attach(programs.probed, name).map(|()| Some(why))
}

/// Has the kernel verify a BTF tracepoint's program, and attaches it.
fn attach_typed(program: &mut Program, name: &str, types: &Types) -> Result<(), AttachError> {
    let program: &mut BtfTracePoint = program.try_into()?;
    program.load(name, known_types(types)?)?;
    program.attach()?;
    Ok(())
}

/// Has the kernel verify a raw tracepoint's program, and attaches it.
pub(super) fn attach(program: &mut Program, name: &str) -> Result<(), AttachError> {
    let program: &mut RawTracePoint = program.try_into()?;
    program.load()?;
    program.attach(name)?;
    Ok(())
}

fn known_types(types: &Types) -> Result<&Btf, AttachError> {
    types.as_ref().map_err(|error| AttachError::Types(Arc::clone(error)))
}

fn no_program(name: &str) -> AttachError {
    AttachError::NoProgram(name.to_owned())
}
