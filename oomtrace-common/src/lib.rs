//! What crosses from the kernel to user space, and back: raw events, the kernel layout table, and the limits of both.
//!
//! Only data, no logic: the kernel side writes these bytes, [`oomtrace`'s decoder] reads them, and a recording keeps
//! them. A change to any of these types changes [`event::WIRE_VERSION`].
//!
//! [`oomtrace`'s decoder]: ../oomtrace/probe/decode/index.html
#![no_std]

pub mod client;
pub mod counts;
pub mod event;
pub mod layout;
pub mod limits;
pub mod settings;
