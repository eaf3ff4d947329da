//! What `/proc` says of one process: its command line and its executable.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::stat::Stat;
use crate::event::{Arguments, ProcessKey};
use crate::node::files::{self, SMALL};
use crate::redact::Privacy;

/// Bytes of a command line that are kept, as in the kernel side.
const MAX_CMDLINE: usize = oomtrace_common::limits::MAX_CMDLINE;

/// What `/proc` says of a process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Details {
    pub exe: Option<String>,
    pub cmdline: Option<Vec<String>>,
    pub cmdline_truncated: bool,
    /// The name that the process had then, by which it is seen when it runs another program.
    #[serde(default)]
    pub comm: Option<String>,
    /// They were not read in time, and nothing is known for that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
}

impl Details {
    /// They are of the program that has the name `comm`. A process that runs another program has another name.
    #[must_use]
    pub fn are_of(&self, comm: Option<&str>) -> bool {
        match (self.comm.as_deref(), comm) {
            (Some(known), Some(comm)) => known == comm,
            // Recordings before wire version 7 do not say.
            _ => true,
        }
    }

    /// Bytes that they take, about.
    pub(super) fn size(&self) -> usize {
        const OVERHEAD: usize = 64;
        let arguments = self.cmdline.iter().flatten().map(|argument| argument.len() + OVERHEAD);
        arguments.sum::<usize>() + self.exe.as_ref().map_or(0, String::len) + 4 * OVERHEAD
    }

    /// What of it may be shown.
    #[must_use]
    pub fn private(self, privacy: Privacy) -> Self {
        let Some(cmdline) = self.cmdline else { return self };
        let (cmdline, cmdline_truncated) = privacy.cmdline(cmdline, self.cmdline_truncated);
        Self { cmdline: Some(cmdline), cmdline_truncated, ..self }
    }
}

pub(super) fn read(proc: &Path, tick_ns: u64, key: ProcessKey) -> Option<Details> {
    let dir = proc.join(key.pid.to_string());
    let stat = |dir: &Path| files::read(&dir.join("stat"), SMALL).ok().and_then(|stat| Stat::parse(&stat));
    let before = stat(&dir)?;
    let cmdline = files::read_start(&dir.join("cmdline"), MAX_CMDLINE as u64).ok()?;
    let exe = fs::read_link(dir.join("exe")).ok();
    // Again, so that a pid that changed hands meanwhile is noticed, and a process that began to run another program.
    let after = stat(&dir)?;
    let is_same = (&before.comm, before.start_ticks) == (&after.comm, after.start_ticks);
    if !after.is_of(tick_ns, key.start) || !is_same {
        return None;
    }
    let (cmdline, cmdline_truncated) = arguments(&cmdline.bytes, cmdline.cut);
    let details = Details {
        exe: exe.map(|path| path.to_string_lossy().into_owned()),
        cmdline,
        cmdline_truncated,
        ..Details::default()
    };
    // A zombie has neither.
    (details != Details::default()).then_some(Details { comm: Some(after.comm), ..details })
}

/// The arguments in the first bytes of a command line; and whether there are more, if only for `cut`.
#[must_use]
pub fn arguments(cmdline: &[u8], cut: bool) -> (Option<Vec<String>>, bool) {
    let Some((shown, more)) = Arguments::new(cmdline).map(|arguments| arguments.to_vec()) else { return (None, cut) };
    (Some(shown), cut || more)
}
