//! A container as it is known when it has ended.

use crate::container::metadata::Metadata;
use crate::model::Container;

/// A container that has ended. Where its cgroup was goes by its runtime's driver and settings: nobody says it any longer.
pub fn ended(id: String, metadata: &Metadata) -> Container {
    let mut container = Container { id, confirmed: true, ..Container::default() };
    metadata.describe(&mut container);
    container
}
