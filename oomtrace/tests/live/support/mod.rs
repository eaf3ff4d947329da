//! What scenarios are made of. Everything here cleans up when it goes out of scope, also when a scenario fails.

pub mod cgroup;
pub mod client;
pub mod containerd;
pub mod docker;
pub mod flood;
pub mod fuse;
pub mod growth;
pub mod helper;
pub mod image;
pub mod needs;
pub mod process;
pub mod tmux;
pub mod tracer;
pub mod truth;
pub mod user;
pub mod victim;
