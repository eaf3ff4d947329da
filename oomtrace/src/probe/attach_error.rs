//! Why a hook is not attached.

use std::error::Error;
use std::io;
use std::sync::Arc;

use aya::BtfError;
use aya::programs::ProgramError;

/// Why a hook, or one of the ways to attach it, cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum AttachError {
    #[error("left out by --without")]
    LeftOut,
    #[error("kprobes are left out by --without")]
    KprobesLeftOut,
    #[error("fentry is left out by --without")]
    FentryLeftOut,
    #[error("this kernel's type information has no {0} with the arguments known")]
    Unknown(&'static str),
    #[error("this kernel has no kprobes")]
    NoKprobes,
    #[error("the kernel side has no program {0}")]
    NoProgram(String),
    /// What programs are attached to by number is not known; one cause for all of them.
    #[error("{}", chain(.0))]
    Types(#[source] Arc<BtfError>),
    #[error("the kernel refused the program: {0}")]
    Refused(#[source] io::Error),
    #[error("{}", chain(.0))]
    Program(#[source] ProgramError),
    /// A kernel that refuses fentry for one function does for all, with one cause.
    #[error("fentry: {0}")]
    Fentry(#[source] Arc<AttachError>),
    /// Neither way to a function works.
    #[error("{kprobe}; {fentry}")]
    Function { kprobe: Box<AttachError>, fentry: Box<AttachError> },
    /// Nor does the tracepoint that is there in its place.
    #[error("{function}; {name}: {tracepoint}")]
    Tracepoint { function: Box<AttachError>, name: &'static str, tracepoint: Box<AttachError> },
    #[error("the thread that attaches it panicked")]
    Panicked,
}

impl From<ProgramError> for AttachError {
    /// The verifier's log goes to the debug log.
    fn from(error: ProgramError) -> Self {
        match error {
            ProgramError::LoadError { io_error, verifier_log } => {
                log::debug!("verifier: {verifier_log}");
                Self::Refused(io_error)
            }
            error => Self::Program(error),
        }
    }
}

/// An error and its causes on one line, without repeating what a cause's text already says.
pub fn chain(error: &dyn Error) -> String {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_that_failed_is_said_once() {
        let refused = || {
            AttachError::from(ProgramError::SyscallError(aya::sys::SyscallError {
                call: "perf_event_open",
                io_error: io::Error::from_raw_os_error(1),
            }))
        };
        let fentry = AttachError::Fentry(Arc::new(AttachError::Refused(io::Error::from_raw_os_error(1))));
        let function = AttachError::Function { kprobe: Box::new(AttachError::NoKprobes), fentry: Box::new(fentry) };
        let words =
            "this kernel has no kprobes; fentry: the kernel refused the program: Operation not permitted (os error 1)";
        assert_eq!(function.to_string(), words);
        let all = AttachError::Tracepoint {
            function: Box::new(function),
            name: "sk_data_ready",
            tracepoint: Box::new(refused()),
        };
        assert_eq!(
            all.to_string(),
            format!("{words}; sk_data_ready: `perf_event_open` failed: Operation not permitted (os error 1)")
        );
        // What is put together from it repeats nothing.
        assert_eq!(chain(&all), all.to_string());
    }
}
