//! Rows and records as a node with a few containers has them.

use crate::judge::tests::{case, in_container, oom};
use crate::memory::verdict::{Kind, LimitFor, LimitReached, Sure, Verdict};
use crate::model::{Container, Incident, LimitLevel, OomScope, Record, Runtime, TimelinePoint};
use crate::run::flight::Row;
use crate::screen::names::{Named, Names};
use crate::words::conclude;

pub const MIB: u64 = 1 << 20;
/// 2026-11-26 12:00:00 UTC.
pub const NOW: f64 = 1_795_694_400.0;

/// A cgroup's path, of the container with that number.
pub fn docker(number: u8) -> String {
    format!("/docker/{}", format!("{number:02x}").repeat(32))
}

/// So much held and used, in MiB, after an hour in which it came from half of that.
pub fn row(cgroup: &str, level: LimitLevel, held: u64, used: u64, limit: Option<u64>) -> Row {
    let latest = TimelinePoint {
        before_ms: 2_000,
        usage_bytes: used * MIB,
        peak_bytes: used * MIB,
        anon_bytes: Some(held * MIB),
        file_bytes: Some((used - held) * MIB),
        limit_bytes: limit.map(|limit| limit * MIB),
        ..TimelinePoint::default()
    };
    let at = |step: u64| (held / 2 + held * step / 120) * MIB;
    let series = (0..=60).map(|step| ((60 - step) * 60_000 + 2_000, at(step), at(step))).collect();
    Row {
        cgroup: cgroup.to_owned(),
        level,
        latest,
        series,
        held_bytes: held * MIB,
        growth_bytes_per_hour: Some((held / 2 * MIB) as f64),
        outlook: None,
        since: NOW - 3600.0,
        restarts: 0,
    }
}

pub fn container(number: u8, name: &str) -> Container {
    Container {
        id: format!("{number:02x}").repeat(32),
        name: Some(name.to_owned()),
        runtime: Some(Runtime::Docker),
        image: Some("nginx:1.27".to_owned()),
        cgroup: docker(number),
        confirmed: true,
        ..Container::default()
    }
}

/// Web near its limit and climbing, a database full of cache, a worker without a limit, one with a hostile name, a unit with and one without
/// a limit.
pub fn node() -> (Vec<Row>, Names) {
    let mut web = row(&docker(1), LimitLevel::Container, 470, 480, Some(512));
    web.outlook = Some(Verdict {
        lives: 1,
        limit_for: LimitFor::ItsEnd,
        verdict: Kind::Climbing,
        confidence: Sure::Likely,
        since: Some(NOW - 3600.0),
        bytes_per_hour: Some(38.0 * MIB as f64),
        limit_reached_at: Some(LimitReached { median: NOW + 2700.0, low: NOW + 2000.0, high: Some(NOW + 4000.0) }),
        advised_limit_bytes: Some(768 * MIB),
        why: "climbing for 60 min, by 38 MiB/h (between 30 MiB and 44 MiB)".to_owned(),
    });
    web.restarts = 2;
    let rows = vec![
        row(&docker(3), LimitLevel::Container, 90, 100, None),
        row(&docker(2), LimitLevel::Container, 100, 1024, Some(1024)),
        web,
        row(&docker(4), LimitLevel::Container, 12, 12, Some(64)),
        row("/system.slice/backup.service", LimitLevel::Unit, 200, 220, Some(256)),
        row("/system.slice/ssh.service", LimitLevel::Unit, 5, 6, None),
    ];
    let mut names = Names::default();
    for (number, name) in [(1, "shop-web-1"), (2, "db"), (3, "worker"), (4, "\x1b[2Jevil\u{202e}\nname")] {
        names.put(docker(number), Named::Container(Box::new(container(number, name))), 0, 0);
    }
    (rows, names)
}

/// An OOM kill in that container.
pub fn kill(number: u8, name: &str, id: &str) -> Incident {
    let mut incident = in_container(oom(&[("", 512, Some(512))], Some((0, LimitLevel::Container)), OomScope::Memcg));
    incident.id = id.to_owned();
    incident.time = "2026-11-26T11:59:00.000000000Z".to_owned();
    incident.container = Some(container(number, name));
    incident.victim.process.cgroup = Some(docker(number));
    let owner = docker(number);
    if let Some(limit) = incident.oom.as_mut().and_then(|oom| oom.limit_owner.as_mut()) {
        limit.path = owner;
    }
    match conclude(case(incident)) {
        Record::Incident(incident) => incident,
        other => panic!("{other:?}"),
    }
}
