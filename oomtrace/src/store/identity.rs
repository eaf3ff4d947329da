//! Which incidents are of the same thing, whatever came between: a container that was made anew has another id, and mostly another name
//! of its pod. The one place that says so.

use serde_json::{Value, json};

use crate::model::{Compose, Container, Exited, Incident, Process};
use crate::placement::{may_be_given, user_manager, user_of};
use crate::text::quote::quote;
use crate::text::short_id;

/// What an incident's victim is part of, for as long as somebody keeps it running.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Identity {
    key: String,
    name: String,
}

/// See [`Identity::what`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    Container(String),
    Unit(String),
    /// The last part of its path.
    Program(String),
}

/// What the keys begin with that are of no container.
pub(super) const NOT_OF_CONTAINERS: [&str; 2] = ["[\"unit\",", "[\"program\","];

impl Identity {
    /// Of the incident's victim: a service of a Compose project; a container of a pod's owner, or of the pod where that is not known;
    /// a container's name; a systemd unit; a program of a user.
    ///
    /// Names count within what gives them alone (runtime, its user, its namespace, the container around it), and a container that its
    /// runtime has not confirmed is never taken for one that it has.
    #[must_use]
    pub fn of(incident: &Incident) -> Self {
        Self::of_named(incident, incident.container.as_ref())
    }

    /// The same of an incident whose container is this one, whatever it has so far.
    #[must_use]
    pub fn of_named(incident: &Incident, container: Option<&Container>) -> Self {
        let unit = incident.unit.as_deref().map(|unit| (unit, incident.boot_id.as_deref()));
        Self::of_place(container, unit, &incident.victim.process)
    }

    /// Of what a container's first process was in that ended, and was not killed.
    #[must_use]
    pub fn of_exit(exited: &Exited) -> Self {
        let unit = exited.unit.as_deref().map(|unit| (unit, exited.boot_id.as_deref()));
        Self::of_place(exited.container.as_ref(), unit, &exited.process)
    }

    /// `unit`: with the boot that it ran in.
    fn of_place(container: Option<&Container>, unit: Option<(&str, Option<&str>)>, process: &Process) -> Self {
        if let Some(container) = container {
            return Self::of_container(container);
        }
        let (key, name) = match unit {
            Some((unit, boot_id)) => (of_unit(unit, process.cgroup.as_deref(), boot_id), quote(unit)),
            None => {
                let program = process.exe.as_deref().unwrap_or(&process.comm);
                (json!(["program", process.uid, program]), quote(&process.comm))
            }
        };
        Self { key: key.to_string(), name: name.into_owned() }
    }

    /// Of a container.
    #[must_use]
    pub fn of_container(container: &Container) -> Self {
        let (key, name) = of_container(container);
        Self { key: key.to_string(), name }
    }

    /// As the history has it.
    pub(super) const fn kept(key: String, name: String) -> Self {
        Self { key, name }
    }

    /// The user who has made it, and can make as many others as they like; none where only root can have, or nobody knows who has.
    #[must_use]
    pub fn user(&self) -> Option<u32> {
        user(&serde_json::from_str(&self.key).ok()?).filter(|uid| *uid != 0)
    }

    /// Whose share of what is kept it counts to: all that one user has made is one's, and so is all within one container, whose root makes as
    /// many as they like in it. Equal for what is one's, and for nothing else.
    #[must_use]
    pub fn holder(&self) -> String {
        let key: Value = serde_json::from_str(&self.key).unwrap_or_default();
        match user(&key).filter(|uid| *uid != 0) {
            Some(uid) => json!(["user", uid]).to_string(),
            None => holder(&key).to_string(),
        }
    }

    /// What it is, with the name that its kind goes by; whatever else is called so has the same. None where the key has no name.
    #[must_use]
    pub fn what(&self) -> Option<What> {
        let key: Value = serde_json::from_str(&self.key).unwrap_or_default();
        let part = |at: usize| key.get(at).and_then(Value::as_str);
        match part(0) {
            Some("unit") => Some(What::Unit(part(2)?.to_owned())),
            Some("program") => Some(What::Program(part(2)?.rsplit('/').next()?.to_owned())),
            _ => Some(What::Container(self.name.clone())),
        }
    }

    /// Equal for what is the same, and for nothing else: JSON, in a form that may change.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// For a person, quoted; several may have the same.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }
}

/// By whom what a key names was made.
fn user(key: &Value) -> Option<u32> {
    let number = |value: &Value| u32::try_from(value.as_u64()?).ok();
    match key.get(0)?.as_str()? {
        // Whatever runs in it.
        "in" => user(key.get(1)?),
        "unconfirmed" => user_of(key.get(1)?.as_str()?),
        "unit" => {
            let owner = key.get(1)?.as_str()?;
            let digits = owner.strip_prefix("user@").or_else(|| owner.strip_prefix("user-"))?.split('.').next()?;
            digits.parse().ok()
        }
        "program" => number(key.get(1)?),
        // Runtime, socket and user.
        _ => number(key.get(1)?.get(2)?),
    }
}

/// Whose it is, where no user is known to have made it.
fn holder(key: &Value) -> Value {
    match key.get(0).and_then(Value::as_str) {
        Some("in") => key.get(1).map(holder).unwrap_or_default(),
        // A service may have been given cgroups to make containers in: whatever these are called, they are that one's.
        Some("unconfirmed") => {
            let cgroup = key.get(1).and_then(Value::as_str).unwrap_or_default();
            let above = cgroup.rsplit_once('/').map_or("", |(above, _)| above);
            let ends = above.match_indices('/').map(|(at, _)| at).skip(1).chain([above.len()]);
            let unit = ends.filter_map(|end| above.get(..end)).find(|path| may_be_given(path));
            unit.map_or_else(|| key.clone(), |unit| json!(["below", unit]))
        }
        // Nobody could say who ran it: it may have been anybody.
        Some("program") if key.get(1).is_none_or(Value::is_null) => json!(["program"]),
        _ => key.clone(),
    }
}

fn of_unit(unit: &str, cgroup: Option<&str>, boot_id: Option<&str>) -> Value {
    // A user's own units have the names that the user gave them, and sessions are numbered for all users together.
    let of_user = || cgroup.and_then(user_of).map(|uid| format!("user-{uid}.slice"));
    let owner = cgroup.and_then(user_manager).map(str::to_owned).or_else(of_user);
    if is_numbered(unit) { json!(["unit", owner, unit, boot_id]) } else { json!(["unit", owner, unit]) }
}

/// Named by a number that begins anew at each boot: a session of logind's, or what systemd-run runs without a name.
fn is_numbered(unit: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let session = unit.strip_suffix(".scope").and_then(|name| name.strip_prefix("session-"));
    // `c1` is a session that the audit subsystem has not numbered.
    let session = session.map(|number| number.strip_prefix('c').unwrap_or(number));
    let run = unit.strip_prefix("run-u").and_then(|name| name.split_once('.')).map(|(number, _)| number);
    session.or(run).is_some_and(is_number)
}

fn of_container(container: &Container) -> (Value, String) {
    let (mut key, name) = own(container);
    if let Some(outer) = &container.outer {
        let (around, outer) = of_container(outer);
        key = json!(["in", around, key]);
        return (key, format!("{outer} > {name}"));
    }
    (key, name)
}

fn own(container: &Container) -> (Value, String) {
    let by = json!([container.runtime.map(|runtime| runtime.name()), container.runtime_socket, container.user]);
    let id = || quote(short_id(&container.id)).into_owned();
    if !container.confirmed {
        // Whoever made the cgroup chose all of it.
        return (json!(["unconfirmed", container.cgroup]), format!("{} (unconfirmed)", id()));
    }
    let name = container.name.as_deref().filter(|name| !name.is_empty());
    if let Some(pod) = &container.pod
        && let Some(pod_name) = pod.name.as_deref().or(pod.uid.as_deref())
    {
        let namespace = pod.namespace.as_deref().unwrap_or_default();
        let own = if pod.sandbox { "sandbox" } else { name.unwrap_or(&container.id) };
        return match &pod.owner {
            Some(owner) => (
                json!(["owner", by, namespace, owner.kind, owner.name, pod.sandbox, own]),
                quote(&format!("{namespace}/{}/{own}", owner.name)).into_owned(),
            ),
            None => (
                json!(["pod", by, namespace, pod_name, pod.sandbox, own]),
                quote(&format!("{namespace}/{pod_name}/{own}")).into_owned(),
            ),
        };
    }
    // Labels may be the image's: they alone make no container another one's successor.
    if let Some(compose) = Compose::of(container).filter(|compose| compose.is_named) {
        let name = quote(&compose.full_name()).into_owned();
        return (json!(["compose", by, compose.project, compose.service]), name);
    }
    match name {
        Some(name) => (json!(["name", by, name]), quote(name).into_owned()),
        None => (json!(["id", by, container.id]), id()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Pod, PodOwner, Runtime};

    fn docker(id: &str, name: &str) -> Container {
        Container {
            id: id.to_owned(),
            name: Some(name.to_owned()),
            runtime: Some(Runtime::Docker),
            confirmed: true,
            ..Container::default()
        }
    }

    fn in_pod(id: &str, pod: &str, owner: Option<&str>, sandbox: bool) -> Container {
        let owner = owner.map(|name| PodOwner { kind: "Deployment".to_owned(), name: name.to_owned(), through: None });
        let (name, namespace) = (Some(pod.to_owned()), Some("shop".to_owned()));
        Container { pod: Some(Pod { name, namespace, owner, sandbox, ..Pod::default() }), ..docker(id, "app") }
    }

    fn compose(id: &str, name: &str, service: &str) -> Container {
        let labels = [("com.docker.compose.project", "shop"), ("com.docker.compose.service", service)];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        Container { labels: Some(labels), ..docker(id, name) }
    }

    #[test]
    fn what_was_made_anew_is_the_same_and_nothing_else_is() {
        let of_user = Container { user: Some(1000), ..docker("a", "web") };
        let unconfirmed = Container { confirmed: false, cgroup: "/x/a".to_owned(), ..docker("a", "web") };
        let inner = |outer: &str| Container { outer: Some(Box::new(docker(outer, outer))), ..docker("a", "web") };
        for (one, other, is_same) in [
            (docker("a", "web"), docker("b", "web"), true),
            (docker("a", "web"), docker("a", "api"), false),
            (docker("a", "web"), of_user, false),
            (docker("a", "web"), Container { runtime: Some(Runtime::Podman), ..docker("a", "web") }, false),
            (docker("a", "web"), unconfirmed, false),
            (docker("a", "web"), inner("kind"), false),
            (inner("kind"), inner("kind"), true),
            (inner("kind"), inner("other"), false),
            (compose("a", "shop-web-1", "web"), compose("b", "shop-web-2", "web"), true),
            (compose("a", "shop-web-1", "web"), compose("a", "shop-db-1", "db"), false),
            // An image may bring the labels along.
            (compose("a", "shop-web-1", "web"), compose("b", "innocent", "web"), false),
            (compose("a", "web", "web"), compose("b", "web", "web"), true),
            (in_pod("a", "web-5d4-x", Some("web"), false), in_pod("b", "web-7f9-y", Some("web"), false), true),
            (in_pod("a", "web-5d4-x", Some("web"), false), in_pod("b", "web-5d4-x", Some("web"), true), false),
            (in_pod("a", "web-5d4-x", None, false), in_pod("b", "web-5d4-x", None, false), true),
            (in_pod("a", "web-5d4-x", None, false), in_pod("b", "web-7f9-y", None, false), false),
        ] {
            let identities = (Identity::of_container(&one), Identity::of_container(&other));
            assert_eq!(identities.0 == identities.1, is_same, "{identities:?}");
        }
    }

    #[test]
    fn a_units_name_counts_for_whose_it_is_and_a_numbered_one_for_its_boot() {
        const SESSION: &str = "/user.slice/user-1000.slice/session-3.scope";
        const OWN: &str = "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service";
        let of = |cgroup: &str, boot: &str| {
            let process = Process { cgroup: Some(cgroup.to_owned()), ..Process::default() };
            Identity::of_place(None, Some((cgroup.rsplit('/').next().unwrap(), Some(boot))), &process)
        };
        for (one, other, is_same) in [
            ((SESSION, "a"), (SESSION, "a"), true),
            ((SESSION, "a"), (SESSION, "b"), false),
            ((SESSION, "a"), ("/user.slice/user-1001.slice/session-3.scope", "a"), false),
            (("/system.slice/run-u12.service", "a"), ("/system.slice/run-u12.service", "b"), false),
            (("/system.slice/web.service", "a"), ("/system.slice/web.service", "b"), true),
            (("/system.slice/web.service", "a"), (OWN, "a"), false),
            ((OWN, "a"), (OWN, "b"), true),
        ] {
            assert_eq!(of(one.0, one.1) == of(other.0, other.1), is_same, "{one:?} {other:?}");
        }
    }

    #[test]
    fn who_has_made_it_and_what_it_is() {
        const OWN: &str = "/user.slice/user-1000.slice/user@1000.service/app.slice/web.service";
        let process = |cgroup: &str, exe: &str, uid: u32| Process {
            cgroup: Some(cgroup.to_owned()),
            exe: Some(exe.to_owned()),
            uid: Some(uid),
            ..Process::default()
        };
        let unit = |cgroup: &str| {
            Identity::of_place(
                None,
                Some((cgroup.rsplit('/').next().unwrap(), Some("a"))),
                &process(cgroup, "/bin/x", 7),
            )
        };
        let program = |exe: &str, uid| Identity::of_place(None, None, &process("/", exe, uid));
        let container = |container: Container| Identity::of_container(&container);
        let unconfirmed =
            |cgroup: &str| Container { confirmed: false, cgroup: cgroup.to_owned(), ..docker("a", "web") };
        let inside = |outer: Container| Container { outer: Some(Box::new(outer)), ..unconfirmed("/x/y") };
        let rootless = Container { user: Some(1000), ..docker("a", "web") };
        let called = |kind: fn(String) -> What, name: &str| kind(name.to_owned());
        for (identity, user, what) in [
            (container(docker("a", "web")), None, called(What::Container, "web")),
            (container(compose("a", "shop-web-1", "web")), None, called(What::Container, "shop/web")),
            (container(in_pod("a", "web-5d4-x", Some("web"), false)), None, called(What::Container, "shop/web/app")),
            (container(rootless.clone()), Some(1000), called(What::Container, "web")),
            (container(unconfirmed(OWN)), Some(1000), called(What::Container, "a (unconfirmed)")),
            (container(unconfirmed("/x")), None, called(What::Container, "a (unconfirmed)")),
            (container(inside(docker("b", "kind"))), None, called(What::Container, "kind > a (unconfirmed)")),
            (container(inside(rootless)), Some(1000), called(What::Container, "web > a (unconfirmed)")),
            (unit("/system.slice/web.service"), None, called(What::Unit, "web.service")),
            (unit(OWN), Some(1000), called(What::Unit, "web.service")),
            (unit("/user.slice/user-1001.slice/session-3.scope"), Some(1001), called(What::Unit, "session-3.scope")),
            (program("/tmp/copies/java-7", 1000), Some(1000), called(What::Program, "java-7")),
            (program("/usr/bin/java", 0), None, called(What::Program, "java")),
        ] {
            assert_eq!(identity.what(), Some(what), "{identity:?}");
            assert_eq!(identity.user(), user, "{identity:?}");
        }
    }

    #[test]
    fn all_that_a_user_has_is_one_share_and_so_is_all_in_a_container() {
        const USERS: &str = "/user.slice/user-1000.slice/user@1000.service";
        let container = |container: Container| Identity::of_container(&container).holder();
        let rootless = |name: &str| container(Container { user: Some(1000), ..docker("a", name) });
        let unconfirmed =
            |cgroup: &str| Container { confirmed: false, cgroup: cgroup.to_owned(), ..docker("a", "web") };
        let inside = |name: &str, outer: Container| Container { outer: Some(Box::new(outer)), ..unconfirmed(name) };
        let place = |unit: Option<&str>, cgroup: &str, exe: &str, uid| {
            let (cgroup, exe) = (Some(cgroup.to_owned()), Some(exe.to_owned()));
            let process = Process { cgroup, exe, uid, ..Process::default() };
            Identity::of_place(None, unit.map(|unit| (unit, Some("a"))), &process).holder()
        };
        let program = |exe: &str, uid| place(None, "/", exe, uid);
        let unit = |above: &str, name: &str| place(Some(name), &format!("{above}/{name}"), "/bin/x", Some(7));
        for (one, other, is_one) in [
            (program("/tmp/copy-1", Some(1000)), program("/tmp/copy-2", Some(1000)), true),
            (program("/tmp/copy-1", Some(1000)), program("/tmp/copy-1", Some(1001)), false),
            (program("/usr/bin/a", Some(0)), program("/usr/bin/b", Some(0)), false),
            (program("/tmp/copy-1", None), program("/tmp/copy-2", None), true),
            (unit(USERS, "a.service"), unit(USERS, "b.service"), true),
            (unit(USERS, "a.service"), program("/tmp/copy-1", Some(1000)), true),
            (unit(USERS, "a.service"), unit("/user.slice/user-1000.slice", "session-3.scope"), true),
            (unit("/system.slice", "a.service"), unit("/system.slice", "b.service"), false),
            (rootless("web"), program("/tmp/copy-1", Some(1000)), true),
            (rootless("web"), rootless("db"), true),
            (rootless("web"), container(docker("a", "web")), false),
            (container(docker("a", "web")), container(docker("b", "db")), false),
            (container(unconfirmed(&format!("{USERS}/a"))), container(unconfirmed(&format!("{USERS}/b"))), true),
            (container(unconfirmed("/docker/a")), container(unconfirmed("/docker/b")), false),
            (
                container(unconfirmed("/system.slice/docker-a.scope")),
                container(unconfirmed("/system.slice/docker-b.scope")),
                false,
            ),
            (container(unconfirmed("/x/ci.service/docker-a.scope")), container(unconfirmed("/x/ci.service/y/b")), true),
            (container(unconfirmed("/x/ci.service/docker-a.scope")), container(unconfirmed("/x/cd.service/b")), false),
            // All of them are made by whoever is root in it.
            (container(inside("/k/a", docker("k", "kind"))), container(inside("/k/b", docker("k", "kind"))), true),
            (container(inside("/k/a", docker("k", "kind"))), container(docker("k", "kind")), true),
            (container(inside("/k/a", docker("k", "kind"))), container(inside("/l/a", docker("l", "other"))), false),
            (container(inside("/k/a", inside("/k", docker("k", "kind")))), container(docker("k", "kind")), true),
        ] {
            assert_eq!(one == other, is_one, "{one} {other}");
        }
    }

    #[test]
    fn names_are_those_that_a_person_gave() {
        for (container, name) in [
            (docker("a", "web"), "web"),
            (compose("a", "shop-web-1", "web"), "shop/web"),
            (in_pod("a", "web-5d4-x", Some("web"), false), "shop/web/app"),
            (in_pod("a", "web-5d4-x", None, false), "shop/web-5d4-x/app"),
            (in_pod("a", "web-5d4-x", None, true), "shop/web-5d4-x/sandbox"),
            (docker("a", "a\u{1b}[2J"), "$'a\\033[2J'"),
        ] {
            assert_eq!(Identity::of_container(&container).name(), name);
        }
    }
}
