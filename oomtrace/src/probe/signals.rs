//! Loads the programs of `oomtrace signals`, and no others.

use aya::Ebpf;
use oomtrace_common::counts::COUNTS_MAP;
use oomtrace_common::event::EVENTS_MAP;
use oomtrace_common::settings::SignalFilter;

use crate::probe::attach::attach;
use crate::probe::attach_error::AttachError;
use crate::probe::counter::Counter;
use crate::probe::load::{LoadError, Options, open, prepare, records, take};
use crate::probe::ring::Records;

/// The first is needed; the others say what becomes of a signal.
const PROGRAMS: [(&str, &str); 3] = [
    ("signals_generate", "signal_generate"),
    ("signals_deliver", "signal_deliver"),
    ("signals_exit", "sched_process_exit"),
];

/// The running programs. Dropping it detaches and unloads them.
pub struct Signals {
    /// Owns the programs and their links.
    pub ebpf: Ebpf,
    pub events: Records,
    pub counter: Counter,
}

/// Why it is not running.
#[derive(Debug, thiserror::Error)]
pub enum SignalsError {
    #[error(transparent)]
    Load(#[from] LoadError),
    #[error("cannot attach to {0}: {1}")]
    Attach(&'static str, AttachError),
}

impl Signals {
    /// Checks the requirements, loads and attaches; what is left out by `filter` never leaves the kernel. `ring_bytes` is the ring
    /// buffer's size.
    ///
    /// # Errors
    /// When a requirement is not met, or the kernel refuses a program.
    pub fn load(filter: &SignalFilter, ring_bytes: u32) -> Result<Self, SignalsError> {
        let (loader, layout, _) = prepare()?;
        let mut ebpf = open(loader, &layout, &Options { ring_bytes, ..Options::default() }, filter)?;
        let programs = if filter.follows == 0 { 1 } else { PROGRAMS.len() };
        for (program, tracepoint) in PROGRAMS.into_iter().take(programs) {
            let fail = |error| SignalsError::Attach(tracepoint, error);
            let found = ebpf.program_mut(program).ok_or_else(|| fail(AttachError::NoProgram(program.to_owned())))?;
            attach(found, tracepoint).map_err(fail)?;
        }
        let events = records(take(&mut ebpf, EVENTS_MAP)?, ring_bytes)?;
        let counter = Counter::new(take(&mut ebpf, COUNTS_MAP)?).map_err(LoadError::from)?;
        Ok(Self { ebpf, events, counter })
    }
}
