//! What Docker's lists have of containers by a name: the machine's, and where nobody else knows the name, those of users' own daemons.

use std::time::Duration;

use tokio::task::JoinSet;

use crate::container::metadata::Metadata;
use crate::container::runtime::docker::{Docker, DockerError};
use crate::container::sockets;
use crate::model::Container;
use crate::past::gather::ended::ended;
use crate::past::gather::whom::Whom;
use crate::past::target::{Asked, best_fitting};

/// Users whose own Docker is asked, and for how long, all together: each may take its time.
const MAX_USERS: usize = 8;
const WITHIN: Duration = Duration::from_secs(2);
/// Containers of one name that are listed as candidates.
const MAX_NAMED: usize = 8;

/// All containers of Docker's; where they are too many to be read, those that are called `word`.
///
/// # Errors
/// When Docker does not answer in time.
pub async fn named(docker: &Docker, word: &str) -> Result<Vec<(String, Metadata)>, DockerError> {
    match docker.list_all().await {
        Err(error @ DockerError::Answer { .. }) => docker.list_named(word).await.map_err(|_| error),
        Ok(listed) if listed.cut => {
            let named = docker.list_named(word).await.unwrap_or_default();
            Ok(listed.containers.into_iter().chain(named).collect())
        }
        all => all.map(|listed| listed.containers),
    }
}

/// Containers of users' own daemons that are called so. A user's word is asked for where nobody else knows the name. Must run inside a
/// `LocalSet`.
pub async fn of_users(asked: &Asked) -> Vec<Whom> {
    let mut asking = JoinSet::new();
    let users = sockets::users().into_iter().map(|uid| (uid, Docker::of_user(uid)));
    for (uid, docker) in users.filter(|(_, docker)| docker.socket().exists()).take(MAX_USERS) {
        let word = asked.word.clone();
        asking.spawn_local(async move {
            let all = named(&docker, &word).await.unwrap_or_default().into_iter();
            all.map(|(id, metadata)| Container { user: Some(uid), ..ended(id, &metadata) }).collect::<Vec<_>>()
        });
    }
    let until = tokio::time::Instant::now() + WITHIN;
    let mut found: Vec<Container> = Vec::new();
    while let Ok(Some(containers)) = tokio::time::timeout_at(until, asking.join_next()).await {
        found.extend(containers.unwrap_or_default());
    }
    let best = best_fitting(found, &asked.word).into_iter().take(MAX_NAMED);
    best.map(|container| Whom::container(container, Some(false))).collect()
}
