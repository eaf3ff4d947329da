//! What `oomtrace top` shows, from what is followed and what was seen to a frame. Pure: whoever has a terminal hands in keys, rows and
//! records, and draws what comes out; no clock, no files.

pub mod entry;
pub mod glyphs;
pub mod incidents;
pub mod key;
pub mod kills;
pub mod listing;
pub mod names;
pub mod order;
pub mod painted;
pub mod state;
pub mod table;
pub mod view;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
