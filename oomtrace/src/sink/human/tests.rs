//! How a block lies on terminals of every width.

use unicode_width::UnicodeWidthStr as _;

use super::*;
use crate::judge::tests::{case, in_container, kill, oom, stop_signal};
use crate::model::{
    Attribution, Collateral, Confidence, Contradiction, Effect, Exit, LimitLevel, MissingPart, NamedMissing, OomScope,
    OutputName, Process, Reached, Role, Runtime, Source, TimelinePoint, Warning, WarningKind,
};
use crate::sink::queue::Count;
use crate::words::conclude;

/// A point of a climb to 512 MiB, in 40 steps over 160 minutes.
fn climbing(step: u64) -> TimelinePoint {
    let bytes = (112 + 10 * step) << 20;
    TimelinePoint {
        before_ms: (40 - step) * 240_000,
        usage_bytes: bytes,
        peak_bytes: bytes,
        anon_bytes: Some(bytes),
        limit_bytes: Some(512 << 20),
        ..TimelinePoint::default()
    }
}

/// With a verdict, and with all lines that a block can have.
fn incidents() -> Vec<Incident> {
    let mut limit = in_container(oom(&[("", 512, Some(512))], Some((0, LimitLevel::Container)), OomScope::Memcg));
    let container = limit.container.as_mut().unwrap();
    (container.name, container.runtime) = (Some("shop-web-1".to_owned()), Some(Runtime::Docker));
    let path = container.cgroup.clone();
    limit.oom.as_mut().unwrap().limit_owner.as_mut().unwrap().path = path;
    limit.memory.as_mut().unwrap().timeline = Some((0..=40).map(climbing).collect());
    let mut stopped = in_container(kill("/usr/sbin/runc"));
    stopped.preceding = vec![stop_signal("/usr/sbin/runc")];
    stopped.missing = vec!["something that could not be seen".to_owned()];
    stopped.attribution = Attribution::Partial;
    [limit, stopped, kill("/usr/bin/bash")].into_iter().map(judged).collect()
}

/// Every shape of a block: what the texts of others make long is as long as it gets.
fn shapes() -> Vec<Record> {
    let long = |text: &str| text.repeat(12);
    let mut full = in_container(kill("/usr/bin/bash"));
    full.victim.process.cmdline = Some(vec![long("/opt/app/bin/"), long("--option=1 "), "x".to_owned()]);
    full.collateral = (0..9)
        .map(|pid| Collateral { process: Process { pid, ..full.victim.process.clone() }, role: Role::OneByOne })
        .collect();
    full.unit = Some(long("unit-"));
    let container = full.container.as_mut().unwrap();
    (container.name, container.image) = (Some(long("name-")), Some(long("registry.example/team/")));
    let container = container.clone();
    let mut signal = full.clone();
    signal.signal.name = "SIGUSR1".to_owned();
    signal.signal.effect = Some(Effect::Handled);
    let full = judged(full);
    let verdict = full.verdict.clone().unwrap();
    let time = full.time.clone();
    let mut all: Vec<Record> = incidents().into_iter().chain([full]).map(Record::Incident).collect();
    all.push(Record::Signal(Incident { time: time.clone(), ..signal }));
    let fact = long("it says something else of it ");
    let source = Source::Runtime;
    all.push(Record::Contradiction(Contradiction {
        incident: "1".into(),
        time: time.clone(),
        container: container.clone(),
        fact,
        source,
    }));
    all.push(Record::Warning(Warning { container: Some(container.clone()), ..warning() }));
    all.push(Record::Lost(Lost { events: 5, kills: 3, ..Lost::default() }));
    for output in [OutputName::Stdout, OutputName::Stderr, OutputName::Recording] {
        all.push(crate::sink::outputs::unwritten(output, Count { kills: 100_000, others: 1_000_000 }));
    }
    assert!(!verdict.why.is_empty());
    all
}

#[test]
fn every_shape_of_a_block_lies_right() {
    let show = |record: &Record, look: Look| {
        let mut out = Vec::new();
        Human::new(&mut out, move || look).put(record).unwrap();
        String::from_utf8(out).unwrap()
    };
    for record in shapes() {
        for (width, verbose, all) in
            [60, 80, 120, 200].map(|width| [(width, false, true), (width, true, true)]).concat()
        {
            let look = Look { width: Some(width), verbose, all, ..Look::default() };
            let text = show(&record, look);
            assert!(!text.is_empty());
            // What an output could not take has the time of now.
            let painted = anstyle_free(&show(&record, Look { color: true, ..look }));
            assert_eq!(
                painted.split_once("  "),
                text.split_once("  ").map(|(_, rest)| (painted.split_once("  ").unwrap().0, rest))
            );
            for line in text.lines().filter(|line| !line.trim_start().starts_with("docker update")) {
                assert!(line.width() <= width, "{width}: {line}\n{text}");
            }
        }
    }
}

#[test]
fn what_nobody_asks_is_shown_to_who_asks_for_everything() {
    let [mut limit, mut stopped, _] = incidents().try_into().unwrap();
    limit.trigger = Some(limit.victim.process.clone());
    stopped.sender.process.as_mut().unwrap().cmdline = Some(vec!["runc".into(), "--root".into(), "/run/x".into()]);
    for (incident, said) in
        [(&limit, "trigger"), (&limit, "evidence"), (&stopped, "--root /run/x"), (&stopped, "the kernel)")]
    {
        let text = |verbose| block(incident, Look { verbose, ..Look::default() });
        assert!(!text(false).contains(said) && text(true).contains(said), "{said}: {}", text(true));
    }
}

#[test]
fn what_was_said_at_the_start_is_not_said_again() {
    let missing = "which limit was hit is read off the counters".to_owned();
    let ready = |attached: &[&str]| {
        Record::Ready(Ready {
            schema: 1,
            version: String::new(),
            node: None,
            boot_id: None,
            attached: attached.iter().map(|hook| (*hook).to_owned()).collect(),
            missing: vec![],
            sandbox: None,
        })
    };
    let [mut limit, ..] = <[Incident; 3]>::try_from(incidents()).unwrap();
    limit.missing = vec![missing.clone(), "something else".to_owned()];
    limit.missing_parts = vec![NamedMissing { part: MissingPart::OomRecord, entry: missing.clone() }];
    for (start, verbose, is_said) in [
        (&["signal_generate"][..], false, false),
        (&["signal_generate"], true, true),
        (&["signal_generate", "oom_kill_process"], false, true),
    ] {
        let mut out = Vec::new();
        let mut human = Human::new(&mut out, move || Look { verbose, ..Look::default() });
        human.put(&ready(start)).unwrap();
        human.put(&Record::Incident(limit.clone())).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!((text.contains(&missing), text.contains("something else")), (is_said, true), "{start:?}: {text}");
    }
}

#[test]
fn the_victims_age_and_a_slow_end_are_said() {
    let [limit, ..] = <[Incident; 3]>::try_from(incidents()).unwrap();
    for (started, after_us, said) in [
        (Some("2026-01-01T23:52:05Z"), Some(4_000), ", 3 h 12 min after its start, pid 1 of the container; exited 137"),
        (
            Some("2026-01-02T03:04:04.96Z"),
            Some(2_300_000),
            ", 40 ms after its start, pid 1 of the container; exited 137, 2.3 s after the signal",
        ),
        (None, None, "[20], pid 1 of the container; exited 137"),
        // A clock that was set back.
        (Some("2026-01-03T00:00:00Z"), None, "[20], pid 1 of the container; exited 137"),
    ] {
        let mut incident = limit.clone();
        incident.victim.container_init = true;
        incident.victim.process.started = started.map(str::to_owned);
        incident.victim.exit = Some(Exit { status: 9, code: None, signal: Some(9), after_us });
        let text = block(&incident, Look::default());
        assert!(text.contains(said), "{text}");
    }
}

fn judged(mut incident: Incident) -> Incident {
    incident.time = "2026-01-02T03:04:05.000000000Z".to_owned();
    match conclude(case(incident)) {
        Record::Incident(incident) => incident,
        other => panic!("{other:?}"),
    }
}

fn words(text: &str) -> Vec<&str> {
    text.split_whitespace().collect()
}

#[test]
fn no_word_is_broken_and_no_command_at_any_width() {
    for incident in incidents() {
        let whole = block(&incident, Look::default());
        for width in [60, 80, 120, 200] {
            let look = Look { width: Some(width), ..Look::default() };
            let text = block(&incident, look);
            assert_eq!(words(&text), words(&whole), "{text}");
            let commands =
                incident.verdict.iter().flat_map(|verdict| &verdict.advice).filter_map(|a| a.command.as_ref());
            for command in commands {
                assert!(text.lines().any(|line| line.trim() == command), "{text}");
            }
            let is_command = |line: &str| line.trim_start().starts_with("docker update");
            for line in text.lines().filter(|line| !is_command(line)) {
                assert!(line.width() <= width, "{width}: {line}");
            }
        }
    }
}

#[test]
fn colour_adds_nothing_but_colour() {
    for incident in incidents() {
        let painted = block(&incident, Look { color: true, width: Some(80), brief: false, ..Look::default() });
        let plain = block(&incident, Look { color: false, width: Some(80), brief: false, ..Look::default() });
        let stripped = anstyle_free(&painted);
        assert!(painted.contains('\x1b') && stripped == plain, "{stripped}\n{plain}");
    }
}

/// Without sequences that begin with an escape and end with `m`.
fn anstyle_free(text: &str) -> String {
    let mut parts = text.split('\x1b');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| text + part.split_once('m').map_or("", |(_, rest)| rest))
}

#[test]
fn the_first_line_says_what_where_and_why() {
    let [limit, stopped, killed] = incidents().try_into().unwrap();
    for (incident, said) in [
        (limit, "OOM KILL   shop-web-1: the container ran into its own memory limit of 512 MiB (likely)"),
        (
            stopped,
            "SIGKILL    6c266caa8d7c: the stop timed out after 10.0 s: it was sent SIGTERM, and was still running (likely)",
        ),
        (killed, "SIGKILL    victim: bash[10] killed it"),
    ] {
        let text = block(&incident, Look::default());
        assert!(text.lines().next().unwrap().ends_with(said), "{text}");
        let brief = block(&incident, Look { brief: true, ..Look::default() });
        assert_eq!(brief.lines().count(), 1, "{brief}");
        assert!(brief.contains(said), "{brief}");
        for name in ["victim[20]", "bash[10]"] {
            assert!(brief.matches(name).count() <= 1, "said twice: {brief}");
        }
        assert!(brief.contains("victim[20]"), "{brief}");
        // A terminal would break it within words.
        let narrow = block(&incident, Look { brief: true, width: Some(60), ..Look::default() });
        assert!(narrow.lines().all(|line| line.width() <= 60), "{narrow}");
        assert!(narrow.split_whitespace().eq(brief.split_whitespace()), "{narrow}");
    }
}

#[test]
fn another_day_is_said() {
    let now = "2026-01-02T12:00:00Z".parse().unwrap();
    let time = |time: &str| words::time_of(time, now, TimeForm::Local);
    assert_eq!(time("2026-01-02T12:00:00Z").len(), "hh:mm:ss".len());
    assert_eq!(time("2025-12-24T12:00:00Z").len(), "yyyy-mm-dd hh:mm:ss".len());
    assert_eq!(time("no time"), "--:--:--");
}

/// What is written of `count` incidents that are alike, and of another one behind them.
fn series(count: u64, width: Option<usize>) -> String {
    let mut written = Vec::new();
    let mut human = Human::new(&mut written, move || Look { width, ..Look::default() });
    let [mut alike, mut other] = [kill("/usr/bin/bash"), kill("/usr/bin/vim")].map(judged);
    for number in 1..=count {
        alike.id = number.to_string();
        alike.time = jiff::Timestamp::from_second(1_700_000_000 + number as i64).unwrap().to_string();
        human.put(&Record::Incident(alike.clone())).unwrap();
    }
    other.id = "other".to_owned();
    human.put(&Record::Incident(other)).unwrap();
    String::from_utf8(written).unwrap()
}

#[test]
fn a_thousand_that_are_alike_are_one_readable_block() {
    let text = series(1000, None);
    assert_eq!(text.matches("SIGKILL").count(), 2, "{text}");
    let counts: Vec<&str> = text.lines().filter(|line| line.contains('×')).collect();
    assert!(counts.len() <= 11 && counts.last().unwrap().contains("×1000 in 16 min 39 s"), "{text}");
    // In place on a terminal: one line, with a line feed behind the last of it.
    let terminal = series(1000, Some(80));
    assert_eq!(terminal.lines().filter(|line| line.contains('×')).count(), 1, "{terminal:?}");
    assert!(terminal.contains("\r\x1b[K   ×1000"), "{terminal:?}");
    assert_eq!(series(1, None).matches('×').count(), 0);
}

/// What was proposed at first was not enough: what is proposed then stands below the count.
#[test]
fn a_remedy_that_has_changed_is_shown() {
    for width in [None, Some(80)] {
        let mut written = Vec::new();
        let mut human = Human::new(&mut written, move || Look { width, ..Look::default() });
        for number in 1..=9_u32 {
            let mut one = judged(kill("/usr/bin/bash"));
            one.id = number.to_string();
            one.time = jiff::Timestamp::from_second(1_700_000_000 + i64::from(number)).unwrap().to_string();
            let action = format!("raise it to {} MiB", if number == 1 { 48 } else { 64 });
            let advice = crate::model::Advice { action, why: String::new(), command: Some("true".to_owned()) };
            one.verdict.as_mut().unwrap().advice = vec![advice];
            human.put(&Record::Incident(one)).unwrap();
        }
        human.finish().unwrap();
        let text = String::from_utf8(written).unwrap();
        assert_eq!((text.matches("to 48 MiB:").count(), text.matches("to 64 MiB:").count()), (1, 1), "{text}");
        let [first, second, counted] =
            ["to 48 MiB", "×2 in", "to 64 MiB"].map(|part| text.find(part).unwrap_or_default());
        assert!(first < second && second < counted && text.trim_end().contains("×9 in 8.0 s"), "{text}");
    }
}

/// Two that are killed by turns: each has its block once, and then a line or two, in a storm only now and then; the last counts are said at
/// the end.
#[test]
fn by_turns_each_has_one_block_and_its_counts() {
    for width in [None, Some(80)] {
        let mut written = Vec::new();
        let mut human = Human::new(&mut written, move || Look { width, ..Look::default() });
        let both = [kill("/usr/bin/bash"), kill("/usr/bin/vim")].map(judged);
        for number in 1..=200 {
            let mut one = both[number as usize % 2].clone();
            one.id = number.to_string();
            one.time = jiff::Timestamp::from_second(1_700_000_000 + number).unwrap().to_string();
            human.put(&Record::Incident(one)).unwrap();
        }
        human.finish().unwrap();
        // As a terminal shows it.
        let written = String::from_utf8(written).unwrap();
        let shown = written.lines().map(|line| line.rsplit("\r\x1b[K").next().unwrap_or_default());
        let text = shown.map(|line| format!("{line}\n")).collect::<String>();
        assert_eq!(text.matches("   by ").count(), 2, "one block each:\n{text}");
        assert!(text.lines().count() < 80, "{text}");
        assert_eq!(text.matches("×100 in 3 min 18 s").count(), 2, "{text}");
        assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{text:?}");
    }
}

/// A container in which a thousand programs are killed, none like another, hides nobody else's.
#[test]
fn many_that_are_unlike_are_counted_and_one_of_another_place_is_seen() {
    let text = |verbose: bool| {
        let mut written = Vec::new();
        let mut human = Human::new(&mut written, move || Look { verbose, ..Look::default() });
        let one = judged(in_container(kill("/usr/bin/bash")));
        for number in 0..500_u32 {
            let mut one = one.clone();
            one.id = number.to_string();
            one.time =
                jiff::Timestamp::from_millisecond(1_700_000_000_000 + 20 * i64::from(number)).unwrap().to_string();
            one.victim.process.cmdline = Some(vec!["sh".to_owned(), number.to_string()]);
            human.put(&Record::Incident(one)).unwrap();
            if number == 400 {
                let mut other = judged(kill("/usr/bin/vim"));
                other.time = "2023-11-14T22:13:28Z".to_owned();
                human.put(&Record::Incident(other)).unwrap();
            }
        }
        human.finish().unwrap();
        String::from_utf8(written).unwrap()
    };
    let told = text(false);
    assert!(told.lines().count() < 120, "{told}");
    assert_eq!(told.matches("   by        vim").count(), 1, "{told}");
    assert!(told.trim_end().contains("the last of 490 there within 9.7 s that are unlike those above"), "{told}");
    assert_eq!(text(true).matches("   by ").count(), 501);
}

/// Kills of which the first was only counted are not hidden for as long as they come: each has its block as soon as there is room for one, and its
/// count; and two of each kind are no way around the bound.
#[test]
fn what_was_only_counted_has_its_block_later() {
    let mut written = Vec::new();
    let mut human = Human::new(&mut written, Look::default);
    let one = judged(in_container(kill("/usr/bin/bash")));
    let mut put = |second: i64, script: &str| {
        let mut one = one.clone();
        one.id = format!("{script} at {second}");
        one.time = jiff::Timestamp::from_second(1_700_000_000 + second).unwrap().to_string();
        one.victim.process.cmdline = Some(vec!["sh".to_owned(), script.to_owned()]);
        human.put(&Record::Incident(one)).unwrap();
    };
    for number in 0..50 {
        put(number / 10, &number.to_string());
        put(number / 10, &number.to_string());
    }
    for second in [10, 30, 70, 80] {
        put(second, "each night");
    }
    human.finish().unwrap();
    let text = String::from_utf8(written).unwrap();
    let killed = |script: &str| text.matches(&format!(": sh {script}")).count();
    assert_eq!(text.matches("   by ").count(), 11, "{text}");
    assert_eq!((killed("9"), killed("10"), killed("'each night'")), (1, 0, 1), "{text}");
    assert!(text.contains("×4 in 1 min 10 s"), "{text}");
}

/// A container that ends so again and again, or a user's cgroups that look like containers, have one block, and then a count.
#[test]
fn ends_by_exit_are_counted_by_who_has_them() {
    let mut ended = case(in_container(kill("/usr/bin/bash")));
    ended.exited = Some(crate::resolve::case::AsKilled::default());
    let Record::Exit(exited) = conclude(ended) else { panic!("it is an exit") };
    for user in [None, Some(1000)] {
        let mut written = Vec::new();
        let mut human = Human::new(&mut written, Look::default);
        for number in 0..500 {
            let mut exited = exited.clone();
            let container = exited.container.as_mut().unwrap();
            container.user = user;
            if user.is_some() {
                (container.id, container.confirmed) = (format!("{number:064x}"), false);
            }
            human.put(&Record::Exit(exited)).unwrap();
        }
        human.quiet().unwrap();
        let text = String::from_utf8(written).unwrap();
        assert!(text.lines().count() < 40 && text.contains("×500 so far"), "{text}");
        assert_eq!(
            (text.matches("   ended").count(), text.contains("(unconfirmed) of user 1000")),
            (1, user.is_some()),
            "{text}"
        );
    }
}

/// What is counted stands below its own block: one about another container in between ends that.
#[test]
fn what_is_counted_is_not_put_below_anothers_block() {
    let mut ended = case(in_container(kill("/usr/bin/bash")));
    ended.exited = Some(crate::resolve::case::AsKilled::default());
    let Record::Exit(exited) = conclude(ended) else { panic!("it is an exit") };
    let alike = judged(in_container(kill("/usr/bin/bash")));
    for (id, blocks) in [(alike.container.clone().unwrap().id, 1), ("other".to_owned(), 2)] {
        let mut written = Vec::new();
        let mut human = Human::new(&mut written, Look::default);
        let mut exited = exited.clone();
        exited.container.as_mut().unwrap().id = id;
        for number in 1..=4_u32 {
            if number == 3 {
                human.put(&Record::Exit(exited.clone())).unwrap();
            }
            let time = jiff::Timestamp::from_second(1_700_000_000 + i64::from(number)).unwrap().to_string();
            human.put(&Record::Incident(Incident { id: number.to_string(), time, ..alike.clone() })).unwrap();
        }
        let text = String::from_utf8(written).unwrap();
        assert_eq!(text.matches("SIGKILL  ").count(), blocks, "{text}");
    }
}

/// A signal that is no kill has a block of its own, and no count of others stands below that.
#[test]
fn counts_stand_below_no_signal() {
    let mut written = Vec::new();
    let mut human = Human::new(&mut written, Look::default);
    let mut signal = kill("/usr/bin/vim");
    signal.signal.name = "SIGTERM".to_owned();
    let one = judged(kill("/usr/bin/bash"));
    for (number, record) in [
        Record::Incident(one.clone()),
        Record::Signal(signal),
        Record::Incident(Incident { id: "2".to_owned(), ..one }),
    ]
    .iter()
    .enumerate()
    {
        human.put(record).unwrap_or_else(|error| panic!("{number}: {error}"));
    }
    human.finish().unwrap();
    let text = String::from_utf8(written).unwrap();
    let [signal, headline, count] = ["SIGTERM", "SIGKILL", "×2"].map(|part| text.rfind(part).unwrap());
    assert!(signal < headline && headline < count, "{text}");
}

/// Warnings of what one user has are no way to push others off the screen.
#[test]
fn many_warnings_of_one_user_are_counted() {
    let mut written = Vec::new();
    let mut human = Human::new(&mut written, Look::default);
    for number in 0..100 {
        let cgroup = format!("/user.slice/user-1000.slice/user@1000.service/app.slice/{number}.service");
        human.put(&Record::Warning(Warning { cgroup, ..warning() })).unwrap();
    }
    human.put(&Record::Warning(warning())).unwrap();
    human.finish().unwrap();
    let text = String::from_utf8(written).unwrap();
    assert_eq!(text.matches("   memory ").count(), 11, "{text}");
    assert!(text.contains("the last of 64 there") && text.contains("of user 1000"), "{text}");
}

#[test]
fn routine_kills_are_counted_and_shown_to_who_asks() {
    let mut routine = judged(kill("/usr/bin/bash"));
    routine.routine = Some(crate::model::Routine::Helper);
    for (all, blocks, counted) in [(false, 1, true), (true, 3, false)] {
        let mut written = Vec::new();
        let mut human = Human::new(&mut written, move || Look { all, ..Look::default() });
        let mut another = routine.clone();
        another.victim.process.exe = Some("/usr/bin/another".to_owned());
        for incident in [&routine, &another, &judged(kill("/usr/bin/vim"))] {
            human.put(&Record::Incident(incident.clone())).unwrap();
        }
        let text = String::from_utf8(written).unwrap();
        assert_eq!(text.matches("SIGKILL").count(), blocks, "{text}");
        assert_eq!(text.contains("2 routine kills before this one: --all shows them"), counted, "{text}");
    }
}

#[test]
fn times_are_shown_as_they_were_asked_for() {
    let now: jiff::Timestamp = "2026-01-02T05:04:07Z".parse().unwrap();
    for (time, form, shown) in [
        ("2026-01-02T03:04:05.123456789Z", TimeForm::Utc, "03:04:05Z"),
        ("2026-01-01T03:04:05.123456789Z", TimeForm::Utc, "2026-01-01 03:04:05Z"),
        ("2026-01-02T03:04:05.123456789Z", TimeForm::Iso, "2026-01-02T03:04:05.123Z"),
        ("2026-01-02T05:04:05Z", TimeForm::Relative, "2.0 s ago"),
        ("2026-01-02T05:05:05Z", TimeForm::Relative, "0 ms ago"),
        ("no time", TimeForm::Iso, "--:--:--"),
    ] {
        assert_eq!(words::time_of(time, now, form), shown, "{time}");
    }
}

#[test]
fn a_first_process_that_exits_137_by_itself_has_a_block() {
    let mut case = case(in_container(kill("/usr/bin/bash")));
    case.incident.time = "2026-01-02T03:04:05.000000000Z".to_owned();
    case.incident.container.as_mut().unwrap().name = Some("web".to_owned());
    case.exited = Some(crate::resolve::case::AsKilled::default());
    let record = conclude(case);
    for (brief, lines) in [(false, 3), (true, 1)] {
        let mut out = Vec::new();
        Human::new(&mut out, move || Look { brief, ..Look::default() }).put(&record).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text.lines().count(), lines, "{text}");
        assert!(text.contains("  EXIT 137   web: exited with 137 by itself: no SIGKILL ended it"), "{text}");
        assert_eq!(text.contains("   ended     victim[20]"), !brief, "{text}");
    }
}

fn warning() -> Warning {
    Warning {
        time: "2020-01-02T12:00:00.000000000Z".to_owned(),
        node: None,
        kind: WarningKind::LimitForecast,
        confidence: Confidence::Likely,
        container: None,
        pod: None,
        unit: Some("a b.service".to_owned()),
        cgroup: "/system.slice/a b.service".to_owned(),
        level: LimitLevel::Unit,
        limit_bytes: 512 << 20,
        held_bytes: 400 << 20,
        usage_bytes: 500 << 20,
        near_for_ms: None,
        bytes_per_hour: Some(38 << 20),
        reached: Some(Reached {
            median: "2020-01-02T14:20:00Z".to_owned(),
            low: "2020-01-02T13:50:00Z".to_owned(),
            high: None,
        }),
        why: "it meets its memory limit".to_owned(),
    }
}

#[test]
fn a_warning_says_whose_limit_it_is_and_when_it_is_met() {
    let show = |warning: Warning, brief: bool| {
        let mut written = Vec::new();
        let look = Look { time: TimeForm::Iso, brief, ..Look::default() };
        Human::new(&mut written, move || look).put(&Record::Warning(warning)).unwrap();
        String::from_utf8(written).unwrap()
    };
    let text = show(warning(), false);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].ends_with("WARNING    'a b.service': it meets its memory limit"), "{text}");
    assert_eq!(lines[1].trim(), "memory    400 MiB of 512 MiB cannot be taken back; 500 MiB in use with page cache");
    assert!(lines[2].contains("14:20:00") && lines[2].ends_with("and later or never"), "{text}");
    assert_eq!(show(warning(), true).lines().count(), 1);
    assert!(show(Warning { unit: None, ..warning() }, false).contains("'/system.slice/a b.service'"));
    let (namespace, name) = (Some("shop".to_owned()), Some("web-5d4".to_owned()));
    let pod = Some(crate::model::Pod { namespace, name, ..Default::default() });
    assert!(show(Warning { unit: None, pod, ..warning() }, false).contains("  shop/web-5d4: "));
}
