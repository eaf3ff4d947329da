//! What is said to the API: an Event on a pod.

/// An Event to be put on a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub uid: String,
    /// The container that it is about.
    pub container: Option<String>,
    /// In CamelCase: `ContainerOOMKilled`.
    pub reason: &'static str,
    pub note: String,
    /// Which of those are alike: they are counted, and not put again.
    pub likeness: String,
}
