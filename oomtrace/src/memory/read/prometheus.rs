//! The answer to a Prometheus range query (`/api/v1/query_range`), of one container: its series by what cAdvisor calls them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::memory::read::{ReadError, shown};
use crate::memory::sample::Sample;

/// What Prometheus answered.
#[derive(Deserialize)]
pub struct Answer {
    #[serde(default)]
    error: Option<String>,
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: serde_json::Value,
}

#[derive(Deserialize)]
struct Found {
    #[serde(default)]
    metric: BTreeMap<String, String>,
    #[serde(default)]
    values: Vec<(f64, String)>,
}

/// Labels that say which container a series is of, where it has them: others tell of the place that it was scraped from, and each exporter has
/// its own.
const OF_A_CONTAINER: &[&[&str]] = &[
    &["namespace", "pod", "container"],
    &["namespace", "pod_name", "container_name"],
    &["kubernetes_namespace", "kubernetes_pod_name", "container_name"],
];
/// Labels that tell of one container's series from which place they come, where nothing says which container they are of.
const OF_THE_SCRAPE: &[&str] =
    &["__name__", "job", "instance", "endpoint", "metrics_path", "service", "prometheus", "resource", "unit", "uid"];

/// What a metric says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Size {
    Anon,
    File,
    Shmem,
    Usage,
    /// Usage without the page cache that is not in use.
    WorkingSet,
    Limit,
}

impl Size {
    /// By the metric's name; none where it is no size of a container. One without a name is what a query has reckoned.
    fn of(metric: &BTreeMap<String, String>) -> Option<Self> {
        let is_of_memory = || metric.get("resource").is_none_or(|resource| resource == "memory");
        match metric.get("__name__").map(String::as_str) {
            None => Some(Self::WorkingSet),
            Some("container_memory_rss") => Some(Self::Anon),
            Some("container_memory_cache") => Some(Self::File),
            Some("container_memory_shmem" | "container_memory_total_shmem_bytes") => Some(Self::Shmem),
            Some("container_memory_usage_bytes") => Some(Self::Usage),
            Some("container_memory_working_set_bytes" | "process_resident_memory_bytes") => Some(Self::WorkingSet),
            Some("container_spec_memory_limit_bytes" | "kube_pod_container_resource_limits_memory_bytes") => {
                Some(Self::Limit)
            }
            Some("kube_pod_container_resource_limits") if is_of_memory() => Some(Self::Limit),
            Some(_) => None,
        }
    }
}

/// None where it is none, but samples.
#[must_use]
pub fn answer(text: &str) -> Option<Answer> {
    let answer: Answer = serde_json::from_str(text).ok()?;
    (answer.data.is_some() || answer.error.is_some()).then_some(answer)
}

pub fn read(answer: Answer) -> Result<Vec<Sample>, ReadError> {
    let wrong = |why: String| ReadError::Prometheus(why);
    if let Some(error) = answer.error {
        return Err(wrong(format!("Prometheus answered: {error}")));
    }
    let data = answer.data.ok_or(ReadError::Empty)?;
    if data.result_type != "matrix" {
        return Err(wrong(format!("it is a {}: a range query (query_range) gives a curve", data.result_type)));
    }
    let found: Vec<Found> = serde_json::from_value(data.result).map_err(|error| wrong(error.to_string()))?;
    if found.is_empty() {
        return Err(ReadError::NoSeries);
    }
    let mut containers: BTreeMap<BTreeMap<String, String>, Vec<Found>> = BTreeMap::new();
    let mut strange = None;
    for series in found.into_iter().filter(|series| !series.values.is_empty()) {
        if Size::of(&series.metric).is_none() {
            strange = series.metric.get("__name__").cloned();
            continue;
        }
        containers.entry(container(&series.metric)).or_default().push(series);
    }
    if let (Some(name), true) = (strange, containers.is_empty()) {
        return Err(wrong(format!(
            "{name} is no size of a container's memory: ask for container_memory_rss, container_memory_usage_bytes or \
             container_memory_working_set_bytes"
        )));
    }
    let mut lives: Vec<Vec<Sample>> = containers.into_values().map(one).collect::<Result<_, _>>()?;
    lives.retain(|life| !life.is_empty());
    let first = |life: &[Sample]| life.first().map_or(0.0, |sample| sample.t);
    lives.sort_by(|a, b| first(a).total_cmp(&first(b)));
    let overlap = |(a, b): (&Vec<Sample>, &Vec<Sample>)| a.last().is_some_and(|last| last.t >= first(b));
    let count = lives.len();
    if lives.iter().zip(lives.iter().skip(1)).any(overlap) {
        return Err(wrong(format!(
            "it has {count} containers at the same time: narrow the query to one, by its labels"
        )));
    }
    // A pod after the other: each is a life.
    for life in lives.iter_mut().skip(1) {
        if let Some(sample) = life.first_mut() {
            sample.restart = true;
        }
    }
    Ok(lives.concat())
}

/// Which container a series is of, by its labels.
fn container(metric: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let named = |labels: &&[&str]| {
        let pairs = labels.iter().map(|label| metric.get(*label).filter(|value| !value.is_empty()));
        pairs.collect::<Option<Vec<&String>>>()
    };
    if let Some(names) = OF_A_CONTAINER.iter().copied().find_map(|labels| named(&labels)) {
        let keys = ["namespace", "pod", "container"].map(str::to_owned);
        return keys.into_iter().zip(names.into_iter().cloned()).collect();
    }
    let others = metric.iter().filter(|(key, _)| !OF_THE_SCRAPE.contains(&key.as_str()));
    others.map(|(key, value)| (key.clone(), value.clone())).collect()
}

/// The samples of one container.
fn one(series: Vec<Found>) -> Result<Vec<Sample>, ReadError> {
    // By the bits of the time: times are those of one query's steps.
    let mut samples: BTreeMap<u64, Sample> = BTreeMap::new();
    for found in series {
        let Some(size) = Size::of(&found.metric) else { continue };
        for (t, value) in found.values {
            let value: f64 =
                value.parse().map_err(|_| ReadError::Prometheus(format!("{:?} is no number", shown(&value))))?;
            if !t.is_finite() || t < 0.0 || !value.is_finite() {
                continue;
            }
            let sample = samples.entry(t.to_bits()).or_insert(Sample { t, ..Sample::default() });
            match size {
                Size::Anon => sample.anon = Some(value),
                Size::File => sample.file = Some(value),
                Size::Shmem => sample.shmem = Some(value),
                Size::Limit => sample.limit = Some(value),
                Size::Usage => sample.usage = Some(value),
                Size::WorkingSet => sample.working_set = Some(value),
            }
        }
    }
    Ok(samples.into_values().filter(Sample::has_size).collect())
}
