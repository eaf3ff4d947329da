//! Loads the kernel side with the running kernel's layout, attaches what can be attached, and says what could not.

use std::io;
use std::path::Path;
use std::sync::Arc;

use aya::maps::{Map, MapError};
use aya::{Ebpf, EbpfError, EbpfLoader, VerifierLogLevel};
use oomtrace_common::client::{CLIENTS_MAP, SOCKETS_MAP};
use oomtrace_common::counts::COUNTS_MAP;
use oomtrace_common::event::EVENTS_MAP;
use oomtrace_common::layout::LAYOUT_GLOBAL;
use oomtrace_common::limits::MAX_FOLLOWED;
use oomtrace_common::settings::{
    FOLLOWED_MAP, KILL, SETTINGS_GLOBAL, SIGNAL_FILTER_GLOBAL, STOP, STOP_INIT, Settings, SignalFilter, signal_bit,
};
use zerocopy::IntoBytes as _;

use crate::node::cgroups;
use crate::probe::attach::{Attacher, Types};
use crate::probe::attach_error::{AttachError, chain};
use crate::probe::attach_types::AttachTypes;
use crate::probe::btf::{Btf, BtfError};
use crate::probe::counter::Counter;
use crate::probe::hook::{Absent, Hook};
use crate::probe::kallsyms;
use crate::probe::layout::{KernelLayout, MarkVictimArg};
use crate::probe::requirements::{self, RequirementError};
use crate::probe::ring::Records;
use crate::probe::sockets::Sockets;

/// The kernel side, built by the build script; empty when there was no BPF toolchain.
static KERNEL_SIDE: &[u8] = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/oomtrace-ebpf"));

/// The ring buffer's size when the user names none. A SIGKILL and its victim's end take about 1.4 KiB, so three quarters of this, which
/// anybody's kills may fill, hold some 8,000 of them: a cgroup of 5,000 killed at once while nobody reads, and a flood of
/// everything else in its eighth.
pub const DEFAULT_RING_BYTES: u32 = 16 << 20;

/// Entries of a map that nobody uses: it takes memory all the same.
const FOLLOWED_UNUSED: u32 = 64;

/// Why the kernel side is not running.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    #[error(transparent)]
    Requirement(#[from] RequirementError),
    #[error(
        "this oomtrace was built without its kernel side: build it with `cargo xtask run`, which sets up the BPF toolchain"
    )]
    NoKernelSide,
    #[error("cannot read the kernel's type information: {0}")]
    Btf(#[from] BtfError),
    #[error("the kernel refused bpf(): {}. {advice}", chain(.source))]
    Refused { source: EbpfError, advice: &'static str },
    #[error("cannot load the kernel side: {}", chain(.0))]
    Load(#[source] EbpfError),
    #[error("cannot load the kernel side: the thread that makes a loader panicked")]
    Panicked,
    #[error("cannot load the kernel side: the kernel side has no map {0}")]
    NoMap(&'static str),
    #[error("cannot load the kernel side: map {EVENTS_MAP} is no ring buffer")]
    NoRing,
    #[error("cannot load the kernel side: map {EVENTS_MAP}: {0}")]
    Ring(#[source] io::Error),
    #[error("cannot load the kernel side: {0}")]
    Map(#[from] MapError),
    #[error("no hook could be attached, so nothing would be seen: {}", each(.0))]
    NoHook(Vec<(Hook, AttachError)>),
}

fn each(refused: &[(Hook, AttachError)]) -> String {
    refused.iter().map(|(hook, why)| format!("{}: {why}", hook.name())).collect::<Vec<_>>().join("; ")
}

/// What to load.
#[derive(Clone, Debug)]
pub struct Options {
    /// Signals to report besides SIGKILL.
    pub signals: Vec<u32>,
    /// The ring buffer's size in bytes; a power of two and a multiple of the page size.
    pub ring_bytes: u32,
    /// What to do without, as if the kernel refused it: for tests and for kernel debugging.
    pub without: Vec<Absent>,
    /// Record the user stack of an OOM kill's trigger.
    pub user_stack: bool,
}

impl Options {
    /// [`Self::signals`] as [`signal_bit`]s.
    pub fn asked(&self) -> u64 {
        self.signals.iter().fold(0, |mask, signal| mask | signal_bit(*signal))
    }
}

impl Default for Options {
    fn default() -> Self {
        Self { signals: Vec::new(), ring_bytes: DEFAULT_RING_BYTES, without: Vec::new(), user_stack: false }
    }
}

/// The running kernel side. Dropping it detaches and unloads everything: nothing is pinned.
pub struct Probe {
    /// Owns the programs and their links.
    pub ebpf: Ebpf,
    pub events: Records,
    pub counter: Counter,
    pub sockets: Sockets,
    /// Hooks that are attached.
    pub attached: Vec<Hook>,
    /// Hooks that this kernel does not need: another one gives the same and more.
    pub unneeded: Vec<Hook>,
    /// Hooks that could not be attached, and why.
    pub refused: Vec<(Hook, AttachError)>,
    /// Why `signal_generate` does not read kernel memory by its types, which is cheaper; none when it does.
    pub untyped: Option<AttachError>,
    /// What cannot be seen, in words: fields that this kernel lacks, and what each refused hook costs.
    pub missing: Vec<String>,
}

impl Probe {
    /// Checks the requirements, loads and attaches.
    ///
    /// # Errors
    /// When a requirement is not met, the kernel refuses the programs, or none of the hooks can be attached.
    pub fn load(options: &Options) -> Result<Self, LoadError> {
        let (loader, layout, types) = prepare()?;
        let mut missing = layout.missing();
        missing.extend(kallsyms::missing(Path::new(kallsyms::PATH)));
        let mut ebpf = open(loader, &layout, options, &SignalFilter::ALL)?;
        let (needed, unneeded): (Vec<Hook>, Vec<Hook>) =
            Hook::ALL.into_iter().partition(|hook| is_needed(&layout, *hook));
        let (mut attached, mut refused) = (Vec::new(), Vec::new());
        let mut attacher = Attacher::new(&mut ebpf, &layout, &types, options);
        let mut results = attacher.attach_all(&needed);
        let untyped = attacher.untyped.take();
        results.sort_by_key(|(hook, _)| Hook::ALL.iter().position(|each| each == hook));
        for (hook, result) in results {
            match result {
                Ok(()) => attached.push(hook),
                Err(why) => {
                    missing.push(format!("{} could not be attached ({why}): {}", hook.name(), hook.cost()));
                    refused.push((hook, why));
                }
            }
        }
        // Exits and deliveries only add to a kill that another hook reports.
        if !attached.contains(&Hook::SignalGenerate) && !attached.contains(&Hook::MarkVictim) {
            return Err(LoadError::NoHook(refused));
        }
        let events = records(take(&mut ebpf, EVENTS_MAP)?, options.ring_bytes)?;
        let counter = Counter::new(take(&mut ebpf, COUNTS_MAP)?)?;
        let sockets = Sockets::new(take(&mut ebpf, SOCKETS_MAP)?, take(&mut ebpf, CLIENTS_MAP)?)?;
        Ok(Self { ebpf, events, counter, sockets, attached, unneeded, refused, untyped, missing })
    }

    /// The hook's program is running.
    #[must_use]
    pub fn has(&self, hook: Hook) -> bool {
        self.attached.contains(&hook)
    }
}

/// Checks the requirements, and reads the kernel's types.
pub(super) fn prepare() -> Result<(EbpfLoader<'static>, KernelLayout, Types), LoadError> {
    let btf_bytes = requirements::check(Path::new(requirements::BTF_PATH))?;
    if KERNEL_SIDE.is_empty() {
        return Err(LoadError::NoKernelSide);
    }
    let (loader, layout) = std::thread::scope(|scope| {
        let loader = scope.spawn(loader);
        let layout = Btf::parse(&btf_bytes, &KernelLayout::wanted_types())
            .map(|btf| (KernelLayout::resolve(&btf), AttachTypes::find(&btf).for_aya().map_err(Arc::new)));
        (loader.join(), layout)
    });
    let loader = loader.map_err(|_| LoadError::Panicked)?;
    let (layout, types) = layout?;
    raise_memlock();
    Ok((loader, layout, types))
}

pub(super) fn records(map: Map, bytes: u32) -> Result<Records, LoadError> {
    let Map::RingBuf(map) = map else { return Err(LoadError::NoRing) };
    Records::new(map, bytes).map_err(LoadError::Ring)
}

pub(super) fn take(ebpf: &mut Ebpf, name: &'static str) -> Result<Map, LoadError> {
    ebpf.take_map(name).ok_or(LoadError::NoMap(name))
}

/// Who loads the kernel side. To make one takes time: aya has it read all of the kernel's types first, wanted or not.
fn loader() -> EbpfLoader<'static> {
    let mut loader = EbpfLoader::new();
    loader.btf(None);
    loader
}

/// Creates the maps. The programs are loaded one by one afterwards, so that one that is refused costs only itself.
pub(super) fn open(
    loader: EbpfLoader<'static>,
    layout: &KernelLayout,
    options: &Options,
    filter: &SignalFilter,
) -> Result<Ebpf, LoadError> {
    let settings = settings(layout, options);
    let log_level = kernel_log_level();
    // The verifier's log costs time and is only ever read by a developer.
    let verbose = log::log_enabled!(log::Level::Debug);
    let verifier_log = if verbose { VerifierLogLevel::default() } else { VerifierLogLevel::empty() };
    let mut loader: EbpfLoader<'_> = loader;
    loader
        .verifier_log_level(verifier_log)
        .override_global(LAYOUT_GLOBAL, layout.offsets.as_bytes(), true)
        .override_global(SETTINGS_GLOBAL, settings.as_bytes(), true)
        .override_global(SIGNAL_FILTER_GLOBAL, filter.as_bytes(), true)
        // Absent when the kernel side has no log statement left.
        .override_global("AYA_LOG_LEVEL", &log_level, false)
        .map_max_entries(EVENTS_MAP, options.ring_bytes)
        .map_max_entries(FOLLOWED_MAP, if filter.follows == 0 { FOLLOWED_UNUSED } else { MAX_FOLLOWED })
        .load(KERNEL_SIDE)
        .map_err(refused)
}

/// Where a process has its memory until it exits, nothing need be read when its SIGKILL is delivered.
fn is_needed(layout: &KernelLayout, hook: Hook) -> bool {
    hook != Hook::SignalDeliver || layout.process_exit != Some(true)
}

/// What the kernel side decides by; see [`Settings`].
fn settings(layout: &KernelLayout, options: &Options) -> Settings {
    Settings {
        report: KILL | options.asked(),
        preceding: STOP,
        preceding_init: STOP_INIT,
        mark_victim_has_task: u32::from(layout.mark_victim == Some(MarkVictimArg::Task)),
        exit_has_memory: u32::from(layout.process_exit == Some(true)),
        memory_hierarchy: cgroups::memory_hierarchy_id(),
        ring_bytes: options.ring_bytes,
        user_stack: u32::from(options.user_stack),
        reserved: 0,
    }
}

/// aya-log's numbers for levels are those of the `log` crate; 0 removes the statements at load.
fn kernel_log_level() -> u8 {
    log::max_level() as u8
}

/// The errno at the end of an error's causes.
fn errno_of(error: &(dyn std::error::Error + 'static)) -> Option<i32> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>()
            && io.raw_os_error().is_some()
        {
            return io.raw_os_error();
        }
        cause = error.source();
    }
    None
}

/// An error of bpf(2), with what a person can do about it where that is known.
fn refused(source: EbpfError) -> LoadError {
    let advice = match errno_of(&source) {
        Some(nix::libc::EPERM) => {
            "This process has the capabilities, so a seccomp profile, a security module or a user namespace forbids it: \
             run oomtrace on the host, or in a privileged container"
        }
        Some(nix::libc::ENOSYS) => "The kernel is built without CONFIG_BPF_SYSCALL",
        Some(nix::libc::EINVAL) => "The kernel has no BPF ring buffer: oomtrace needs Linux 5.8 or later",
        _ => return LoadError::Load(source),
    };
    LoadError::Refused { source, advice }
}

/// Up to 5.10 maps count against RLIMIT_MEMLOCK; from 5.11 they do not, and a failure costs nothing.
fn raise_memlock() {
    use nix::sys::resource::{RLIM_INFINITY, Resource, setrlimit};
    if let Err(errno) = setrlimit(Resource::RLIMIT_MEMLOCK, RLIM_INFINITY, RLIM_INFINITY) {
        log::debug!("RLIMIT_MEMLOCK stays as it is ({errno}); kernels before 5.11 may refuse the maps");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oomtrace_common::layout::Layout;

    #[test]
    fn sigkill_is_always_reported_and_sigchld_never_recorded() {
        let layout = KernelLayout {
            offsets: Layout::UNKNOWN,
            mark_victim: Some(MarkVictimArg::Tid),
            signal_generate: true,
            process_exit: None,
            signal_deliver: false,
            cgroups: false,
            sk_data_ready: false,
        };
        let settings = settings(&layout, &Options { signals: vec![15], ..Options::default() });
        assert_eq!(settings.report, signal_bit(9) | signal_bit(15));
        assert_eq!(settings.mark_victim_has_task, 0);
        let all = settings.report | settings.preceding | settings.preceding_init;
        for common in [17, 23] {
            assert_eq!(all & signal_bit(common), 0, "signal {common} is too common to record");
        }
    }
}
