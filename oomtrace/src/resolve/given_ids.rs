//! The ids that incidents were given, for what refers to them later.

use std::collections::VecDeque;

use crate::resolve::case::Case;

/// Ids that are remembered: what refers to one comes seconds later at the most.
const KEPT: usize = 128;

/// The latest last, with the victims' pids.
#[derive(Debug, Default)]
pub struct GivenIds(VecDeque<(u32, String)>);

impl GivenIds {
    /// Remembers a case's id, or has an exit refer to the incident of the kill before it.
    pub fn link(&mut self, case: &mut Case) {
        if let Some(exited) = &mut case.exited {
            if let Some(after) = &mut exited.after {
                after.incident = self.of(after.pid);
            }
            return;
        }
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back((case.incident.victim.process.pid, case.incident.id.clone()));
    }

    fn of(&self, pid: u32) -> Option<String> {
        self.0.iter().rev().find(|(of, _)| *of == pid).map(|(_, id)| id.clone())
    }
}

#[cfg(test)]
mod tests;
