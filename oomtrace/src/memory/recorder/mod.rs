//! What a flight recorder keeps of each cgroup: a curve of a fixed size, when it is looked at next, and what is said in time. Pure: time
//! comes with the readings.

pub mod curve;
pub mod growth;
pub mod hog;
pub mod pace;
pub mod point;
pub mod scope;
pub mod warning;
