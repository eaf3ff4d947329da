//! What one client has set of an object, as the API server keeps it (`metadata.managedFields`).

use serde::Deserialize;

/// The fields that a client owns, of which all have one time: when it set any of them last.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub struct ManagedField {
    pub manager: String,
    pub time: Option<String>,
    pub subresource: Option<String>,
    #[serde(rename = "fieldsV1")]
    pub fields: serde_json::Value,
}

impl ManagedField {
    /// It has set that field of `spec`.
    #[must_use]
    pub fn has_set(&self, field: &str) -> bool {
        self.fields.get("f:spec").is_some_and(|spec| spec.get(format!("f:{field}")).is_some())
    }
}
