//! nerdctl, on containerd.

use crate::model::Runtime;
use crate::profile::{Profile, USUAL_SETTING, engine_update};

pub const PROFILE: Profile = Profile {
    runtime: Runtime::Nerdctl,
    cgroup_prefix: Some("nerdctl-"),
    programs: &[],
    daemons: &[],
    shims: &[],
    clients: &["nerdctl"],
    units: &[],
    sockets: &[],
    kept: None,
    limit_setting: USUAL_SETTING,
    update: |update| update.user.is_none().then(|| engine_update("nerdctl", update)),
};
