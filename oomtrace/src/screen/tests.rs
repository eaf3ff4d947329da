//! What is drawn and what keys do, on screens of several sizes.

use glob::Pattern;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};
use unicode_width::UnicodeWidthStr as _;

use super::entry::{Entry, entries};
use super::fixture::{MIB, NOW, docker, kill, node};
use super::glyphs::Glyphs;
use super::incidents::Incidents;
use super::key::{After, Key};
use super::kills::Kills;
use super::names::{Named, Names};
use super::order::Order;
use super::state::{Before, Opened, Pane, State, Watched};
use super::view::{Look, draw};
use super::{listing, table};
use crate::filter::Filter;
use crate::memory::verdict::LimitReached;
use crate::model::{LimitLevel, Record, Routine};
use crate::sink::human::TimeForm;

fn look(color: bool, glyphs: Glyphs) -> Look {
    Look { color, verbose: false, table: table::Look { glyphs, time: TimeForm::Utc, now: NOW } }
}

/// With one kill, of the web server.
fn state() -> State {
    let (rows, names) = node();
    let mut kills = Kills::default();
    let incident = kill(1, "shop-web-1", "one");
    kills.take(&incident);
    let mut state = State::new("node-1".to_owned(), Watched::Kills, false);
    state.take_entries(entries(rows, &names, &kills, &Filter::default()));
    assert!(state.take_records([Record::Incident(incident)]));
    state
}

fn drawn(state: &mut State, (width, height): (u16, u16), look: Look) -> Buffer {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, state, &look)).unwrap();
    terminal.backend().buffer().clone()
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width);
    let row = |row: &[ratatui::buffer::Cell]| row.iter().map(|cell| cell.symbol()).collect::<String>();
    buffer.content.chunks(width).map(|cells| row(cells).trim_end().to_owned()).collect()
}

fn screen(state: &mut State, size: (u16, u16)) -> Vec<String> {
    lines(&drawn(state, size, look(false, Glyphs::Unicode)))
}

fn press(state: &mut State, keys: &str) {
    for c in keys.chars() {
        let key = match c {
            '\n' => Key::Enter,
            '\t' => Key::Tab,
            '\x1b' => Key::Esc,
            '\x08' => Key::Backspace,
            c => Key::Char(c),
        };
        assert_ne!(state.press(key), After::Leave, "{keys:?}");
    }
}

fn names(state: &State) -> Vec<&str> {
    state.shown_entries().map(|entry| entry.name.as_str()).collect()
}

#[test]
fn the_nearest_to_its_limit_comes_first_and_cache_is_no_nearness() {
    let state = state();
    // The database has its limit full of cache; the unit without a limit is of no interest.
    let hostile = r"$'\033[2Jevil\342\200\256\nname'";
    assert_eq!(names(&state), ["shop-web-1", "backup.service", hostile, "db", "worker"]);
}

#[test]
fn a_screen_of_80_columns_has_what_matters() {
    let screen = screen(&mut state(), (80, 24));
    let text = screen.join("\n");
    assert_eq!(screen.len(), 24);
    for (line, parts) in [
        (0, vec!["oomtrace top on node-1: 4 containers, 1 near its limit", "by limit"]),
        (1, vec!["NAME", "MEMORY", "%", "USED", "LIMIT", "LAST H", "GROWTH/H", "FULL IN"]),
        (2, vec!["> shop-web-1", "█████████", "91%", "480 MiB", "512 MiB", "⣿", "+235 MiB", "45 min"]),
        (5, vec!["db", "█▒▒▒▒▒▒▒▒▒", "9%", "1 GiB"]),
        (6, vec!["worker", "100 MiB", " - "]),
    ] {
        for part in parts {
            assert!(screen[line].contains(part), "{part:?} in line {line}:\n{text}");
        }
    }
    assert!(text.contains("1 kill ─"), "{text}");
    assert!(text.contains("11:59:00Z  OOM KILL   shop-web-1: "), "{text}");
    assert!(text.contains("killed 11:59:00Z: oom_container_limit · restarted 2 times"), "{text}");
    assert!(
        screen[23].starts_with("Enter opens  Tab other list  / filters") && screen[23].ends_with("q leaves"),
        "{text}"
    );
}

/// Everything fits, nothing panics, and nothing that a terminal would act upon is on it.
#[test]
fn every_size_is_drawn_and_what_is_too_small_says_so() {
    let opened = [
        None,
        Some(Opened::Incident(0)),
        Some(Opened::Incident(77)),
        Some(Opened::Entry(docker(1))),
        Some(Opened::Entry(docker(4))),
        Some(Opened::Entry("/gone".to_owned())),
        Some(Opened::Notices),
        Some(Opened::Help),
    ];
    for size in [(1, 1), (20, 5), (39, 24), (40, 10), (60, 20), (80, 24), (120, 12), (200, 50)] {
        for (glyphs, opened) in
            [Glyphs::Unicode, Glyphs::Ascii].into_iter().flat_map(|g| opened.iter().map(move |o| (g, o)))
        {
            let mut state = state();
            state.take_notice("something \x1b[31mred\nand long ".repeat(20));
            state.opened.clone_from(opened);
            let buffer = drawn(&mut state, size, look(true, glyphs));
            let text = lines(&buffer).join("\n");
            assert!(text.chars().all(|c| c == '\n' || !crate::text::escape::is_unsafe(c)), "{text:?}");
            if size.0 < 40 || size.1 < 10 {
                let words = text.split_whitespace().next().unwrap_or_default();
                assert!("the".starts_with(words) || words == "t…" || words == "…", "{size:?}: {text}");
            }
            if glyphs == Glyphs::Ascii && opened.is_none() && size.0 >= 40 && size.1 >= 10 {
                assert!(text.chars().all(|c| c.is_ascii() || c == '…' || c == '×'), "{text}");
            }
        }
    }
}

#[test]
fn no_line_is_wider_than_its_screen() {
    for width in [40, 60, 80, 100, 120, 200] {
        let layout = table::layout(Some(width), 90);
        let taken: usize = layout.iter().map(|(_, width)| width + 1).sum::<usize>() - 1;
        assert!(taken <= width, "{width}: {layout:?}");
        for entry in state().entries() {
            for (column, width) in &layout {
                let cell = table::cell(entry, *column, *width, &look(false, Glyphs::Unicode).table);
                let cell: String = cell.into_iter().map(|(text, _)| text).collect();
                assert_eq!(cell.width(), *width, "{column:?} {cell:?}");
            }
        }
    }
    let columns = |width| table::layout(Some(width), 20).iter().map(|(column, _)| column.title()).collect::<Vec<_>>();
    assert_eq!(columns(60), ["NAME", "MEMORY", "%", "USED", "LIMIT", "FULL IN"]);
    assert_eq!(columns(160).last(), Some(&"LAST KILL"));
}

#[test]
fn without_colour_there_is_none_and_the_chosen_line_is_marked_all_the_same() {
    let is_plain =
        |buffer: &Buffer| buffer.content.iter().all(|cell| cell.fg == Color::Reset && cell.bg == Color::Reset);
    for opened in [None, Some(Opened::Incident(0)), Some(Opened::Entry(docker(1))), Some(Opened::Help)] {
        let mut state = state();
        state.opened.clone_from(&opened);
        assert!(is_plain(&drawn(&mut state, (80, 24), look(false, Glyphs::Unicode))), "{opened:?}");
        if opened != Some(Opened::Help) {
            assert!(!is_plain(&drawn(&mut state, (80, 24), look(true, Glyphs::Unicode))), "{opened:?}");
        }
    }
    let buffer = drawn(&mut state(), (80, 24), look(false, Glyphs::Unicode));
    assert_eq!(buffer[(0, 2)].symbol(), ">");
    assert!(buffer[(2, 2)].modifier.contains(Modifier::BOLD) && buffer[(0, 0)].modifier.contains(Modifier::REVERSED));
}

#[test]
fn keys_move_within_the_lists_and_open_what_is_chosen() {
    let mut state = state();
    screen(&mut state, (80, 24));
    press(&mut state, "jj");
    assert_eq!(state.chosen().map(|entry| entry.memory.cgroup.clone()), Some(docker(4)));
    // It stays chosen where it goes, and whoever is at the top stays there.
    press(&mut state, "ssss");
    assert_eq!((state.order, state.chosen().map(|entry| entry.memory.cgroup.clone())), (Order::Name, Some(docker(4))));
    press(&mut state, "sg");
    assert_eq!(state.memory.at, 0);
    press(&mut state, "G");
    assert_eq!(state.chosen().map(|entry| entry.name.as_str()), Some("worker"));
    press(&mut state, "k\n");
    assert_eq!(state.opened, Some(Opened::Entry(docker(2))));
    assert!(screen(&mut state, (80, 24)).join("\n").contains("page cache"));
    press(&mut state, "\x1b\t");
    assert_eq!(state.pane, Pane::Kills);
    press(&mut state, "\n");
    let text = screen(&mut state, (80, 24)).join("\n");
    assert!(text.contains("shop-web-1: ") && text.contains("docker update --memory"), "{text}");
    press(&mut state, "q?");
    assert!(screen(&mut state, (80, 24)).join("\n").contains("page cache"));
    // Each way back leads back.
    press(&mut state, "?");
    assert_eq!((state.opened.clone(), state.press(Key::Char('q'))), (None, After::Leave));
    assert_eq!(state.press(Key::Esc), After::Leave);
    assert_eq!(state.press(Key::Char('y')), After::Nothing);
}

#[test]
fn a_filter_is_written_kept_and_ended() {
    let mut state = state();
    press(&mut state, "/WEB");
    assert_eq!((names(&state), state.is_editing()), (vec!["shop-web-1"], true));
    assert!(screen(&mut state, (80, 24))[23].starts_with("/WEB"));
    // A letter is a letter while it is written.
    press(&mut state, "q\x08\n");
    assert_eq!((state.filter(), state.is_editing()), ("WEB", false));
    press(&mut state, "/x\x1b");
    assert_eq!(state.filter(), "WEB");
    press(&mut state, "\x1b");
    assert_eq!((state.filter(), names(&state).len()), ("", 5));
    press(&mut state, "/nothing has this\n");
    assert!(screen(&mut state, (80, 24)).join("\n").contains("nothing matches"));
    press(&mut state, "\x1b/ssh\n");
    // It is asked for, limit or not.
    assert_eq!(names(&state), ["ssh.service"]);
    press(&mut state, "\x1bu");
    assert_eq!(names(&state).len(), 6);
    press(&mut state, "/nginx:1.27\n");
    assert_eq!(names(&state).len(), 4);
}

#[test]
fn whoever_asks_for_what_is_not_there_is_told_so() {
    for (has_filters, said) in [(true, "nothing here matches the filters"), (false, "whose memory can be read")] {
        let mut state = State::default();
        state.has_filters = has_filters;
        assert!(screen(&mut state, (80, 24)).join("\n").contains(said));
    }
}

#[test]
fn what_is_gone_leaves_its_place_to_its_neighbour() {
    let mut state = state();
    press(&mut state, "jj");
    let (rows, names) = node();
    let rows = rows.into_iter().filter(|row| row.cgroup != docker(4)).collect();
    state.take_entries(entries(rows, &names, &Kills::default(), &Filter::default()));
    assert_eq!((state.memory.at, state.chosen().map(|entry| entry.name.as_str())), (2, Some("db")));
    state.take_entries(Vec::new());
    assert!(state.chosen().is_none());
    assert!(screen(&mut state, (80, 24)).join("\n").contains("no container or unit"));
}

#[test]
fn what_is_followed_for_seconds_has_no_curve_of_an_hour() {
    let (mut rows, names) = node();
    let columns = |rows: Vec<crate::run::flight::Row>, glyphs| {
        let all = entries(rows, &names, &Kills::default(), &Filter::default());
        let look = table::Look { glyphs, time: TimeForm::Utc, now: NOW };
        let cell = table::cell(&all[2], table::Column::Curve, 8, &look);
        cell.into_iter().map(|(text, _)| text).collect::<String>()
    };
    let drawn = |curve: String| curve.chars().filter(|c| *c != ' ').count();
    assert_eq!(drawn(columns(rows.clone(), Glyphs::Unicode)), 8);
    rows[2].series = vec![(5_000, 470 * MIB, 480 * MIB), (1_000, 470 * MIB, 480 * MIB)];
    for glyphs in [Glyphs::Unicode, Glyphs::Ascii] {
        let curve = columns(rows.clone(), glyphs);
        assert!(drawn(curve.clone()) == 1 && !curve.ends_with(' '), "{curve:?}");
    }
    // Half an hour is the right half.
    rows[2].series = (0..=30).map(|minute| ((30 - minute) * 60_000, 470 * MIB, 480 * MIB)).collect();
    let curve = columns(rows, Glyphs::Unicode);
    assert!((4..=5).contains(&drawn(curve.clone())) && curve.starts_with("   "), "{curve:?}");
}

#[test]
fn the_rule_says_how_many_kills_there_were_before_the_start_and_since_when() {
    let mut state = State::new("node-1".to_owned(), Watched::Kills, false);
    let mut rule = |before| {
        state.before = before;
        screen(&mut state, (80, 24)).into_iter().find(|line| line.contains("no kill since the start")).unwrap()
    };
    assert!(!rule(None).contains("before") && !rule(Some(Before::default())).contains("before"));
    let rule = rule(Some(Before { kills: 2_502, first: Some("2026-11-26T03:10:00.123456789Z".to_owned()) }));
    assert!(rule.starts_with("── no kill since the start; 2502 before the start, since 03:10:00Z ──"), "{rule}");
}

#[test]
fn kills_that_nobody_sees_are_said_and_so_is_what_else_was_said() {
    let mut state = State::new(String::new(), Watched::MemoryAlone("root is needed".to_owned()), false);
    state.take_notice("oomtrace: first".to_owned());
    state.take_notice("oomtrace: second".to_owned());
    let text = screen(&mut state, (80, 24)).join("\n");
    assert!(
        text.contains("kills are not seen here: root is needed") && text.contains("oomtrace: second  n shows all"),
        "{text}"
    );
    press(&mut state, "n");
    let text = screen(&mut state, (80, 24));
    assert!(text[1].contains("second") && text[2].contains("first"), "{text:?}");
    press(&mut state, "n");
    assert!(!screen(&mut state, (80, 24)).join("\n").contains("second"));
    state.take_notice("third".to_owned());
    // Whoever presses a key has seen it.
    assert_eq!(state.press(Key::Char('y')), After::Draw);
    assert!(!screen(&mut state, (80, 24)).join("\n").contains("third"));
}

#[test]
fn what_is_kept_is_bounded_and_routine_kills_are_shown_on_demand() {
    let mut incidents = Incidents::default();
    for number in 0..1000 {
        let mut incident = kill(1, "web", &number.to_string());
        incident.victim.process.exe = Some(format!("/bin/{number}"));
        incident.victim.process.cmdline = Some(vec!["x".repeat(if number < 900 { 10 } else { 100_000 })]);
        incident.routine = (number % 2 == 1).then_some(Routine::Helper);
        incidents.take(Record::Incident(incident));
    }
    assert_eq!((incidents.count, incidents.routine), (500, 500));
    let shown = incidents.shown(true).count();
    assert!((10..60).contains(&shown), "{shown}");
    // Every other one is routine: these go first, but for the latest.
    assert_eq!(incidents.shown(false).count() + 1, shown);
    let mut kills = Kills::default();
    for number in 0..20_000_u32 {
        let mut incident = kill(1, "web", "x");
        incident.container = None;
        incident.victim.process.cgroup = Some(format!("/a/{number}"));
        kills.take(&incident);
    }
    assert!(kills.of("/a/19999", None).is_some() && kills.of("/a/5", None).is_none());
}

#[test]
fn a_kill_counts_for_all_that_it_happened_in() {
    let mut kills = Kills::default();
    let mut incident = kill(1, "app", "one");
    let pod = crate::model::Pod { uid: Some("2f1c8b1a-0c1d-4b5e-9a77-0123456789ab".to_owned()), ..Default::default() };
    let container = incident.container.as_mut().unwrap();
    (container.cgroup, container.pod) = ("/kubepods/podx/abc".to_owned(), Some(pod));
    incident.victim.process.cgroup = Some("/kubepods/podx/abc/below".to_owned());
    let container = container.clone();
    kills.take(&incident);
    kills.take(&incident);
    for (cgroup, is_found) in
        [("/kubepods/podx/abc", true), ("/kubepods/podx", true), ("/kubepods/pody", false), ("/", false)]
    {
        assert_eq!(kills.of(cgroup, None).map(|kill| kill.count), is_found.then_some(2), "{cgroup}");
    }
    // The kubelet makes another container of the same name in the same pod.
    let again = crate::model::Container { cgroup: "/kubepods/podx/def".to_owned(), id: "def".to_owned(), ..container };
    assert!(kills.of(&again.cgroup, Some(&again)).is_some());
    incident.routine = Some(Routine::Helper);
    kills.take(&incident);
    assert_eq!(kills.of("/kubepods/podx", None).map(|kill| kill.count), Some(2));
}

#[test]
fn filters_choose_rows_by_what_these_are() {
    let (rows, names) = node();
    let pattern = |text: &str| vec![Pattern::new(text).unwrap()];
    let of = |filter: Filter| {
        let mut names: Vec<String> =
            entries(rows.clone(), &names, &Kills::default(), &filter).into_iter().map(|entry| entry.name).collect();
        names.sort();
        names
    };
    assert_eq!(of(Filter { containers: pattern("shop-*"), ..Filter::default() }), ["shop-web-1"]);
    assert_eq!(of(Filter { units: pattern("ssh*"), ..Filter::default() }), ["ssh.service"]);
    assert_eq!(of(Filter { cgroups: vec!["/system.slice".to_owned()], ..Filter::default() }).len(), 2);
    // Those are of processes.
    assert_eq!(of(Filter { comms: pattern("nginx"), ..Filter::default() }).len(), 6);
}

#[test]
fn names_are_asked_for_until_they_are_known_and_now_and_then_again() {
    let (rows, mut names) = node();
    let web = rows.iter().find(|row| row.cgroup == docker(1)).unwrap().clone();
    // Its two restarts were not there when it was named.
    assert!(names.wants(&web, 0));
    let known = names.get(&docker(1)).cloned().unwrap();
    names.put(docker(1), known, 2, 0);
    assert!(!names.wants(&web, 100) && names.wants(&web, 301));
    names.put(docker(1), Named::Container(Box::default()), 2, 0);
    assert!(!names.wants(&web, 5) && names.wants(&web, 10));
    // One that only has the name of a container's is none, and not shown.
    names.put(docker(2), Named::NoContainer, 0, 0);
    let shown = entries(rows.clone(), &names, &Kills::default(), &Filter::default());
    assert!(!shown.iter().any(|entry| entry.memory.cgroup == docker(2)));
    names.keep_those_of(&rows[..1]);
    assert!(names.get(&docker(1)).is_none() && names.get(&docker(3)).is_some());
}

#[test]
fn a_cgroup_without_a_name_goes_by_its_own() {
    let (mut rows, _) = node();
    rows.push(super::fixture::row(
        "/kubepods/burstable/pod2f1c8b1a-0c1d-4b5e-9a77-0123456789ab",
        LimitLevel::Pod,
        1,
        1,
        None,
    ));
    let all = entries(rows, &Names::default(), &Kills::default(), &Filter::default());
    let name = |cgroup: &str| all.iter().find(|entry| entry.memory.cgroup == cgroup).map(|entry| entry.name.as_str());
    assert_eq!(name(&docker(1)), Some("010101010101"));
    assert_eq!(all.iter().filter(|entry| entry.name.starts_with("pod2f1c")).count(), 1);
}

#[test]
fn a_table_is_printed_once() {
    let state = state();
    let all: Vec<Entry> = state.shown_entries().cloned().collect();
    let look = look(false, Glyphs::Unicode).table;
    let whole = listing::text(&all, None, false, &look);
    let lines: Vec<&str> = whole.lines().collect();
    assert_eq!(lines.len(), 6);
    assert!(lines[0].starts_with("NAME") && lines[0].ends_with("LAST KILL"), "{whole}");
    assert!(lines[1].contains("+235 MiB") && lines[1].ends_with("11:59:00Z oom_container_limit"), "{whole}");
    assert!(!whole.contains('\x1b') && lines.iter().all(|line| *line == line.trim_end()), "{whole:?}");
    for width in [60, 80, 120] {
        assert!(listing::text(&all, Some(width), false, &look).lines().all(|line| line.width() <= width));
    }
    let colored = listing::text(&all, Some(80), true, &look);
    assert!(colored.starts_with("\x1b[1mNAME") && colored.contains("\x1b[31m"), "{colored:?}");
}

#[test]
fn when_it_is_full_and_what_is_held_are_said_in_whole_sentences() {
    for (later, when, at) in [(2700.0, "in 45 min", "12:45:00Z"), (-600.0, "now", "11:50:00Z")] {
        let (mut rows, names) = node();
        let web = rows.iter_mut().find(|row| row.cgroup == docker(1)).unwrap();
        web.outlook.as_mut().unwrap().limit_reached_at =
            Some(LimitReached { median: NOW + later, low: NOW + later - 60.0, high: None });
        let mut state = State::new("node-1".to_owned(), Watched::Kills, false);
        state.take_entries(entries(rows, &names, &Kills::default(), &Filter::default()));
        let text = screen(&mut state, (200, 24)).join("\n");
        assert!(text.contains(&format!("at its limit {when} ")), "{text}");
        state.opened = Some(Opened::Entry(docker(1)));
        let text = screen(&mut state, (200, 24)).join("\n");
        assert!(text.contains(&format!(" {when}, expected at {at} (between ")), "{text}");
        let held = "480 MiB of 512 MiB; 470 MiB cannot be taken back, 91 % of the limit; read ";
        assert!(text.contains(held), "{text}");
    }
}

#[test]
fn how_long_and_how_much_are_short() {
    for (hours, text) in
        [(-1.0, "now"), (0.5, "30 min"), (3.24, "3.2 h"), (20.0, "20 h"), (100.0, "4 d"), (9e9, ">99 d")]
    {
        assert_eq!(table::span(hours), text);
    }
    for (rate, text) in [(0.0, "0"), (1e4, "0"), (38.0 * MIB as f64, "+38 MiB"), (-2.0 * MIB as f64, "-2 MiB")] {
        assert_eq!(table::growth(rate), text);
    }
}

#[test]
fn a_narrow_screen_says_how_to_get_help_and_out() {
    for width in [40, 50, 60, 70, 80, 100] {
        for filter in ["", "a-filter-of-twenty-x"] {
            let mut state = state();
            if !filter.is_empty() {
                press(&mut state, &format!("/{filter}"));
                state.press(Key::Enter);
            }
            let screen = screen(&mut state, (width, 24));
            assert!(screen[23].ends_with("? helps  q leaves"), "{width}: {}", screen[23]);
        }
    }
}

#[test]
fn the_first_focus_is_where_there_is_something_until_a_key_is_pressed() {
    let mut state = State::new(String::new(), Watched::Kills, false);
    assert!(state.take_records([Record::Incident(kill(1, "shop-web-1", "one"))]));
    assert_eq!(state.pane, Pane::Kills);
    let (rows, names) = node();
    let all = entries(rows, &names, &Kills::default(), &Filter::default());
    state.take_entries(all.clone());
    assert_eq!(state.pane, Pane::Memory);
    state.take_entries(Vec::new());
    state.press(Key::Down);
    state.take_entries(all);
    assert_eq!(state.pane, Pane::Kills);
}
