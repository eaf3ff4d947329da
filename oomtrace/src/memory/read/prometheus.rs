//! The answer to a Prometheus range query (`/api/v1/query_range`), of one container: its series by what cAdvisor calls them.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::memory::read::ReadError;
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

/// Labels that tell of one container's series from which place they come, and not of which container they are.
const OF_THE_SCRAPE: &[&str] =
    &["__name__", "job", "instance", "endpoint", "metrics_path", "service", "prometheus", "resource", "unit", "uid"];

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
    let mut containers: BTreeMap<BTreeMap<String, String>, Vec<Found>> = BTreeMap::new();
    for series in found.into_iter().filter(|series| !series.values.is_empty()) {
        let of = series.metric.iter().filter(|(key, _)| !OF_THE_SCRAPE.contains(&key.as_str()));
        containers.entry(of.map(|(key, value)| (key.clone(), value.clone())).collect()).or_default().push(series);
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

/// The samples of one container.
fn one(series: Vec<Found>) -> Result<Vec<Sample>, ReadError> {
    // By the bits of the time: times are those of one query's steps.
    let mut samples: BTreeMap<u64, Sample> = BTreeMap::new();
    for found in series {
        let name = found.metric.get("__name__").map(String::as_str).unwrap_or_default();
        for (t, value) in found.values {
            let value: f64 = value.parse().map_err(|_| ReadError::Prometheus(format!("{value:?} is no number")))?;
            if !t.is_finite() || t < 0.0 || !value.is_finite() {
                continue;
            }
            let sample = samples.entry(t.to_bits()).or_insert(Sample { t, ..Sample::default() });
            match name {
                "container_memory_rss" => sample.anon = Some(value),
                "container_memory_cache" => sample.file = Some(value),
                "container_spec_memory_limit_bytes" | "kube_pod_container_resource_limits" => {
                    sample.limit = Some(value)
                }
                "container_memory_usage_bytes" => sample.usage = Some(value),
                // Usage without the page cache that is not in use; where both are there, usage is what counts towards the limit.
                _ => sample.usage = sample.usage.or(Some(value)),
            }
        }
    }
    Ok(samples.into_values().filter(Sample::has_size).collect())
}
