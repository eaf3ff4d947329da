use super::*;
use crate::correlate::{Correlator, Hooks, fixture};
use crate::event::Event;

fn episode(pid: u32, path: &str) -> Episode {
    let mut signal = fixture::signal(10, pid);
    signal.victim.memory_path = Some(path.to_owned());
    let mut correlator = Correlator::new(Hooks { signal_generate: true, mark_victim: true, process_exit: false });
    correlator.take(Event::Signal(Box::new(signal))).remove(0)
}

#[test]
fn pids_and_cgroups_are_the_victims() {
    let filter = Filter { pids: vec![7], ..Filter::default() };
    assert!(filter.may_want(&episode(7, "/")));
    assert!(!filter.may_want(&episode(8, "/")));
    let filter = Filter { cgroups: vec!["/a/b".to_owned()], ..Filter::default() };
    for (path, wanted) in [("/a/b", true), ("/a/b/c", true), ("/a/bc", false), ("/a", false), ("/", false)] {
        assert_eq!(filter.may_want(&episode(7, path)), wanted, "{path}");
    }
    assert!(Filter { cgroups: vec!["/".to_owned()], ..Filter::default() }.may_want(&episode(7, "/x")));
}

#[test]
fn a_container_of_composes_is_meant_by_its_service() {
    let labels = [("com.docker.compose.project", "shop"), ("com.docker.compose.service", "web")];
    let labels = Some(labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into());
    let named = |name: &str| Container { name: Some(name.to_owned()), labels: labels.clone(), ..Container::default() };
    for (pattern, name, expected) in [
        ("shop/web", "shop-web-1", true),
        ("shop/*", "shop_web_2", true),
        ("shop/db", "shop-web-1", false),
        ("shop/web", "innocent", false),
        ("innocent", "innocent", true),
    ] {
        let filter = Filter { containers: vec![Pattern::new(pattern).unwrap()], ..Filter::default() };
        assert_eq!(filter.wants_any([&named(name)]), expected, "{pattern} {name}");
    }
}

#[test]
fn pods_and_labels_are_the_containers() {
    use crate::judge::tests::{in_container, kill};
    use crate::model::Pod;
    let pod = Pod { name: Some("web-5d4".to_owned()), namespace: Some("shop".to_owned()), ..Pod::default() };
    let mut incident = in_container(kill("/usr/bin/bash"));
    let container = incident.container.as_mut().unwrap();
    container.pod = Some(pod);
    container.labels = Some([("app".to_owned(), "web".to_owned())].into());
    let in_pod = Record::Incident(incident.clone());
    incident.container.as_mut().unwrap().pod = None;
    let without_pod = Record::Incident(incident);
    let pattern = |text: &str| vec![Pattern::new(text).unwrap()];
    for (namespace, pod, label, wanted, without) in [
        ("shop", "", "", true, false),
        ("sh*", "web-*", "app", true, false),
        ("", "shop/web-5d4", "", true, false),
        ("", "web", "", false, false),
        ("", "sh*", "", false, false),
        ("", "s*/w*", "", true, false),
        ("", "*/5d4", "", false, false),
        ("*", "", "", true, false),
        ("other", "web-*", "", false, false),
        ("", "", "app=web", true, true),
        ("", "", "app=api", false, false),
        ("", "", "tier", false, false),
    ] {
        let of = |text: &str| if text.is_empty() { Vec::new() } else { pattern(text) };
        let labels = Label::parse(label).into_iter().collect();
        let filter = Filter { namespaces: of(namespace), pods: of(pod), labels, ..Filter::default() };
        let got = (filter.wants(&in_pod), filter.wants(&without_pod));
        assert_eq!(got, (wanted, without), "{namespace} {pod} {label}");
    }
    assert_eq!(Label::parse("=x"), None);
}

#[test]
fn an_exit_is_chosen_by_whose_it_is_and_has_neither_cause_nor_sender() {
    use crate::judge::tests::{in_container, kill};
    let pattern = |text: &str| vec![Pattern::new(text).unwrap()];
    let mut case = crate::judge::tests::case(in_container(kill("/usr/bin/sh")));
    case.incident.container.as_mut().unwrap().name = Some("web".to_owned());
    case.incident.unit = Some("web.service".to_owned());
    case.exited = Some(crate::resolve::case::AsKilled::default());
    let record = crate::words::conclude(case);
    let all = Filter::default;
    for (filter, wanted) in [
        (all(), true),
        (Filter { containers: pattern("web"), ..all() }, true),
        (Filter { containers: pattern("api"), ..all() }, false),
        (Filter { units: pattern("web.*"), ..all() }, true),
        (Filter { units: pattern("api.*"), ..all() }, false),
        (Filter { comms: pattern("victim"), ..all() }, true),
        (Filter { comms: pattern("other"), ..all() }, false),
        (Filter { uids: vec![0], ..all() }, true),
        (Filter { uids: vec![1], ..all() }, false),
        (Filter { senders: pattern("*"), ..all() }, false),
        (Filter { causes: vec![Cause::SelfKill], ..all() }, false),
    ] {
        assert_eq!(filter.wants(&record), wanted, "{filter:?}");
    }
}

#[test]
fn victims_senders_and_images_are_chosen_by_name_or_number() {
    use crate::judge::tests::{by_kernel, in_container, kill};
    use crate::model::SignalPath;
    let mut incident = in_container(kill("/usr/bin/bash"));
    incident.unit = Some("web.service".to_owned());
    incident.container.as_mut().unwrap().image = Some("nginx:1.27".to_owned());
    let killed = Record::Incident(incident);
    let by_kernel = Record::Incident(by_kernel(SignalPath::RlimitCpu));
    let all = |text: &str| vec![Pattern::new(text).unwrap()];
    let none = Filter::default;
    for (filter, wanted, of_kernel) in [
        (Filter { images: all("nginx*"), ..none() }, true, false),
        (Filter { images: all("redis"), ..none() }, false, false),
        (Filter { units: all("web.*"), ..none() }, true, false),
        (Filter { comms: all("victim"), ..none() }, true, true),
        (Filter { comms: all("v?"), ..none() }, false, false),
        (Filter { uids: vec![0], ..none() }, true, true),
        (Filter { uids: vec![1000], ..none() }, false, false),
        (Filter { senders: all("bash"), ..none() }, true, false),
        (Filter { senders: all("10"), ..none() }, true, false),
        (Filter { senders: all("kernel"), ..none() }, false, true),
        (Filter { comms: all("victim"), senders: all("vim"), ..none() }, false, false),
    ] {
        assert_eq!((filter.wants(&killed), filter.wants(&by_kernel)), (wanted, of_kernel), "{filter:?}");
    }
}

#[test]
fn what_is_chosen_is_said() {
    assert_eq!(Filter::default().describe(), None);
    let containers = vec![Pattern::new("web*").unwrap(), Pattern::new("db").unwrap()];
    let filter = Filter { containers, uids: vec![7], causes: vec![Cause::OomHost], ..Filter::default() };
    assert_eq!(filter.describe().as_deref(), Some("container 'web*' or db, uid 7, cause oom_host"));
}

#[test]
fn cgroup_paths_are_taken_as_people_write_them() {
    for (text, path) in [
        ("/docker/x", "/docker/x"),
        ("/docker/x/", "/docker/x"),
        ("/sys/fs/cgroup/memory/docker/x", "/docker/x"),
        ("/sys/fs/cgroup/unified/a", "/a"),
        ("/sys/fs/cgroup/system.slice/a.service", "/system.slice/a.service"),
        ("/sys/fs/cgroup", "/"),
        ("/sys/fs/cgroup/memory", "/"),
        ("/sys/fs/cgroups/a", "/sys/fs/cgroups/a"),
        ("/", "/"),
    ] {
        assert_eq!(cgroup_path(text).as_deref(), Ok(path), "{text}");
    }
    assert_eq!(cgroup_path("docker/x"), Err(RelativePath));
}
