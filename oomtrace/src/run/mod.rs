//! The pipeline, fed by the live kernel or by a recording.

pub mod flight;
pub mod health;
pub mod live;
pub mod names;
pub mod pipeline;
mod raw;
pub mod recording;
pub mod replay;
pub mod resolver;
pub mod signals;
