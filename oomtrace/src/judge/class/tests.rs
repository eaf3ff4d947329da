//! Who is a runtime to the victim, and who is not.

use super::*;
use crate::judge::tests::{container, in_container, kill, process};
use crate::model::Namespaces;

#[test]
fn a_runtimes_kill_is_one_of_a_container_and_not_of_itself() {
    assert!(is_by_runtime(&in_container(kill("/usr/sbin/runc"))));
    assert!(!is_by_runtime(&in_container(kill("/usr/bin/bash"))));
    assert!(!is_by_runtime(&kill("/usr/sbin/runc")));
    // It runs into a limit of its own, in the container that it is just making.
    let mut own = in_container(kill("/usr/sbin/runc"));
    own.sender.process.as_mut().unwrap().pid = own.victim.process.pid;
    assert!(!is_by_runtime(&own));
}

#[test]
fn a_users_runtime_is_one_for_what_is_that_users_own() {
    let slice = |uid: u32| Some(format!("/user.slice/user-{uid}.slice/user@{uid}.service/user.slice/x.scope"));
    for (victims, expected) in [(slice(1000), Some(Class::Runtime)), (slice(1001), None), (None, None)] {
        let mut incident = in_container(kill("/usr/bin/podman"));
        incident.victim.process.cgroup = victims.clone();
        let sender = incident.sender.process.as_mut().unwrap();
        (sender.uid, sender.cgroup) = (Some(1000), slice(1000));
        assert_eq!(sender_class(&incident), expected, "{victims:?}");
    }
}

/// Docker in Docker: it is the outer container's root, and shares that container's namespaces, but none with the victim.
#[test]
fn a_runtime_in_the_container_around_is_known_by_its_namespaces() {
    let of = |mount, user_level| Namespaces { mount, on_host: Some(false), user_level, user_owner: 0 };
    let (inits, victims) = (Some(7), Some(8));
    let class = |exe: &str, uid, own: Option<Namespaces>, init: Option<Namespaces>| {
        let outer = crate::model::Container { init_pid: Some(5), ..container(&"b".repeat(64)) };
        let mut incident = in_container(kill(exe));
        incident.victim.process.namespaces = Some(of(victims, 0));
        let sender = incident.sender.process.as_mut().unwrap();
        (sender.cgroup, sender.uid, sender.namespaces) = (Some(outer.cgroup.clone()), Some(uid), own);
        let shell = crate::model::Process { namespaces: Some(of(Some(9), 3)), ..process(6, "/bin/sh") };
        let first = crate::model::Process { namespaces: init, ..process(5, "/usr/bin/dockerd") };
        incident.sender.ancestors = vec![shell, first];
        incident.sender.container = Some(outer.clone());
        incident.container.as_mut().unwrap().outer = Some(Box::new(outer));
        sender_class(&incident)
    };
    let runc = "/usr/sbin/runc";
    for (exe, uid, own, init, is_it) in [
        (runc, 0, Some(of(inits, 0)), Some(of(inits, 0)), true),
        // Root of a user namespace, as a rootless container's is.
        (runc, 1000, Some(of(inits, 1)), Some(of(inits, 1)), true),
        (runc, 1000, Some(of(inits, 0)), Some(of(inits, 0)), false),
        // A namespace of its own, which anybody makes.
        (runc, 0, Some(of(Some(10), 0)), Some(of(inits, 0)), false),
        (runc, 0, Some(of(inits, 1)), Some(of(inits, 0)), false),
        // A process of the victim's own container.
        (runc, 0, Some(of(victims, 0)), Some(of(victims, 0)), false),
        (runc, 0, Some(of(victims, 0)), None, false),
        // What is not known does not count.
        (runc, 0, Some(of(inits, 0)), None, true),
        (runc, 1000, None, None, true),
        ("/lib/systemd/systemd", 0, Some(of(inits, 0)), Some(of(inits, 0)), false),
        ("/bin/bash", 0, Some(of(inits, 0)), Some(of(inits, 0)), false),
    ] {
        let expected = is_it.then_some(Class::Runtime);
        assert_eq!(class(exe, uid, own, init), expected, "{exe} {uid} {own:?} {init:?}");
    }
}
