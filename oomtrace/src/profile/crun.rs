//! crun by itself, without an engine above it.

use crate::model::Runtime;
use crate::profile::{Profile, by_itself, oci_update};

pub const PROFILE: Profile = by_itself(Runtime::Crun, &["crun"], |update| oci_update("crun", update));
