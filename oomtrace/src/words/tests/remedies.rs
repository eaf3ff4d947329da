//! Incidents whose remedy depends on who set the limit, on what took the memory, or on what the victim is.

use super::{at_limit, in_runtimes, labelled, stopped, with_oom};
use crate::judge::tests::{in_container, oom, process};
use crate::model::{
    Disposition, HostMemory, Incident, LimitLevel, MemoryLevel, MemoryUser, OomScope, Process, Runtime, VictimMemory,
};

const MIB: u64 = 1 << 20;

fn running(mut incident: Incident, exe: &str, arguments: &[&str]) -> Incident {
    let cmdline = arguments.iter().map(|argument| (*argument).to_owned()).collect();
    incident.victim.process = Process {
        pid_in_namespace: incident.victim.process.pid_in_namespace,
        cmdline: Some(cmdline),
        ..process(20, exe)
    };
    incident
}

fn with_level(mut incident: Incident, change: impl FnOnce(&mut MemoryLevel)) -> Incident {
    let path = incident.oom.as_ref().unwrap().limit_owner.as_ref().unwrap().path.clone();
    let level = &mut incident.memory.as_mut().unwrap().levels[0];
    level.path = path;
    change(level);
    incident
}

fn docker() -> Incident {
    in_runtimes(Runtime::Docker, |_| {})
}

fn with_tmpfs() -> Incident {
    let mut incident = with_level(docker(), |_| {});
    incident.memory.as_mut().unwrap().stat = Some([("shmem".to_owned(), 500 * MIB)].into());
    incident
}

/// A process of the same container that has most of the memory, and that the kernel did not choose.
fn with_neighbour(mut incident: Incident) -> Incident {
    incident.memory.as_mut().unwrap().largest =
        vec![MemoryUser { pid: 30, comm: "dd".to_owned(), resident_bytes: 450 * MIB, cgroup: None, limited: None }];
    incident
}

fn of_swarm() -> Incident {
    let mut incident = labelled(&[
        ("com.docker.swarm.service.name", "shop_web"),
        ("com.docker.swarm.task.id", "abc"),
        ("com.docker.stack.namespace", "shop"),
    ]);
    incident.container.as_mut().unwrap().name = Some("shop_web.1.abc".to_owned());
    incident
}

fn sudden() -> Incident {
    let mut incident = with_oom(docker(), |oom| {
        oom.victim_memory = Some(VictimMemory {
            anon_bytes: 500 * MIB,
            file_bytes: 0,
            shmem_bytes: 0,
            swap_bytes: 0,
            page_tables_bytes: 0,
            total_vm_bytes: 0,
        });
    });
    "2026-01-01T00:00:02Z".clone_into(&mut incident.time);
    incident.victim.process.started = Some("2026-01-01T00:00:00Z".to_owned());
    incident
}

fn host() -> Incident {
    let user = |pid, comm: &str, mib, cgroup: &str| MemoryUser {
        pid,
        comm: comm.to_owned(),
        resident_bytes: mib * MIB,
        cgroup: Some(cgroup.to_owned()),
        limited: Some(false),
    };
    let mut incident = with_oom(oom(&[], None, OomScope::Host), |oom| oom.oom_score_adj = Some(900));
    let memory = incident.memory.as_mut().unwrap();
    memory.host = Some(HostMemory { total_bytes: Some(4096 * MIB), ..HostMemory::default() });
    memory.largest = vec![
        user(9, "redis-server", 3000, "/system.slice/redis.service"),
        user(8, "java", 600, "/system.slice/app.service"),
        user(20, "victim", 10, "/x"),
    ];
    incident
}

pub fn incidents() -> Vec<(&'static str, Incident)> {
    let mut ended = in_runtimes(Runtime::Docker, |found| found.auto_remove = Some(true));
    ended.victim.container_init = true;
    vec![
        ("of docker run --rm", in_runtimes(Runtime::Docker, |found| found.auto_remove = Some(true))),
        ("of docker run --rm, which has ended", ended),
        (
            "of compose, with its file",
            labelled(&[
                ("com.docker.compose.project", "shop"),
                ("com.docker.compose.service", "web"),
                ("com.docker.compose.project.config_files", "/srv/shop/compose.yaml"),
            ]),
        ),
        ("of a swarm's stack", of_swarm()),
        (
            "of a quadlet",
            in_runtimes(Runtime::Podman, |found| {
                found.cgroup = "/system.slice/web.service/libpod-payload-x".to_owned();
            }),
        ),
        ("of buildx", in_runtimes(Runtime::Docker, |found| found.name = Some("buildx_buildkit_mine0".to_owned()))),
        (
            "with swap, all used",
            with_level(docker(), |level| {
                (level.swap_usage_bytes, level.swap_limit_bytes) = (Some(512 * MIB), Some(512 * MIB));
            }),
        ),
        (
            "a cgroup's file on v1",
            with_level(at_limit("/jobs/a", LimitLevel::Slice), |level| {
                (level.memsw_usage_bytes, level.memsw_limit_bytes) = (Some(512 * MIB), Some(512 * MIB));
            }),
        ),
        ("tmpfs", with_tmpfs()),
        ("a job that took it all at once", sudden()),
        (
            "another process that took it, and lives on",
            with_neighbour(running(docker(), "/usr/bin/gunicorn", &["gunicorn", "-w", "2"])),
        ),
        ("Node", running(docker(), "/usr/local/bin/node", &["node", "server.js"])),
        ("a JVM whose heap is too large", running(docker(), "/opt/jdk/bin/java", &["java", "-Xmx4g", "-jar", "a.jar"])),
        ("the machine, with who has most of it", host()),
        (
            "a stop: the shell form",
            running(stopped(Some(Disposition::Default), true), "/bin/dash", &["/bin/sh", "-c", "node server.js"]),
        ),
        ("a stop: npm", running(stopped(Some(Disposition::Handled), true), "/usr/local/bin/node", &["npm start"])),
        (
            "a stop: a JVM's hooks",
            running(stopped(Some(Disposition::Handled), true), "/opt/jdk/bin/java", &["java", "-jar", "a.jar"]),
        ),
        ("without a figure", in_container(oom(&[], None, OomScope::Memcg))),
    ]
}
