//! The kinds of curves, and of limits that are advised: below what judges, and what puts it in words.

use schemars::JsonSchema;
use serde::Serialize;

/// What a curve shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "CurveKind")]
pub enum Kind {
    /// It climbs, and has done so for a day, over three periods or in three lives.
    Leak,
    /// It climbs, and has not been seen for long enough to call that a leak.
    Climbing,
    /// It rose at its start, and flattens.
    WarmUp,
    /// It rises and falls, and its floor does not rise.
    Sawtooth,
    /// It stood out for a short while.
    Spike,
    /// Nothing of all that.
    Steady,
    /// Page cache grows, which the kernel takes back.
    Cache,
    /// There is not enough of it.
    TooShort,
}

/// What an advised limit is good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LimitFor {
    /// What was seen, which comes and goes.
    #[default]
    All,
    /// What a climb has come to, and a little more: where that ends soon.
    ItsEnd,
    /// What a warm-up has come to.
    SoFar,
    /// The program's own memory: page cache has what is left.
    NoCache,
    /// What there was before it fell.
    Before,
    /// What there is since it fell.
    Since,
}
