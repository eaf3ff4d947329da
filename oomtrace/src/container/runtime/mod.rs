//! What each runtime keeps of its containers, and how it is asked: a file a runtime, and one for what several have in common.
//!
//! | runtime | asked |
//! |---|---|
//! | Docker | [`docker`]: its API, and its events |
//! | containerd, nerdctl, a Kubernetes node's | [`bundle`], then [`containerd`] for labels |
//! | CRI-O | [`bundle`], then [`storage`] |
//! | podman | [`storage`] |
//! | runc, crun | [`oci_state`], then the [`bundle`] that it names |
//! | LXC | [`lxc`] |

pub mod bundle;
pub mod containerd;
pub mod docker;
pub mod lxc;
pub mod oci_state;
pub mod storage;
