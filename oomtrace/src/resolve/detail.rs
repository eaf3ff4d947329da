//! What is shown for kernel debugging alone.

/// What costs more than a glance is worth, so that it is shown when it is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// Where in each function of a kernel stack the return address lies, and the user stack of an OOM kill's trigger.
    pub stack: bool,
    /// The processes that the OOM killer could choose among.
    pub candidates: bool,
    /// Each of the kernel side's events, as it came.
    pub raw: bool,
}
