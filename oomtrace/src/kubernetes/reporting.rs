//! Events on pods: one for each kind of kill of a container, counted when it comes again (`series`), a few a second at most.
//!
//! Of an Event that is there only `series` can be changed (k8s validation): another cause or another limit is another Event.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use hyper::StatusCode;
use jiff::Timestamp;
use kube::Client;
use serde_json::json;

use crate::kubernetes::api::{exchange, refusal};
use crate::kubernetes::lock;
use crate::kubernetes::object::PodObject;
use crate::kubernetes::pods::Pods;
use crate::kubernetes::report::Report;
use crate::text::clip;

/// As the API's fields have it.
const CONTROLLER: &str = "oomtrace";
const ACTION: &str = "Kill";
/// Bytes of an Event's note (events.k8s.io/v1).
const NOTE: usize = 1024;
const INSTANCE: usize = 128;
/// For this long a like one is counted with the first, as other reporters do.
const SERIES: Duration = Duration::from_secs(360);
/// Series that are remembered.
const MOST: usize = 512;
/// So many are put at once, and so many a second afterwards.
const BURST: f64 = 25.0;
const A_SECOND: f64 = 5.0;
/// A series is counted anew so often at most: what comes in between is counted with the next.
const COUNTED_EVERY: Duration = Duration::from_secs(1);
/// Rights are given and taken while it runs.
const DENIED_FOR: Duration = Duration::from_secs(600);

/// See the module's documentation.
pub struct Reporting {
    client: Client,
    node: String,
    series: HashMap<String, Series>,
    room: f64,
    filled: Instant,
    /// When the API did not let it: it is not tried for a while.
    denied: Option<Instant>,
    number: u64,
}

struct Series {
    name: String,
    namespace: String,
    count: u32,
    last: Instant,
    /// When its count was put last.
    put: Instant,
}

impl Reporting {
    pub fn new(client: Client, node: String) -> Self {
        let node: String = node.chars().take(INSTANCE).collect();
        let filled = Instant::now();
        Self { client, node, series: HashMap::new(), room: BURST, filled, denied: None, number: 0 }
    }

    /// Puts it on its pod; what cannot be is counted.
    pub async fn put(&mut self, report: Report, pods: &Mutex<Pods>) {
        let object = lock(pods).find(&report.uid).ok().map(|(object, _)| object);
        let is_denied = self.denied.is_some_and(|at| at.elapsed() < DENIED_FOR);
        let Some(object) = object.filter(|_| !is_denied) else { return lock(pods).count_unsaid() };
        let now = Instant::now();
        let key = format!("{} {}", report.uid, report.likeness);
        let like = self.series.get_mut(&key).filter(|series| now.duration_since(series.last) < SERIES);
        let is_due = match like {
            Some(series) => {
                series.count = series.count.saturating_add(1);
                series.last = now;
                if now.duration_since(series.put) < COUNTED_EVERY {
                    return;
                }
                series.put = now;
                true
            }
            None => false,
        };
        self.wait_for_room().await;
        let done = if is_due { self.count(&key).await } else { self.create(&report, &object, key).await };
        if let Err(why) = done {
            lock(pods).count_unsaid();
            log::warn!("no Event on pod {}/{}: {why}", object.metadata.namespace, object.metadata.name);
        }
    }

    async fn wait_for_room(&mut self) {
        let now = Instant::now();
        self.room = (self.room + now.duration_since(self.filled).as_secs_f64() * A_SECOND).min(BURST);
        self.filled = now;
        if self.room < 1.0 {
            tokio::time::sleep(Duration::from_secs_f64((1.0 - self.room) / A_SECOND)).await;
            self.room = 1.0;
            self.filled = Instant::now();
        }
        self.room -= 1.0;
    }

    async fn create(&mut self, report: &Report, object: &Arc<PodObject>, key: String) -> Result<(), String> {
        self.number = self.number.wrapping_add(1);
        let at = Timestamp::now();
        let (namespace, pod) = (&object.metadata.namespace, &object.metadata.name);
        let name = format!("{}.{:x}.{:x}", clip(pod, 200), at.as_nanosecond(), self.number);
        let field = report.container.as_ref().map(|container| format!("spec.containers{{{container}}}"));
        let event = json!({
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": { "name": name, "namespace": namespace },
            "eventTime": micros(at),
            "reportingController": CONTROLLER,
            "reportingInstance": self.node,
            "action": ACTION,
            "reason": report.reason,
            "type": "Warning",
            "note": clip(&report.note, NOTE),
            "regarding": {
                "apiVersion": "v1", "kind": "Pod", "name": pod, "namespace": namespace, "uid": object.uid(), "fieldPath": field,
            },
        });
        let path = format!("/apis/events.k8s.io/v1/namespaces/{namespace}/events");
        let request = hyper::Request::post(path).header(hyper::header::CONTENT_TYPE, "application/json");
        self.send(request, &event).await?;
        let now = Instant::now();
        if self.series.len() >= MOST {
            self.series.retain(|_, series| now.duration_since(series.last) < SERIES);
        }
        if self.series.len() >= MOST {
            let oldest = self.series.iter().min_by_key(|(_, series)| series.last).map(|(key, _)| key.clone());
            oldest.map(|oldest| self.series.remove(&oldest));
        }
        let series = Series { name, namespace: namespace.clone(), count: 1, last: now, put: now };
        self.series.insert(key, series);
        Ok(())
    }

    async fn count(&mut self, key: &str) -> Result<(), String> {
        let Some(series) = self.series.get(key) else { return Ok(()) };
        let path = format!("/apis/events.k8s.io/v1/namespaces/{}/events/{}", series.namespace, series.name);
        let patch = json!({ "series": { "count": series.count, "lastObservedTime": micros(Timestamp::now()) } });
        let request = hyper::Request::patch(path).header(hyper::header::CONTENT_TYPE, "application/merge-patch+json");
        let done = self.send(request, &patch).await;
        if done.is_err() {
            // It may have been removed: the next one is a new Event.
            self.series.remove(key);
        }
        done
    }

    async fn send(&mut self, request: hyper::http::request::Builder, body: &serde_json::Value) -> Result<(), String> {
        let request = request.body(body.to_string().into_bytes()).map_err(|error| error.to_string())?;
        let (status, body) = exchange(&self.client, request).await?;
        if status.is_success() {
            return Ok(());
        }
        let why = refusal(status, &body);
        // A namespace that is being removed, or has enough of them, forbids it as well.
        if status == StatusCode::FORBIDDEN && why.contains(" cannot create resource \"events\" ") {
            self.denied = Some(Instant::now());
        }
        Err(why)
    }
}

/// As the API's MicroTime has it.
fn micros(time: Timestamp) -> String {
    format!("{time:.6}")
}
