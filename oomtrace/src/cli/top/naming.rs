//! Asks runtimes what the containers on the screen are called.

use std::sync::Arc;
use std::time::{Duration, Instant};

use oomtrace::container::directory::Directory;
use oomtrace::kubernetes::Kubernetes;
use oomtrace::placement::{On, Placement};
use oomtrace::redact::Privacy;
use oomtrace::screen::names::Named;
use tokio::task::JoinSet;

use super::shared::Shared;

/// Questions at a time.
const ASKING: usize = 4;
/// The Kubernetes API is waited for so long.
const API_WITHIN: Duration = Duration::from_secs(1);

/// Asks as long as somebody wants names. Must run inside a `LocalSet`.
pub async fn answer(shared: Arc<Shared>, on: On, directory: Directory, kubernetes: Kubernetes, privacy: Privacy) {
    let started = Instant::now();
    loop {
        shared.wanted.notified().await;
        let mut asking = JoinSet::new();
        for (cgroup, restarts) in shared.take_wanted() {
            while asking.len() >= ASKING {
                asking.join_next().await;
            }
            let (shared, directory, kubernetes) = (Arc::clone(&shared), directory.clone(), kubernetes.clone());
            asking.spawn_local(async move {
                let (named, _) = name(&cgroup, on, &directory, &kubernetes, privacy).await;
                shared.name(cgroup, named, restarts, started.elapsed().as_secs());
            });
        }
        while asking.join_next().await.is_some() {}
    }
}

/// What the cgroup at that path of the hierarchy that is followed is called; and what its runtime did not say of it, in words.
pub async fn name(
    cgroup: &str,
    on: On,
    directory: &Directory,
    kubernetes: &Kubernetes,
    privacy: Privacy,
) -> (Named, Option<String>) {
    let place = Placement::parse(cgroup).container.filter(|place| place.cgroup == cgroup);
    // It is a container's that its path does not tell.
    let Some(place) = place else { return (Named::Unnamed, None) };
    let Some((mut container, missing)) = directory.describe(&place.on(on)).await else {
        return (Named::NoContainer, None);
    };
    kubernetes.describe(&mut container, API_WITHIN).await;
    privacy.container(&mut container);
    (Named::Container(Box::new(container)), missing.map(|why| privacy.text(&why)))
}
