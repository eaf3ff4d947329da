//! Programs in Go. Nothing but their code shows the language: those that many run are known by name, others by where Go's own tools
//! put them.

use crate::text::bytes;
use crate::words::advice::program::{Program, Setting};

const KNOWN: [&str; 30] = [
    "alertmanager",
    "caddy",
    "cockroach",
    "consul",
    "containerd",
    "coredns",
    "dockerd",
    "etcd",
    "gitea",
    "grafana",
    "grafana-server",
    "influxd",
    "k3s",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-scheduler",
    "kubelet",
    "loki",
    "minio",
    "nats-server",
    "nomad",
    "otelcol",
    "otelcol-contrib",
    "prometheus",
    "promtail",
    "telegraf",
    "tempo",
    "traefik",
    "vault",
    "victoria-metrics",
];
/// Of the limit: the rest is for stacks of C code, mapped files and what the runtime does not count.
const SHARE: u64 = 90;

pub fn setting(program: &Program<'_>) -> Option<Setting> {
    let path = program.args.first().map(String::as_str).unwrap_or_default();
    // `go install` and ko.
    let is_placed = ["/go/bin/", "/ko-app/"].iter().any(|place| path.starts_with(place));
    if !is_placed && !KNOWN.contains(&program.exe) {
        return None;
    }
    let mib = program.exact_mib(SHARE);
    (mib > 0).then(|| Setting {
        action: format!("set GOMEMLIMIT={mib}MiB"),
        why: format!(
            "Go lets its heap double before it collects garbage, whatever the limit is; with this it collects before {} are full (1.19 and later)",
            bytes(program.limit)
        ),
        at_fault: false,
    })
}
