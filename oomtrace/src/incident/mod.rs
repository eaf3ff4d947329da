//! An incident: one kill episode with one verdict. The model that the JSON contract is made of, and the correlator that
//! groups raw events into episodes.

pub mod asking;
pub mod assemble;
pub mod clients;
pub mod correlate;
pub mod effect;
pub mod gfp;
pub mod model;
pub mod oom;
pub mod path;
pub mod quote;
pub mod text;
