//! nerdctl, on containerd.

use crate::model::Runtime;
use crate::profile::{Profile, USUAL_SETTING, Whose, engine_update};

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
    engine,
    update: |update| engine_update(engine, update),
    updates_ended: false,
};

fn engine(Whose { user, .. }: &Whose<'_>) -> Option<String> {
    user.is_none().then(|| "nerdctl".to_owned())
}
