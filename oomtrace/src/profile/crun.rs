//! crun by itself, without an engine above it.

use crate::model::Runtime;
use crate::profile::{OCI_SETTING, Profile, oci_update};

pub const PROFILE: Profile = Profile {
    runtime: Runtime::Crun,
    cgroup_prefix: None,
    programs: &["crun"],
    daemons: &[],
    shims: &[],
    clients: &[],
    units: &[],
    sockets: &[],
    kept: None,
    limit_setting: OCI_SETTING,
    update: |update| oci_update("crun", update),
};
