//! What could not be seen of one incident, in words.

use crate::model::{MissingPart, NamedMissing};

/// See the module's documentation.
#[derive(Default)]
pub struct Gaps {
    /// Says who or why less surely.
    pub attribution: Vec<String>,
    /// Leaves a field empty.
    pub detail: Vec<String>,
    /// Those of both that have a name.
    pub named: Vec<NamedMissing>,
}

impl Gaps {
    /// It is less sure because the OOM killer's own record is not read.
    pub fn without_oom_record(&mut self, what: &str) {
        let entry = format!("{what} (oom_control is not read)");
        self.attribution.push(entry.clone());
        self.named.push(NamedMissing { part: MissingPart::OomRecord, entry });
    }

    /// The victim's command line is not known.
    pub fn without_command_line(&mut self, why: &str) {
        let entry = format!("the victim's command line ({why})");
        self.detail.push(entry.clone());
        self.named.push(NamedMissing { part: MissingPart::VictimCommandLine, entry });
    }
}
