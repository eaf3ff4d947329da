//! Which service of Compose's a container is of.

use crate::model::Container;

/// Labels of Compose, which podman-compose writes as well.
const PROJECT: &str = "com.docker.compose.project";
const SERVICE: &str = "com.docker.compose.service";

/// A service of a project, as a container's labels say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compose<'a> {
    pub project: &'a str,
    pub service: &'a str,
    /// The container has a name that Compose gives. Labels alone prove nothing, for an image may have any; a name is given by whoever makes
    /// the container.
    pub is_named: bool,
}

impl<'a> Compose<'a> {
    /// Of a container that has both labels.
    #[must_use]
    pub fn of(container: &'a Container) -> Option<Self> {
        let label = |key: &str| Some(container.labels.as_ref()?.get(key)?.as_str()).filter(|value| !value.is_empty());
        let (project, service) = (label(PROJECT)?, label(SERVICE)?);
        Some(Self { project, service, is_named: is_composes_name(container.name.as_deref(), project, service) })
    }

    /// `shop/web`
    #[must_use]
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.project, self.service)
    }
}

/// The name is one that Compose gives a container of that service: `PROJECT-SERVICE-NUMBER`, in its first version with `_`.
fn is_composes_name(name: Option<&str>, project: &str, service: &str) -> bool {
    ['-', '_'].into_iter().any(|between| {
        let rest = name.and_then(|name| name.strip_prefix(project)?.strip_prefix(between)?.strip_prefix(service));
        rest.is_some_and(|rest| rest.starts_with(between))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_made_of_project_service_and_number() {
        for (name, is_its) in [
            (Some("shop-web-1"), true),
            (Some("shop_web_1"), true),
            (Some("shop-web-run-1f2e3d"), true),
            (Some("shop-web"), false),
            (Some("shop-web2-1"), false),
            (Some("web"), false),
            (None, false),
        ] {
            assert_eq!(is_composes_name(name, "shop", "web"), is_its, "{name:?}");
        }
    }
}
