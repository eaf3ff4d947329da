//! Curves of real programs, as real/record.py has recorded them; a second stands for a minute.

use std::fs;
use std::path::Path;

use super::curve::{Curve, Sample, Truth};

const KIB: f64 = 1024.0;
/// A Monday, 00:00 UTC.
const START: f64 = 1_790_553_600.0;

/// All of them, by name.
pub fn curves() -> Vec<Curve> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/rules/real");
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "csv"))
        .collect();
    files.sort();
    files.iter().map(|path| curve(path)).collect()
}

fn curve(path: &Path) -> Curve {
    let text = fs::read_to_string(path).unwrap();
    let name: &'static str = String::leak(path.file_stem().unwrap().to_string_lossy().into_owned());
    let facts = text.lines().nth(1).unwrap();
    let of = |fact: &str| facts.split(fact).nth(1).unwrap().split(' ').next().unwrap().parse::<f64>().unwrap();
    let (is_leak, limit) = (of("leak=") > 0.0, of("limit_mib=") * KIB * KIB);
    let (mut samples, mut last) = (Vec::new(), [0.0; 3]);
    for (minute, row) in text.lines().skip(3).enumerate() {
        let fields: Vec<&str> = row.split(',').collect();
        for (size, field) in last.iter_mut().zip(&fields) {
            if !field.is_empty() {
                *size = field.parse::<f64>().unwrap() * KIB;
            }
        }
        let restart = fields.get(3) == Some(&"R");
        let t = START + 60.0 * minute as f64;
        samples.push(Sample { t, anon: last[0], file: last[1], shmem: last[2], limit, restart });
    }
    let since = samples.iter().rfind(|sample| sample.restart).unwrap_or(&samples[0]).t;
    let full = samples.iter().position(|sample| sample.t > since && sample.need() >= limit);
    let reached = full.map(|at| samples[at].t);
    samples.truncate(full.filter(|_| is_leak).unwrap_or(samples.len()));
    let truth = if is_leak { Truth::Leak { since, reached } } else { Truth::NoLeak };
    Curve { class: name, samples, truth, is_periodic: false }
}
