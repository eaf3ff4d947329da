//! How whoever asked a runtime to kill was found, and what of that could not be seen.

use crate::model::Process;

/// A fact that the requester rests on.
#[derive(Clone, Debug, PartialEq)]
pub enum FoundBy {
    /// The sender is no child of the container's first process: it was brought in later.
    Exec,
    /// It is the runtime, or ran it, and was itself run by `parent`.
    RunBy { process: Box<Process>, parent: Box<Process> },
    /// It turned to the runtime's socket.
    Came(Box<Came>),
    /// Others did so, too.
    Others {
        named: Vec<Process>,
        /// So many more.
        more: usize,
        /// Any of them may have asked as well.
        may_have_asked: bool,
    },
}

/// A client that came to a runtime's socket.
#[derive(Clone, Debug, PartialEq)]
pub struct Came {
    pub process: Process,
    pub socket: String,
    pub when: When,
    /// It was connected before oomtrace started.
    pub stood: bool,
    /// Its command line names the container.
    pub names_container: bool,
}

/// When a client came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    Before {
        ms: u64,
        what: Moment,
        /// It wrote on a connection that it had; else it connected.
        wrote: bool,
    },
    /// So often that the time that matters is not remembered.
    AgainAndAgain,
    /// It was there from before oomtrace's start on, and has not been seen to ask.
    NotSeen,
}

/// What a client came before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    StopSignal,
    /// The command that killed was started in the container.
    Exec,
    Kill,
}

/// By what the requester asked.
#[derive(Clone, Debug, PartialEq)]
pub enum Via {
    /// It is the runtime itself.
    Itself,
    /// It ran this process of the runtime's.
    Ran(Box<Process>),
    /// The runtime's socket.
    Socket(String),
}

/// Why it is not known who asked, or not for sure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RequesterUnseen {
    /// More came to the runtime's socket than could be recorded.
    Crowded,
    /// The runtime runs in a container itself.
    Nested,
    /// Nobody was seen to connect.
    Nobody,
}
