//! Memory over time: what a curve shows, when it will meet its limit, and what limit it wants. Pure: no clock, no files.
//!
//! A curve is a list of [`sample::Sample`]s; it has [`lives`], of which the last one goes on. Of each the *floor* is looked at, the lowest
//! of each part of it that is longer than what repeats in it, for a garbage collector's sawtooth hides a leak from any line through all
//! points.

mod climb;
mod evenness;
mod faster;
pub mod fit;
pub mod forecast;
pub mod gaps;
pub mod held;
mod kind;
mod life;
mod likeness;
pub mod lives;
mod onset;
mod others;
mod past;
mod period;
pub mod read;
pub mod recorder;
pub mod sample;
mod season;
mod seen;
mod series;
mod shift;
mod spike;
pub mod still;
mod trend;
pub mod verdict;
mod words;

#[cfg(test)]
mod tests;
