//! What the Kubernetes API says of pods and of their containers' ends.

use std::time::Duration;

use crate::model::{Container, SaidEnd};
use crate::past::answer::{Ended, Traces};
use crate::past::gather::whom::Whom;
use crate::past::gather::{Places, looked};

/// The API is waited for so long.
const API_WITHIN: Duration = Duration::from_secs(2);

/// How the kubelet says that the pod's containers ended.
pub async fn ask(places: &Places, whom: &Whom, traces: &mut Traces) {
    if let Err(why) = places.kubernetes.reach(API_WITHIN).await {
        return traces.looked_at.push(looked("kubernetes", false, None, why));
    }
    let uid = whom.pod_uid.clone().or_else(|| whom.container.as_ref()?.pod.as_ref()?.uid.clone());
    let Some(uid) = uid else { return };
    let mut count = 0;
    for (name, ended) in places.kubernetes.ends_of(&uid) {
        if let Some(container) = whom.container.as_ref()
            && container.name.as_ref().is_some_and(|own| *own != name)
        {
            continue;
        }
        count += 1;
        let id = ended.id().unwrap_or_default().to_owned();
        let mut container = Container { id, name: Some(name), confirmed: true, ..Container::default() };
        container.pod = whom.container.as_ref().and_then(|container| container.pod.clone());
        if container.pod.is_none() {
            container.pod = Some(crate::model::Pod { uid: Some(uid.clone()), ..crate::model::Pod::default() });
            places.kubernetes.describe(&mut container, API_WITHIN).await;
        }
        let end = SaidEnd {
            by: "the kubelet".to_owned(),
            time: ended.finished_at.clone(),
            started: ended.started_at.clone(),
            exit_code: Some(ended.exit_code),
            oom_killed: None,
            reason: ended.reason.clone(),
        };
        traces.ends.push(Ended { end, container: Some(container), ..Ended::default() });
    }
    traces.looked_at.push(looked("kubernetes", true, None, format!("{count} ends of its containers")));
}

/// Adds what the Kubernetes API says, where there are pods and it says something.
pub async fn describe(places: &Places, containers: &mut [(Container, bool)]) {
    let has_pods = containers.iter().any(|(container, _)| container.pod.is_some());
    if !has_pods || places.kubernetes.reach(API_WITHIN).await.is_err() {
        return;
    }
    for (container, _) in containers {
        places.kubernetes.describe(container, API_WITHIN).await;
    }
}
