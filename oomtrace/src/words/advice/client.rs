//! How a runtime's client is called for one container: which of its daemons it must ask, and what it calls the container.

use crate::model::{Container, Runtime};
use crate::profile::{self, Whose};
use crate::text::quote::quote;
use crate::words::advice::is_plain;

/// Whom a client must ask for it, as a shell takes it.
pub fn whose(container: &Container) -> Whose<'_> {
    let url = container.runtime_socket.as_ref().map(|socket| quote(&format!("unix://{socket}")).into_owned().into());
    Whose { user: container.user, url }
}

/// The engine's client that asks the container's own daemon: `docker --host unix:///srv/other.sock`. None for a runtime that has none for
/// people.
pub fn engine(container: &Container) -> Option<String> {
    (profile::of(container.runtime?).engine)(&whose(container))
}

/// What a client calls the container, where that is safe to paste. A name that looks like an id may be another one's, and so may the
/// beginning of an id be another one's name: clients take a whole id before a name, and a name before a beginning.
pub fn target(container: &Container) -> Option<&str> {
    // `db` and `cafe` are names that people give; nobody can tell a longer one from an id. nerdctl takes names and beginnings of ids together, and
    // does nothing where several fit (pkg/idutil/containerwalker).
    let digits = if container.runtime == Some(Runtime::Nerdctl) { 1 } else { 8 };
    let is_like_an_id = |name: &str| name.len() >= digits && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let id = || Some(container.id.as_str()).filter(|id| is_plain(id));
    container.name.as_deref().filter(|name| is_plain(name) && !is_like_an_id(name)).or_else(id)
}

/// The engine's client, and what it calls the container, where both are safe to paste: `docker`, `web`.
pub fn engine_target(container: &Container) -> Option<(String, &str)> {
    let engine = engine(Some(container).filter(|container| container.confirmed)?)?;
    Some((engine, target(container)?))
}
