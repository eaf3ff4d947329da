//! The thread that draws.

use std::collections::VecDeque;
use std::io::{self, BufWriter};
use std::sync::Arc;
use std::time::{Duration, Instant};

use oomtrace::filter::Filter;
use oomtrace::model::{LimitLevel, Record};
use oomtrace::own::writer;
use oomtrace::run::flight::FlightRecorder;
use oomtrace::screen::entry::entries;
use oomtrace::screen::glyphs::Glyphs;
use oomtrace::screen::key::After;
use oomtrace::screen::kills::Kills;
use oomtrace::screen::state::{State, Watched};
use oomtrace::screen::table;
use oomtrace::screen::view::{Look, draw};
use oomtrace::sink::human::TimeForm;
use oomtrace::sink::steady::duplicate;
use oomtrace::text::ascii::Ascii;
use ratatui::backend::CrosstermBackend;
use ratatui::layout::Rect;
use ratatui::{Terminal, TerminalOptions, Viewport};

use super::shared::Shared;
use super::{suspend, terminal};

/// It is looked so often whether memory was read anew.
const LOOK: Duration = Duration::from_secs(1);
/// It is drawn anew at the latest after this time: what is left until a limit is met shrinks.
const ANEW: Duration = Duration::from_secs(30);
/// Of the thread, for the widest screens.
const STACK: usize = 2 << 20;

/// How it is shown.
pub struct Settings {
    pub node: String,
    pub watched: Watched,
    /// What is not seen here, in words.
    pub missing: Vec<String>,
    pub color: bool,
    pub verbose: bool,
    pub time: TimeForm,
    pub all_kills: bool,
    pub glyphs: Glyphs,
    pub filter: Filter,
}

/// Starts it.
pub fn start(settings: Settings, shared: Arc<Shared>, flight: FlightRecorder) -> io::Result<()> {
    let terminal = terminal_of(area(), settings.glyphs)?;
    writer::spawn_sized("screen", STACK, move || {
        shared.draws(true);
        // Also when it panics: nobody may stay before a screen that nobody draws.
        let ends = Ends(Arc::clone(&shared));
        let result = Screen::new(settings, shared, flight, terminal).run();
        let failed = result.is_err();
        if let Err(error) = result {
            log::error!("cannot draw: {error}");
        }
        ends.0.leave(failed);
    })
}

/// With nothing on it. The size is given: the backend would open the terminal to ask for it, and a confined thread may do nothing with what
/// it opens there (Landlock, 6.10).
fn terminal_of(area: Rect, glyphs: Glyphs) -> io::Result<Out> {
    let out = Ascii::new(BufWriter::new(duplicate(io::stdout())?), glyphs == Glyphs::Ascii);
    Terminal::with_options(CrosstermBackend::new(out), TerminalOptions { viewport: Viewport::Fixed(area) })
}

/// As much as the terminal has; one that does not say how much has what terminals had once.
fn area() -> Rect {
    let (width, height) = terminal_size::terminal_size_of(io::stdout()).map_or((80, 24), |(w, h)| (w.0, h.0));
    Rect::new(0, 0, width, height)
}

struct Ends(Arc<Shared>);

impl Drop for Ends {
    fn drop(&mut self) {
        terminal::restore();
        self.0.draws(false);
        if std::thread::panicking() {
            self.0.leave(true);
        }
    }
}

type Out = Terminal<CrosstermBackend<Ascii<BufWriter<std::fs::File>>>>;

struct Screen {
    settings: Settings,
    shared: Arc<Shared>,
    flight: FlightRecorder,
    terminal: Out,
    state: State,
    kills: Kills,
    started: Instant,
    looked: Option<Instant>,
    drawn: Option<Instant>,
    /// Cgroups and readings when it was last looked.
    seen: (usize, u64),
    /// Names or kills have changed since.
    is_stale: bool,
}

impl Screen {
    fn new(settings: Settings, shared: Arc<Shared>, flight: FlightRecorder, terminal: Out) -> Self {
        let mut state = State::new(settings.node.clone(), settings.watched.clone(), settings.all_kills);
        state.has_filters = settings.filter.is_of_places();
        settings.missing.iter().for_each(|missing| state.take_notice(missing.clone()));
        // It is the same each time, and nothing that has just happened.
        state.has_new_notice = false;
        Self {
            settings,
            shared,
            flight,
            terminal,
            state,
            kills: Kills::default(),
            started: Instant::now(),
            looked: None,
            drawn: None,
            seen: (0, 0),
            is_stale: true,
        }
    }

    /// Until it is left, or ends.
    fn run(mut self) -> io::Result<()> {
        let mut is_changed = true;
        loop {
            is_changed |= self.look();
            if !terminal::is_taken() {
                return Err(io::Error::other("something else failed"));
            }
            if is_changed || self.drawn.is_none_or(|drawn| drawn.elapsed() >= ANEW) {
                self.draw()?;
            }
            is_changed = false;
            let until_look = self.looked.map_or(Duration::ZERO, |looked| LOOK.saturating_sub(looked.elapsed()));
            let Some(waiting) = self.shared.next(until_look) else { return Ok(()) };
            is_changed |= self.take(waiting.records);
            if let Some((kills, before)) = waiting.earlier {
                self.kills.take_earlier(kills);
                self.state.before = before;
                is_changed = true;
                self.is_stale = true;
            }
            for notice in waiting.notices {
                self.state.take_notice(notice);
                is_changed = true;
            }
            self.is_stale |= waiting.named;
            if waiting.suspend {
                terminal::restore();
                suspend::stop();
            }
            if waiting.suspend || waiting.continued {
                terminal::take()?;
            }
            if waiting.resized || waiting.suspend || waiting.continued {
                // All of it is drawn anew.
                terminal::wipe()?;
                self.terminal = terminal_of(area(), self.settings.glyphs)?;
                is_changed = true;
            }
            for key in waiting.keys {
                match self.state.press(key) {
                    After::Nothing => {}
                    After::Draw => is_changed = true,
                    After::Leave => return Ok(()),
                }
            }
        }
    }

    fn take(&mut self, records: VecDeque<Record>) -> bool {
        for record in &records {
            if let Record::Incident(incident) = record {
                self.kills.take(incident);
                self.is_stale = true;
            }
        }
        self.state.take_records(records)
    }

    /// Reads what is followed, when its time has come and something may be new; whether that is so.
    fn look(&mut self) -> bool {
        let now = Instant::now();
        if self.looked.is_some_and(|looked| now.duration_since(looked) < LOOK) {
            return false;
        }
        self.looked = Some(now);
        let seen = self.flight.seen();
        let seen = (seen.cgroups, seen.readings);
        if seen == self.seen && !self.is_stale {
            return false;
        }
        // A clock that cannot be read leaves what was there.
        let Ok(rows) = self.flight.rows() else { return false };
        (self.seen, self.is_stale) = (seen, false);
        let asked_at = self.started.elapsed().as_secs();
        let (kills, filter) = (&self.kills, &self.settings.filter);
        let entries = self.shared.with_names(|names| {
            names.keep_those_of(&rows);
            let wanted = rows.iter().filter(|row| row.level == LimitLevel::Container && names.wants(row, asked_at));
            let wanted = wanted.map(|row| (row.cgroup.clone(), row.restarts)).collect();
            (entries(rows, names, kills, filter), wanted)
        });
        self.state.take_entries(entries);
        true
    }

    fn draw(&mut self) -> io::Result<()> {
        self.drawn = Some(Instant::now());
        let Settings { color, verbose, time, glyphs, .. } = self.settings;
        let now = jiff::Timestamp::now().as_millisecond() as f64 / 1000.0;
        let look = Look { color, verbose, table: table::Look { glyphs, time, now } };
        let state = &mut self.state;
        self.terminal.draw(|frame| draw(frame, state, &look))?;
        Ok(())
    }
}
