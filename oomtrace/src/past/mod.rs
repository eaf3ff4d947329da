//! What is left of kills that nobody watched: the kernel's log, the journal, what runtimes, the kubelet and systemd say of ends, counters,
//! and who was logged in; and what follows from it. Nothing here sees a kill: what is found is said to have been found after the fact.

pub mod answer;
pub mod child;
pub mod ends;
pub mod gather;
pub mod imitated;
pub mod journal;
pub mod klog;
pub mod logins;
pub mod placed;
mod same;
pub mod target;
pub mod units;
