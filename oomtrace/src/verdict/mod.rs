//! The judge: incident to verdict. No I/O and no clock, so that a recording is judged as the live kernel was.

pub mod judge;
pub mod senders;
