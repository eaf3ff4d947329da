//! What Compose calls its containers.

/// The name is one that Compose gives a container of that service: `PROJECT-SERVICE-NUMBER`, in its first version with `_`. Labels alone
/// prove nothing, for an image may have any; a container's name is given by whoever makes it.
#[must_use]
pub fn is_composes_name(name: Option<&str>, project: &str, service: &str) -> bool {
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
