//! runc by itself, without an engine above it.

use crate::model::Runtime;
use crate::profile::{Profile, by_itself, oci_update};

pub const PROFILE: Profile = by_itself(Runtime::Runc, &["runc"], |update| oci_update("runc", update));
