use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};

use glob::Pattern;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::filter::{Filter, Label};
use crate::judge::tests::{in_container, kill};
use crate::model::{
    Cause, Collateral, Confidence, Container, Correction, Incident, LimitLevel, OomScope, Process, Record, Role,
    Routine,
};
use crate::text::nanoseconds;
use crate::words::conclude;

const START: &str = "2026-11-20T00:00:00Z";

/// Number `number`, an hour after the one before.
pub(crate) fn incident(number: u32) -> Incident {
    let case = crate::judge::tests::case(in_container(kill("/usr/bin/bash")));
    let Record::Incident(mut incident) = conclude(case) else { panic!("an incident") };
    let at = START.parse::<Timestamp>().unwrap() + SignedDuration::from_hours(number.into());
    incident.time = format!("{at:.9}");
    incident.id = format!("{number:08}-test");
    incident.routine = None;
    incident.node = Some("node-1".to_owned());
    incident
}

pub(crate) fn named(number: u32, name: &str, image: &str) -> Incident {
    let mut incident = incident(number);
    let container = incident.container.as_mut().unwrap();
    (container.name, container.image, container.confirmed) = (Some(name.to_owned()), Some(image.to_owned()), true);
    incident
}

/// The same, with an OOM kill's limit of so many MiB.
pub(crate) fn limited(incident: Incident, mib: u64) -> Incident {
    let levels = [("/docker/x", mib, Some(mib))];
    let killed = crate::judge::tests::oom(&levels, Some((0, LimitLevel::Container)), OomScope::Memcg);
    Incident { oom: killed.oom, ..incident }
}

pub(super) fn entries(incidents: impl IntoIterator<Item = Incident>) -> Vec<Entry> {
    incidents.into_iter().map(|incident| Entry::Incident(Box::new(incident))).collect()
}

pub(super) struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub(super) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.dir.path().join("kept/history.db")
    }

    pub(super) fn writer(&self) -> Writer {
        Writer::open(&self.path(), Bounds::DEFAULT).unwrap()
    }

    pub(super) fn history(&self) -> History {
        History::open(&self.path()).unwrap()
    }
}

/// How SQLite would go about `sql`, a line for each step.
pub(super) fn plan(db: &rusqlite::Connection, sql: &str) -> Vec<String> {
    let mut plan = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let values = vec![1; plan.parameter_count()];
    let steps = plan.query_map(rusqlite::params_from_iter(values), |row| row.get(3)).unwrap();
    steps.collect::<Result<_, _>>().unwrap()
}

/// All that are asked for, each of which can be read; the latest first.
pub(super) fn read(history: &History, selection: &Selection) -> Vec<Incident> {
    let seqs = history.seqs(selection).unwrap();
    seqs.into_iter().map(|seq| history.incident(seq).unwrap().unwrap()).collect()
}

fn ids(history: &History, selection: &Selection) -> Vec<String> {
    read(history, selection).into_iter().map(|incident| incident.id).collect()
}

#[test]
fn an_incident_is_read_back_as_it_was_once_and_by_its_id() {
    let place = Place::new();
    let mut writer = place.writer();
    writer.append(&entries([incident(1), incident(2), incident(1)])).unwrap();
    // While it is open for writing.
    let history = place.history();
    assert_eq!(read(&history, &Selection::default()), [incident(2), incident(1)]);
    assert_eq!(history.by_id("00000002").unwrap(), Some(incident(2)));
    assert_eq!(history.by_id("00000001-test").unwrap(), Some(incident(1)));
    assert_eq!(history.by_id("0000000%").unwrap(), None);
    let Err(StoreError::Ambiguous { candidates, .. }) = history.by_id("0000") else { panic!("several") };
    let candidates: Vec<_> = candidates.into_iter().map(|candidate| (candidate.id, candidate.time)).collect();
    assert_eq!(candidates, [incident(2), incident(1)].map(|incident| (incident.id, incident.time)));
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(place.path().parent().unwrap()), mode(&place.path())), (0o700, 0o600));
}

#[test]
fn a_correction_takes_its_place_and_the_first_verdict_stays() {
    let place = Place::new();
    let mut writer = place.writer();
    writer.append(&entries([incident(1)])).unwrap();
    let mut verdict = incident(1).verdict.unwrap();
    (verdict.cause, verdict.confidence) = (Cause::KubeletEviction, Confidence::Likely);
    let correction = Correction {
        incident: incident(1).id,
        time: START.to_owned(),
        verdict: verdict.clone(),
        container: incident(1).container,
        missing: vec!["x".to_owned()],
        missing_parts: Vec::new(),
    };
    let of_another = Correction { incident: "none".to_owned(), ..correction.clone() };
    let again = Correction { missing: Vec::new(), ..correction.clone() };
    writer.append(&[correction, of_another].map(|correction| Entry::Correction(Box::new(correction)))).unwrap();
    let history = place.history();
    let evicted = Filter { causes: vec![Cause::KubeletEviction], ..Filter::default() };
    let found = read(&history, &Selection { filter: evicted, ..Selection::default() });
    let expected = Incident { verdict: Some(verdict), missing: vec!["x".to_owned()], ..incident(1) };
    assert_eq!(found, [expected]);
    let first: String = history.db().query_row("SELECT first_verdict FROM record", [], |row| row.get(0)).unwrap();
    assert_eq!(first, serde_json::to_string(&incident(1).verdict).unwrap());
    // Its container was known, and is not given up for one that is not.
    let without = Correction { container: None, ..again };
    writer.append(&[Entry::Correction(Box::new(without))]).unwrap();
    let found = place.history().by_id(&incident(1).id).unwrap().unwrap();
    assert_eq!((found.container, found.missing), (incident(1).container, Vec::new()));
}

/// Incidents that differ in all that filters look at.
fn varied() -> Vec<Incident> {
    let mut all = vec![named(1, "web", "nginx:1"), named(2, "api", "node:22"), named(3, "web", "nginx:2")];
    let mut with_others = named(4, "db", "postgres");
    with_others.collateral.push(Collateral {
        process: Process {
            pid: 4242,
            comm: "worker".to_owned(),
            uid: Some(77),
            cgroup: Some("/other/x".to_owned()),
            ..Process::default()
        },
        role: Role::CgroupKill,
    });
    all.push(with_others);
    let mut of_unit = incident(5);
    (of_unit.container, of_unit.unit) = (None, Some("nginx.service".to_owned()));
    of_unit.victim.process.cgroup = Some("/system.slice/nginx.service".to_owned());
    all.push(of_unit);
    let mut labelled = named(6, "web", "nginx:2");
    labelled.container.as_mut().unwrap().labels = Some([("tier".to_owned(), "front".to_owned())].into());
    labelled.container.as_mut().unwrap().outer = Some(Box::new(named(7, "kind", "kindest").container.unwrap()));
    all.push(labelled);
    let mut by_kernel = named(7, "web", "nginx:2");
    by_kernel.sender.process = None;
    by_kernel.verdict.as_mut().unwrap().cause = Cause::OomContainerLimit;
    by_kernel.routine = Some(Routine::Sweep);
    all.push(by_kernel);
    all
}

#[test]
fn a_filter_finds_what_it_finds_while_watching() {
    let place = Place::new();
    let mut writer = place.writer();
    writer.append(&entries(varied())).unwrap();
    let history = place.history();
    let of = |text: &str| vec![Pattern::new(text).unwrap()];
    let all = Filter::default;
    let container_id = varied()[0].container.as_ref().unwrap().id.clone();
    for filter in [
        all(),
        Filter { containers: of("web"), ..all() },
        Filter { containers: of("w*"), images: of("nginx:2"), ..all() },
        Filter { containers: of(&container_id[..6]), ..all() },
        Filter { containers: of("kind"), ..all() },
        Filter { containers: of("kind"), images: of("nginx*"), ..all() },
        Filter { containers: of("nobody"), ..all() },
        Filter { labels: Label::parse("tier").into_iter().collect(), ..all() },
        Filter { units: of("nginx.*"), ..all() },
        Filter { comms: of("worker"), ..all() },
        Filter { comms: of("victim"), uids: vec![77], ..all() },
        Filter { uids: vec![77], ..all() },
        Filter { pids: vec![4242], ..all() },
        Filter { cgroups: vec!["/other".to_owned()], ..all() },
        Filter { cgroups: vec!["/system.slice".to_owned()], ..all() },
        Filter { senders: of("kernel"), ..all() },
        Filter { senders: of("bash"), ..all() },
        Filter { senders: of("10"), ..all() },
        Filter { senders: of("nobody"), ..all() },
        Filter { causes: vec![Cause::OomContainerLimit, Cause::SelfKill], ..all() },
    ] {
        for routine in [false, true] {
            let expected: Vec<String> = varied()
                .into_iter()
                .rev()
                .filter(|incident| filter.wants_recorded(incident) && (routine || incident.routine.is_none()))
                .map(|incident| incident.id)
                .collect();
            let selection = Selection { filter: filter.clone(), routine, ..Selection::default() };
            assert_eq!(ids(&history, &selection), expected, "{filter:?}");
            assert_eq!(history.count(&selection).unwrap(), expected.len() as u64);
            let latest = Selection { last: Some(1), ..selection };
            assert_eq!(ids(&history, &latest), expected[..expected.len().min(1)], "{filter:?}");
        }
    }
}

#[test]
fn times_bound_it_and_the_first_instant_belongs_to_it() {
    let place = Place::new();
    place.writer().append(&entries((0..10).map(incident))).unwrap();
    let history = place.history();
    let hour = |hour: u32| incident(hour).time.parse().ok();
    let found = ids(&history, &Selection { since: hour(3), until: hour(5), ..Selection::default() });
    assert_eq!(found, [incident(4).id, incident(3).id]);
    // 64 bits of nanoseconds do not have these times.
    let time = |text: &str| text.parse::<Timestamp>().ok();
    let (first, last) = (time("0001-01-01T00:00:00Z"), time("9000-01-01T00:00:00Z"));
    for (since, until, count) in
        [(first, last, 10), (first, None, 10), (None, last, 10), (last, None, 0), (None, first, 0)]
    {
        assert_eq!(
            history.count(&Selection { since, until, ..Selection::default() }).unwrap(),
            count,
            "{since:?} {until:?}"
        );
    }
}

#[test]
fn counts_are_by_what_incidents_have_in_common() {
    let place = Place::new();
    place.writer().append(&entries(varied())).unwrap();
    let history = place.history();
    let count = |by, routine| {
        let selection = Selection { routine, ..Selection::default() };
        let groups = history.count_by(&selection, by, &TimeZone::UTC).unwrap();
        groups.into_iter().map(|group| (group.key.unwrap_or_default(), group.count)).collect::<Vec<_>>()
    };
    let of = |pairs: &[(&str, u64)]| pairs.iter().map(|(key, count)| ((*key).to_owned(), *count)).collect::<Vec<_>>();
    assert_eq!(
        count(By::Container, true),
        // A unit of the host's is no container.
        of(&[("web", 3), ("kind > web", 1), ("", 1), ("db", 1), ("api", 1)])
    );
    assert_eq!(
        count(By::Image, false),
        of(&[("nginx:2", 2), ("", 1), ("postgres", 1), ("node:22", 1), ("nginx:1", 1)])
    );
    assert_eq!(count(By::Node, true), of(&[("node-1", 7)]));
    let hours = count(By::Hour, true);
    assert_eq!((hours.len(), hours[0].clone()), (7, ("2026-11-20T01:00:00.000000000Z".to_owned(), 1)));
    // The first and the last kill of it, and not its bounds.
    let hours = history.count_by(&Selection::default(), By::Day, &TimeZone::UTC).unwrap();
    assert_eq!((hours[0].first.as_ref(), hours[0].last.as_ref()), (Some(&incident(1).time), Some(&incident(6).time)));
    // In Nepal an hour begins at a quarter, and a day at a quarter past six in the evening of the day before.
    let nepal = TimeZone::fixed(jiff::tz::Offset::from_seconds(20_700).unwrap());
    let days = history.count_by(&Selection::default(), By::Day, &nepal).unwrap();
    assert_eq!(days[0].key.as_deref(), Some("2026-11-19T18:15:00.000000000Z"));
}

#[test]
fn what_counts_are_by_finds_what_was_counted() {
    let place = Place::new();
    let mut all = varied();
    let labels = [("com.docker.compose.project", "shop"), ("com.docker.compose.service", "web")];
    let mut of_compose =
        named(8, "shop-web-1", "registry.example.com/a-team/shop/frontend-with-a-long-name@sha256:0123456789abcdef");
    of_compose.container.as_mut().unwrap().labels = Some(labels.map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    let mut unconfirmed = named(9, "x", "yy");
    unconfirmed.container.as_mut().unwrap().confirmed = false;
    let mut program = incident(10);
    program.container = None;
    program.victim.process.comm = "[odd] *one".to_owned();
    all.extend([of_compose, unconfirmed, program]);
    place.writer().append(&entries(all)).unwrap();
    let history = place.history();
    // As a shell gives it on, which takes the quotes away; and with its beginning cut off.
    let unquoted = |name: &str| name.trim_matches('\'').to_owned();
    let cut = |name: &str| format!("…{}", name.chars().skip(1).collect::<String>());
    for by in [By::Container, By::Image, By::Unit, By::Comm] {
        for group in history.count_by(&Selection { routine: true, ..Selection::default() }, by, &TimeZone::UTC).unwrap()
        {
            let Some(key) = group.key else { continue };
            for asked in [key.clone(), unquoted(&key), cut(&key)] {
                let pattern = vec![Pattern::new(&asked).unwrap_or_else(|_| panic!("{asked}"))];
                let filter = match by {
                    By::Container => Filter { containers: pattern, ..Filter::default() },
                    By::Image => Filter { images: pattern, ..Filter::default() },
                    By::Unit => Filter { units: pattern, ..Filter::default() },
                    _ => Filter { comms: pattern, ..Filter::default() },
                };
                let selection = Selection { filter, routine: true, counted: true, ..Selection::default() };
                assert!(history.count(&selection).unwrap() >= group.count, "{by:?} {asked}");
            }
        }
    }
    // By an hour's beginning and the next one's.
    for hour in history.count_by(&Selection::default(), By::Hour, &TimeZone::UTC).unwrap() {
        let since: Timestamp = hour.key.unwrap().parse().unwrap();
        let until = since + SignedDuration::from_hours(1);
        let selection = Selection { since: Some(since), until: Some(until), ..Selection::default() };
        assert_eq!(history.count(&selection).unwrap(), hour.count);
    }
    // Who watches, or asks why, is given what Compose made, and not what somebody else called a program.
    for (asked, expected) in [("shop/web", 1), ("shop/*", 1), ("shop/db", 0), ("[[]odd] [*]one", 0)] {
        let filter = Filter { containers: vec![Pattern::new(asked).unwrap()], ..Filter::default() };
        assert_eq!(history.count(&Selection { filter, ..Selection::default() }).unwrap(), expected, "{asked}");
    }
}

#[test]
fn earlier_kills_are_those_of_the_same_thing() {
    let place = Place::new();
    place.writer().append(&entries(varied())).unwrap();
    let history = place.history();
    let now = named(9, "web", "nginx:3");
    let before = nanoseconds(&now.time).unwrap();
    let asked = |incident: &Incident| history.causes(Identity::of(incident).key(), before).unwrap();
    let kills = [named(1, "", ""), named(3, "", "")];
    let [first, last] = kills.map(|kill| kill.time);
    let found = asked(&now);
    assert_eq!(found.causes, [(now.verdict.as_ref().unwrap().cause.name(), 2)]);
    assert_eq!((found.first, found.last, found.kept_since), (Some(first.clone()), Some(last), Some(first)));
    let stranger = asked(&named(9, "stranger", "x"));
    assert_eq!((stranger.causes, stranger.first, stranger.last), (Vec::new(), None, None));
}

#[test]
fn what_is_too_old_or_too_much_goes_oldest_first() {
    let place = Place::new();
    let mut writer = Writer::open(&place.path(), Bounds { days: 1, bytes: 64 << 20 }).unwrap();
    writer.append(&entries((0..100).map(incident))).unwrap();
    let now = |hour: u32| nanoseconds(&incident(hour).time).unwrap();
    assert_eq!(writer.retain(now(99)).unwrap(), 75);
    assert_eq!(place.history().count(&Selection::default()).unwrap(), 25);
    let mut writer = Writer::open(&place.path(), Bounds { days: 1000, bytes: 256 << 10 }).unwrap();
    writer.append(&entries((100..400).map(incident))).unwrap();
    assert!(writer.retain(now(400)).unwrap() > 0);
    writer.settle().unwrap();
    assert!(fs::metadata(place.path()).unwrap().len() <= 300 << 10);
    let left = ids(&place.history(), &Selection::default());
    assert_eq!(left.first(), Some(&incident(399).id));
    assert!(left.len() > 10, "{}", left.len());
}

#[test]
fn whoever_fills_the_history_takes_nothing_of_others() {
    let place = Place::new();
    let mut writer = Writer::open(&place.path(), Bounds { days: 1000, bytes: 256 << 10 }).unwrap();
    let quiet = (0..4).map(|number| named(number, &format!("quiet-{number}"), "x"));
    writer.append(&entries(quiet.chain((100..400).map(|number| named(number, "loop", "x"))))).unwrap();
    assert!(writer.retain(nanoseconds(&incident(400).time).unwrap()).unwrap() > 100);
    let left = ids(&place.history(), &Selection::default());
    assert_eq!(left.first(), Some(&incident(399).id));
    for number in 0..4 {
        assert!(left.contains(&incident(number).id), "{left:?}");
    }
    // It is about bytes: few that are large are too much, and many small ones of others are not.
    let place = Place::new();
    let mut writer = Writer::open(&place.path(), Bounds { days: 1000, bytes: 1 << 20 }).unwrap();
    let small = (0..20).map(|number| named(number, "small", "x"));
    let large = (100..108).map(|number| {
        let mut large = named(number, "large", "x");
        let process = Process { comm: "x".to_owned(), cmdline: Some(vec!["y".repeat(2_000)]), ..Process::default() };
        large.collateral = vec![Collateral { process, role: Role::ProcessGroup }; 100];
        large
    });
    writer.append(&entries(small.chain(large))).unwrap();
    assert!(writer.is_beyond().unwrap());
    assert!(writer.retain(nanoseconds(&incident(400).time).unwrap()).unwrap() > 0);
    assert!(!writer.is_beyond().unwrap());
    let left = ids(&place.history(), &Selection::default());
    // Of the small ones none, and of the large ones no more than it takes.
    assert_eq!((left.len() > 22, left.contains(&incident(0).id), left.first()), (true, true, Some(&incident(107).id)));
}

#[test]
fn a_user_who_fills_the_history_under_many_names_takes_nothing_of_others() {
    const USERS: &str = "/user.slice/user-7711.slice/user@7711.service/app.slice";
    let of_user = |number: u32| {
        let mut incident = incident(number);
        let process = &mut incident.victim.process;
        (process.uid, process.exe) = (Some(7711), Some(format!("/tmp/copy-{number}")));
        process.cgroup = Some(format!("{USERS}/copy-{number}.service"));
        match number % 3 {
            0 => (incident.container, incident.unit) = (None, None),
            1 => (incident.container, incident.unit) = (None, Some(format!("copy-{number}.service"))),
            _ => {
                let container = incident.container.as_mut().unwrap();
                (container.confirmed, container.user) = (false, Some(7711));
                container.cgroup = format!("{USERS}/docker-{number:064x}.scope");
            }
        }
        incident
    };
    // As many as the root of a container makes in it.
    let of_container = |number: u32| {
        let mut incident = named(number, "kind", "x");
        let outer = incident.container.take().map(Box::new);
        let cgroup = format!("/docker/kind/docker/{number:064x}");
        incident.container = Some(Container { id: format!("{number:064x}"), cgroup, outer, ..Container::default() });
        incident
    };
    let many: [&dyn Fn(u32) -> Incident; 2] = [&of_user, &of_container];
    for many in many {
        let place = Place::new();
        let mut writer = Writer::open(&place.path(), Bounds { days: 1000, bytes: 512 << 10 }).unwrap();
        let quiet = (0..4).map(|number| named(number, &format!("quiet-{number}"), "x"));
        writer.append(&entries(quiet.chain((100..600).map(many)))).unwrap();
        assert!(writer.retain(nanoseconds(&incident(600).time).unwrap()).unwrap() > 100);
        let left = ids(&place.history(), &Selection::default());
        assert_eq!((left.first(), left.len() > 10), (Some(&incident(599).id), true));
        // His own oldest went.
        assert!(!left.contains(&incident(100).id), "{left:?}");
        for number in 0..4 {
            assert!(left.contains(&incident(number).id), "{left:?}");
        }
    }
}

#[test]
fn a_newer_or_foreign_file_is_left_as_it_is_and_an_older_one_is_brought_forward() {
    let place = Place::new();
    drop(place.writer());
    let db = rusqlite::Connection::open(place.path()).unwrap();
    db.execute_batch("PRAGMA user_version = 99").unwrap();
    drop(db);
    assert!(matches!(Writer::open(&place.path(), Bounds::DEFAULT), Err(StoreError::Newer { found: 99, .. })));
    assert!(matches!(History::open(&place.path()), Err(StoreError::Newer { found: 99, .. })));

    let foreign = place.dir.path().join("foreign.db");
    rusqlite::Connection::open(&foreign).unwrap().execute_batch("CREATE TABLE x(y); INSERT INTO x VALUES (1)").unwrap();
    let before = fs::read(&foreign).unwrap();
    assert!(matches!(Writer::open(&foreign, Bounds::DEFAULT), Err(StoreError::Foreign { .. })));
    assert!(matches!(History::open(&foreign), Err(StoreError::Foreign { .. })));
    assert_eq!(fs::read(&foreign).unwrap(), before);
    assert!(matches!(History::open(&place.dir.path().join("none")), Err(StoreError::Absent { .. })));

    let stepped = place.dir.path().join("stepped.db");
    let mut db = rusqlite::Connection::open(&stepped).unwrap();
    schema::migrate_by(&mut db, &stepped, &["CREATE TABLE a(x); INSERT INTO a VALUES (1)"]).unwrap();
    let steps = ["never run again", "ALTER TABLE a ADD COLUMN y; UPDATE a SET y = x + 1", "not SQL"];
    assert!(schema::migrate_by(&mut db, &stepped, &steps).is_err());
    // Each step is whole by itself.
    let (version, y): (u32, i64) =
        (schema::version(&db, &stepped).unwrap(), db.query_row("SELECT y FROM a", [], |row| row.get(0)).unwrap());
    assert_eq!((version, y), (2, 2));
}

#[test]
fn a_damaged_page_costs_what_is_on_it_and_nothing_else() {
    let place = Place::new();
    let mut writer = place.writer();
    writer.append(&entries((0..300).map(incident))).unwrap();
    writer.settle().unwrap();
    drop(writer);
    let pages = fs::metadata(place.path()).unwrap().len() / 4096;
    let mut lost = Vec::new();
    for page in (1..pages).step_by(7) {
        let copy = Place::new();
        fs::create_dir(copy.path().parent().unwrap()).unwrap();
        fs::copy(place.path(), copy.path()).unwrap();
        let mut file = fs::OpenOptions::new().write(true).open(copy.path()).unwrap();
        file.seek(SeekFrom::Start(page * 4096)).unwrap();
        file.write_all(&[0xa5; 4096]).unwrap();
        drop(file);
        let is_damaged = match Writer::open(&copy.path(), Bounds::DEFAULT) {
            Ok(writer) => writer.check().is_err_and(|error| error.is_damage()),
            Err(error) => error.is_damage(),
        };
        assert!(is_damaged, "page {page} of {pages}");
        let (writer, rescued) = rescue(&copy.path(), Bounds::DEFAULT, START.parse().unwrap()).unwrap();
        writer.check().unwrap();
        assert!(rescued.aside.exists());
        assert_eq!(copy.history().count(&Selection::default()).unwrap(), rescued.saved);
        lost.push(300 - rescued.saved);
    }
    lost.sort_unstable();
    // A page holds two incidents or parts of one; the pages above them have numbers, which are tried one by one.
    assert!(lost[lost.len() * 9 / 10] <= 2, "{lost:?}");
}

#[test]
fn a_file_of_zeros_is_moved_aside() {
    let place = Place::new();
    fs::create_dir(place.path().parent().unwrap()).unwrap();
    fs::write(place.path(), vec![0_u8; 10_000]).unwrap();
    assert!(Writer::open(&place.path(), Bounds::DEFAULT).is_err_and(|error| error.is_damage()));
    let (mut writer, rescued) = rescue(&place.path(), Bounds::DEFAULT, START.parse().unwrap()).unwrap();
    assert_eq!((rescued.saved, fs::read(&rescued.aside).unwrap().len()), (0, 10_000));
    writer.append(&entries([incident(1)])).unwrap();
}

#[test]
fn what_is_no_history_is_refused_and_left_as_it_is() {
    for content in [&b"root:x:0:0:root:/root:/bin/bash\n"[..], b"x", &[7; 10_000]] {
        let place = Place::new();
        fs::create_dir(place.path().parent().unwrap()).unwrap();
        fs::write(place.path(), content).unwrap();
        assert!(matches!(Writer::open(&place.path(), Bounds::DEFAULT), Err(StoreError::Foreign { .. })));
        assert_eq!(fs::read(place.path()).unwrap(), content);
        assert_eq!(fs::read_dir(place.path().parent().unwrap()).unwrap().count(), 1);
    }
}

#[test]
fn a_link_is_not_followed() {
    let place = Place::new();
    fs::create_dir(place.path().parent().unwrap()).unwrap();
    let target = place.dir.path().join("target");
    fs::write(&target, b"").unwrap();
    std::os::unix::fs::symlink(&target, place.path()).unwrap();
    assert!(matches!(Writer::open(&place.path(), Bounds::DEFAULT), Err(StoreError::File { .. })));
    assert_eq!(fs::metadata(&target).unwrap().len(), 0);
}

#[test]
fn a_history_that_may_not_be_read_says_so_wherever_it_is() {
    use std::os::unix::fs::PermissionsExt as _;
    let place = Place::new();
    drop(place.writer());
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o0)).unwrap();
    let read = super::read::must_be_readable(&place.path());
    // Root may read everything.
    if !nix::unistd::geteuid().is_root() {
        assert!(
            matches!(&read, Err(StoreError::File { error, .. }) if error.kind() == std::io::ErrorKind::PermissionDenied)
        );
        assert!(History::open(&place.path()).unwrap_err().to_string().contains("Permission denied"));
    }
}
