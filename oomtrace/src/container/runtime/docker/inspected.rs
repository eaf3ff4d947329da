//! A container in full, as Docker has it.

use serde::Deserialize;

use crate::container::labels::Labels;
use crate::container::metadata::Metadata;
use crate::container::statement::{Statement, paths_of_docker};
use crate::model::Limits;
use crate::placement::Runtime;

/// What Docker gives a container to stop in when nothing else is said (container/container.go, 20.10).
const STOP_TIMEOUT_S: u64 = 10;

/// What the answer to `GET /containers/ID/json` says of the container `id`.
///
/// # Errors
/// When it describes none.
pub fn parse(id: &str, body: &[u8]) -> Result<Metadata, serde_json::Error> {
    let found: Inspected = serde_json::from_slice(body)?;
    let name = found.name.map(|name| name.trim_start_matches('/').to_owned()).filter(|name| !name.is_empty());
    let config = found.config.unwrap_or_default();
    let init_pid = found.state.and_then(|state| state.pid).filter(|pid| *pid != 0);
    let host = found.host_config.unwrap_or_default();
    Ok(Metadata {
        runtime: Some(Runtime::Docker),
        name,
        image: config.image,
        init_pid,
        limits: Some(host.limits()),
        stated: Statement { paths: paths_of_docker(id, &host.cgroup_parent), init: None }.with_init(init_pid, None),
        auto_remove: host.auto_remove,
        restart_policy: host.restart_policy.and_then(|policy| policy.describe()),
        restart_count: found.restart_count,
        stop_signal: config.stop_signal.filter(|signal| !signal.is_empty()),
        // A negative one waits for ever.
        stop_timeout_s: config.stop_timeout.map_or(Some(STOP_TIMEOUT_S), |seconds| u64::try_from(seconds).ok()),
        ..Metadata::default()
    }
    .bounded()
    .with_labels(config.labels))
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    name: Option<String>,
    config: Option<Config>,
    state: Option<State>,
    host_config: Option<HostConfig>,
    restart_count: Option<u32>,
}

/// Bytes; 0 and -1 are no limit.
#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct HostConfig {
    memory: i64,
    memory_swap: i64,
    memory_reservation: i64,
    cgroup_parent: String,
    restart_policy: Option<RestartPolicy>,
    auto_remove: Option<bool>,
}

impl HostConfig {
    fn limits(&self) -> Limits {
        let bytes = |value: i64| u64::try_from(value).ok().filter(|value| *value > 0);
        Limits {
            memory_bytes: bytes(self.memory),
            memory_and_swap_bytes: bytes(self.memory_swap),
            reservation_bytes: bytes(self.memory_reservation),
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct RestartPolicy {
    name: String,
    maximum_retry_count: u32,
}

impl RestartPolicy {
    /// As `docker run --restart` takes it; none for `no`, and for what is none of Docker's own: what answers may be any program of a user's.
    fn describe(self) -> Option<String> {
        match (self.name.as_str(), self.maximum_retry_count) {
            ("always" | "unless-stopped" | "on-failure", 0) => Some(self.name),
            ("on-failure", retries) => Some(format!("{}:{retries}", self.name)),
            _ => None,
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Config {
    image: Option<String>,
    labels: Labels,
    stop_signal: Option<String>,
    stop_timeout: Option<i64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    pid: Option<u32>,
}
