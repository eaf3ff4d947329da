//! Exit statuses, and the one line that goes with each failure.

use std::io;
use std::process::ExitCode;

use oomtrace::probe::load::LoadError;
use oomtrace::probe::requirements::RequirementError;
use oomtrace::run::live::WatchError;
use oomtrace::sink::notices;

/// What `oomtrace --help` documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It did what it was asked to, or was asked to stop.
    Done = 0,
    /// Something failed while it ran, or a check of the selftest did.
    Failed = 1,
    /// The command line is wrong.
    Usage = 2,
    /// A privilege is missing.
    Privilege = 3,
    /// This kernel, or what confines this process, does not allow it.
    Kernel = 4,
}

impl From<Status> for ExitCode {
    fn from(status: Status) -> Self {
        Self::from(status as u8)
    }
}

/// Why a verb failed.
#[derive(Debug)]
pub struct Failure(pub anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl Failure {
    /// The status that fits.
    pub fn status(&self) -> Status {
        match self.load_error() {
            Some(LoadError::Requirement(RequirementError::Capabilities(_))) => Status::Privilege,
            Some(LoadError::Requirement(RequirementError::Read { .. })) | None => Status::Failed,
            Some(_) => Status::Kernel,
        }
    }

    /// It on one line.
    pub fn said(&self) -> String {
        let mut text = self.0.to_string();
        for cause in self.0.chain().skip(1).map(ToString::to_string) {
            // A transparent error repeats its source's text.
            if !text.contains(&cause) {
                text = format!("{text}: {cause}");
            }
        }
        text
    }

    fn load_error(&self) -> Option<&LoadError> {
        self.0.chain().find_map(|error| match error.downcast_ref::<WatchError>() {
            Some(WatchError::Load(error)) => Some(error),
            _ => error.downcast_ref::<LoadError>(),
        })
    }

    /// Whoever read the output has gone: nothing to complain about.
    pub fn is_closed_pipe(&self) -> bool {
        self.0.chain().any(|error| {
            let io = match error.downcast_ref::<WatchError>() {
                Some(WatchError::Output(io)) => Some(io),
                _ => error.downcast_ref::<io::Error>(),
            };
            io.is_some_and(|io| io.kind() == io::ErrorKind::BrokenPipe)
        })
    }
}

/// Prints the failure on one line.
pub fn say(failure: &Failure) {
    notices::say(&failure.said());
}
