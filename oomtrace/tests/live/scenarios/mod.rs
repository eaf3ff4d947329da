//! The scenarios, by theme.

mod conditions;
mod containerd;
mod curves;
mod daemons;
mod debugging;
mod docker;
mod gallery;
mod health;
mod history;
mod host;
mod hostile;
mod image;
mod machine;
mod oom;
mod output;
mod past;
mod paths;
mod podman;
mod reasons;
mod remedies;
mod requester;
mod runtimes;
mod stops;
mod storm;
mod systemd;
mod top;

use crate::Scenario;

/// Those of the gallery: only where they are asked for.
pub fn of_gallery() -> Vec<Scenario> {
    gallery::scenarios()
}

pub fn all() -> Vec<Scenario> {
    [
        host::ALL,
        paths::ALL,
        past::ALL,
        debugging::ALL,
        oom::ALL,
        machine::ALL,
        docker::ALL,
        curves::ALL,
        containerd::ALL,
        requester::ALL,
        reasons::ALL,
        runtimes::ALL,
        podman::ALL,
        remedies::ALL,
        stops::ALL,
        systemd::ALL,
        image::ALL,
        daemons::ALL,
        output::ALL,
        health::ALL,
        history::ALL,
        storm::ALL,
        conditions::ALL,
        top::ALL,
    ]
    .into_iter()
    .chain(hostile::ALL.iter().copied())
    .flatten()
    .map(|Scenario { name, needs, run }| Scenario { name, needs, run: *run })
    .collect()
}
