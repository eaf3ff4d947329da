//! The rules of memory against each other, on curves whose truth is known: `cargo bench -p oomtrace --bench rules`. Prints a section for
//! BENCHMARKS.md. With `classes` as an argument, also what each rule says by class; with `own`, only oomtrace's rows; with `why`, only what it says of
//! each curve.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::indexing_slicing,
    reason = "a measurement that cannot go on fails by panicking, and prints what it found"
)]

#[path = "rules/coroot.rs"]
mod coroot;
#[path = "rules/curve.rs"]
mod curve;
#[path = "rules/healthy.rs"]
mod healthy;
#[path = "rules/krr.rs"]
mod krr;
#[path = "rules/later.rs"]
mod later;
#[path = "rules/leaks.rs"]
mod leaks;
#[path = "rules/own.rs"]
mod own;
#[path = "rules/predict_linear.rs"]
mod predict_linear;
#[path = "rules/random.rs"]
mod random;
#[path = "rules/real.rs"]
mod real;
#[path = "rules/rule.rs"]
mod rule;
#[path = "rules/score.rs"]
mod score;
#[path = "rules/table.rs"]
mod table;
#[path = "rules/unseen.rs"]
mod unseen;
#[path = "rules/vpa.rs"]
mod vpa;

use curve::Curve;
use predict_linear::PredictLinear;
use random::Random;
use rule::Rule;
use table::Group;

/// Curves of each class.
const SEEDS: u64 = 6;

fn main() {
    let rules: [&dyn Rule; 6] = [
        &own::Oomtrace,
        &coroot::Coroot,
        &PredictLinear { share: None },
        &PredictLinear { share: Some(0.7) },
        &vpa::Vpa,
        &krr::Krr,
    ];
    let arguments: Vec<String> = std::env::args().collect();
    let is_own = arguments.iter().any(|argument| argument == "own");
    let rules: Vec<&dyn Rule> = rules.into_iter().take(if is_own { 1 } else { usize::MAX }).collect();
    let held_out = made(leaks::CLASSES.iter().chain(healthy::CLASSES));
    let later = made(later::CLASSES.iter());
    let unseen = made(unseen::CLASSES.iter());
    let real = real::curves();
    if arguments.iter().any(|argument| argument == "why") {
        held_out
            .iter()
            .chain(&later)
            .chain(&unseen)
            .chain(&real)
            .for_each(|curve| println!("{}", own::explained(curve)));
        return;
    }
    let scored = |name, curves: &[Curve]| Group {
        name,
        rules: rules.iter().map(|rule| (*rule, score::score(*rule, curves))).collect(),
    };
    let groups = [
        scored("36 classes", &held_out),
        scored("11 classes, later", &later),
        scored("44 classes, unseen", &unseen),
        scored("real programs", &real),
    ];
    let tables = [table::leaks(&groups), table::warnings(&groups), table::limits(&groups)];
    println!("{}\n{}", include_str!("rules/section.md"), tables.join("\n").trim_end());
    if arguments.iter().any(|argument| argument == "classes") {
        groups.iter().for_each(|group| println!("\n{}", table::classes(group)));
    }
}

fn made<'a>(classes: impl Iterator<Item = &'a (&'static str, fn(&'static str, &mut Random) -> Curve)>) -> Vec<Curve> {
    classes.flat_map(|(name, make)| (1..=SEEDS).map(move |seed| make(name, &mut Random::new(name, seed)))).collect()
}
