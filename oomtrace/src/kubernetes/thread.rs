//! The thread that talks to the API: it watches the pods of this node, and answers what is asked.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::StreamExt as _;
use k8s_openapi::api::core::v1 as core;
use kube::api::ApiResource;
use kube::core::{Object, ObjectMeta};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event};
use kube::{Api, Client};
use serde::Deserialize;
use tokio::sync::{Notify, Semaphore, mpsc};

use crate::kubernetes::access::{Access, AccessError};
use crate::kubernetes::api::{self, ApiServer, WITHIN};
use crate::kubernetes::object::{
    Annotations, GENERATION, HASH, Labels, MIRROR, OwnerReference, PodMetadata, PodObject, PodSpec, PodStatus,
};
use crate::kubernetes::pods::Pods;
use crate::kubernetes::report::Report;
use crate::kubernetes::reporting::Reporting;
use crate::kubernetes::{Ask, EventsMode, Link, Options, WAITING, lock, node_name};
use crate::own::writer;

/// Questions that the API is asked at a time.
const ASKING: usize = 4;
/// Pods of a list that are read at a time: each may have more than a megabyte (etcd's limit), and whoever may make pods may make them so.
const PAGE: u32 = 10;
const CONNECT_WITHIN: Duration = Duration::from_secs(5);
const STACK: usize = 1 << 20;
/// What the API did not say is asked again after this time.
const AGAIN: Duration = Duration::from_secs(10);

type ApiPod = Object<PodSpec, PodStatus>;

/// Starts it.
///
/// # Errors
/// When there can be no thread.
pub fn start(access: Access, options: &Options) -> Result<Link, AccessError> {
    let pods = Arc::new(Mutex::new(Pods::default()));
    let listed = Arc::new(Notify::new());
    let (asks, asked) = mpsc::channel(WAITING);
    let (events, reports) = mpsc::channel(WAITING);
    let wants_events = match options.events {
        EventsMode::On => true,
        EventsMode::Off => false,
        EventsMode::InCluster => access.in_cluster,
    };
    let talk = Talk {
        access,
        options: options.clone(),
        pods: Arc::clone(&pods),
        listed: Arc::clone(&listed),
        asked,
        reports,
        wants_events,
    };
    let left = Arc::clone(&pods);
    let work = move || {
        if let Err(why) = talk.run() {
            log::error!("the Kubernetes API is not asked: {why}");
            lock(&left).end(why.to_string());
        }
    };
    writer::spawn_sized("kubernetes", STACK, work).map_err(AccessError::Thread)?;
    Ok(Link { pods, listed, asks, events })
}

struct Talk {
    access: Access,
    options: Options,
    pods: Arc<Mutex<Pods>>,
    listed: Arc<Notify>,
    asked: mpsc::Receiver<Ask>,
    reports: mpsc::Receiver<Report>,
    wants_events: bool,
}

impl Talk {
    fn run(self) -> Result<(), std::io::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(2).build()?;
        tokio::task::LocalSet::new().block_on(&runtime, self.talk())
    }

    async fn talk(self) -> Result<(), std::io::Error> {
        let Self { mut access, options, pods, listed, mut asked, mut reports, wants_events } = self;
        access.config.connect_timeout = Some(CONNECT_WITHIN);
        let client = Client::try_from(access.config).map_err(std::io::Error::other)?;
        let node = node_name(&client, &options, &pods).await;
        tokio::task::spawn_local(watch(client.clone(), node.clone(), Arc::clone(&pods), listed));
        tokio::task::spawn_local(version(client.clone(), Arc::clone(&pods)));
        let server = Rc::new(ApiServer::new(client.clone(), node.clone()));
        if wants_events {
            let pods = Arc::clone(&pods);
            tokio::task::spawn_local(async move {
                let mut reporting = Reporting::new(client, node);
                while let Some(report) = reports.recv().await {
                    reporting.put(report, &pods).await;
                }
            });
        } else {
            reports.close();
        }
        let room = Rc::new(Semaphore::new(ASKING));
        while let Some(ask) = asked.recv().await {
            let (server, room) = (Rc::clone(&server), Rc::clone(&room));
            tokio::task::spawn_local(async move {
                // It is never closed.
                let Ok(_room) = room.acquire().await else { return };
                if ask.reply.is_closed() {
                    // Nobody waits for it any more.
                    return;
                }
                let say = |answer| {
                    // Whoever asked may have stopped waiting.
                    _ = ask.reply.send(answer);
                };
                match tokio::time::timeout(WITHIN, server.answer(&ask, say)).await {
                    Ok(Ok(())) => {}
                    Ok(Err(why)) => say(Err(why)),
                    Err(_) => say(Err("it takes too long to answer".to_owned())),
                }
            });
        }
        Ok(())
    }
}

/// Asks until the API says what this node is called.
async fn node_name(client: &Client, options: &Options, pods: &Mutex<Pods>) -> String {
    loop {
        match node_name::find(client, options).await {
            Ok(name) => {
                lock(pods).set_node(&name);
                return name;
            }
            Err(why) => lose(pods, why),
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// The API does not answer, which is said once for each reason.
fn lose(pods: &Mutex<Pods>, why: String) {
    let mut pods = lock(pods);
    if pods.lost() != Some(why.as_str()) {
        log::warn!("the Kubernetes API does not say which pods there are: {why}");
    }
    pods.lose(why);
}

#[derive(Deserialize)]
struct Version {
    minor: String,
}

async fn version(client: Client, pods: Arc<Mutex<Pods>>) {
    loop {
        if let Ok(Some(version)) = api::get::<Version>(&client, "/version", None).await {
            // `20+` on some.
            let digits: String = version.minor.chars().take_while(char::is_ascii_digit).collect();
            if let Ok(minor) = digits.parse() {
                lock(&pods).set_server_minor(minor);
            }
            return;
        }
        tokio::time::sleep(AGAIN).await;
    }
}

/// Follows the pods of this node, for good.
async fn watch(client: Client, node: String, all_pods: Arc<Mutex<Pods>>, listed: Arc<Notify>) {
    let resource = ApiResource::erase::<core::Pod>(&());
    let all: Api<ApiPod> = Api::all_with(client, &resource);
    let config = watcher::Config::default().fields(&format!("spec.nodeName={node}")).page_size(PAGE);
    let mut stream = std::pin::pin!(watcher::watcher(all, config).default_backoff());
    while let Some(event) = stream.next().await {
        let mut pods = lock(&all_pods);
        match event {
            Ok(Event::Apply(pod)) => pods.apply(lean(pod)),
            Ok(Event::Delete(pod)) => pods.delete(lean(pod), jiff::Timestamp::now()),
            Ok(Event::Init) => pods.begin_list(),
            Ok(Event::InitApply(pod)) => pods.list(lean(pod)),
            Ok(Event::InitDone) => {
                pods.end_list();
                listed.notify_one();
            }
            Err(error) => {
                drop(pods);
                lose(&all_pods, said(&error));
            }
        }
    }
}

fn said(error: &watcher::Error) -> String {
    use watcher::Error;
    match error {
        Error::InitialListFailed(error) | Error::WatchStartFailed(error) | Error::WatchFailed(error) => {
            api::said(error)
        }
        Error::WatchError(status) => status.message.clone(),
        other => other.to_string(),
    }
}

fn lean(pod: ApiPod) -> PodObject {
    PodObject { metadata: metadata(pod.metadata), spec: pod.spec, status: pod.status.unwrap_or_default() }
}

fn labels(mut all: BTreeMap<String, String>) -> Labels {
    Labels { template_generation: all.remove(GENERATION), template_hash: all.remove(HASH) }
}

fn metadata(meta: ObjectMeta) -> PodMetadata {
    let owner = |owner: k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference| OwnerReference {
        api_version: owner.api_version,
        kind: owner.kind,
        name: owner.name,
        uid: owner.uid,
        controller: owner.controller,
    };
    PodMetadata {
        name: meta.name.unwrap_or_default(),
        namespace: meta.namespace.unwrap_or_default(),
        uid: meta.uid.unwrap_or_default(),
        deletion_timestamp: meta.deletion_timestamp.map(|time| time.0.to_string()),
        deletion_grace_period_seconds: meta.deletion_grace_period_seconds,
        owner_references: meta.owner_references.unwrap_or_default().into_iter().map(owner).collect(),
        annotations: Annotations { mirror: meta.annotations.and_then(|mut all| all.remove(MIRROR)) },
        labels: labels(meta.labels.unwrap_or_default()),
    }
}
