//! Parts of an incident of which nothing more is known than that they were.

use crate::model::{Sender, SenderKind, Signal};

impl Sender {
    /// The kernel, by itself.
    #[must_use]
    pub const fn kernel() -> Self {
        Self {
            kind: SenderKind::Kernel,
            process: None,
            ancestors: Vec::new(),
            container: None,
            unit: None,
            login: None,
            elevation: None,
            traced: false,
        }
    }
}

impl Signal {
    /// A SIGKILL for a whole process that nobody saw on its way.
    #[must_use]
    pub fn unseen_sigkill() -> Self {
        Self {
            number: 9,
            name: "SIGKILL".to_owned(),
            code: None,
            group: true,
            effect: None,
            path: None,
            kernel_stack: Vec::new(),
            kernel_frames: None,
            path_confidence: None,
        }
    }
}
