//! What a person sees and where they are in it; and what a key does.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::model::Record;
use crate::screen::entry::Entry;
use crate::screen::incidents::{Incidents, Shown};
use crate::screen::key::{After, Key};
use crate::screen::order::Order;

/// Lines of what else was said that are kept.
const MOST_NOTICES: usize = 200;
/// Characters of a filter.
const MOST_FILTER: usize = 100;

/// What is watched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Watched {
    /// Memory and kills.
    #[default]
    Kills,
    /// Memory alone, for this reason.
    MemoryAlone(String),
}

/// Kills of this boot from before it was started, as the history has them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    pub kills: u64,
    /// The time of the first.
    pub first: Option<String>,
}

/// Which of the two lists the keys are for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    #[default]
    Memory,
    Kills,
}

/// What is open in place of the two lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Opened {
    /// By its number.
    Incident(u64),
    /// By its cgroup.
    Entry(String),
    Notices,
    Help,
}

/// Where one is in a list.
#[derive(Clone, Debug, Default)]
pub struct Cursor {
    /// What is chosen; none: whatever is first.
    key: Option<String>,
    /// Where that is.
    pub at: usize,
    /// The first line that is seen.
    pub top: usize,
}

/// See the module's documentation.
#[derive(Clone, Debug, Default)]
pub struct State {
    pub node: String,
    pub watched: Watched,
    /// None: not known.
    pub before: Option<Before>,
    entries: Vec<Entry>,
    /// Those that are shown, in order.
    pub listed: Vec<usize>,
    pub incidents: Incidents,
    pub notices: VecDeque<String>,
    /// Some were not looked at yet.
    pub has_new_notice: bool,
    pub pane: Pane,
    /// A key was pressed: the lists are not changed under a hand any more.
    has_pressed: bool,
    pub memory: Cursor,
    pub kills: Cursor,
    pub opened: Option<Opened>,
    /// Lines of what is opened that lie above the screen.
    pub scroll: usize,
    pub order: Order,
    /// Every unit, too, that has no limit.
    pub all_entries: bool,
    pub all_kills: bool,
    /// Not all there is was asked for.
    pub has_filters: bool,
    filter: String,
    /// It is being written: what it was before.
    before_editing: Option<String>,
    /// Lines that the list or the text with the keys has on the screen.
    pub page: usize,
}

impl Cursor {
    /// Goes to where what is chosen is now. What is gone leaves its place to its neighbour.
    fn follow(&mut self, keys: &[String]) {
        let found = self.key.as_ref().map(|key| keys.iter().position(|other| other == key));
        self.at = match found {
            None => 0,
            Some(Some(at)) => at,
            Some(None) => self.at.min(keys.len().saturating_sub(1)),
        };
        if let Some(None) = found {
            self.key = keys.get(self.at).cloned();
        }
    }

    fn go(&mut self, at: usize, keys: &[String]) {
        self.at = at.min(keys.len().saturating_sub(1));
        // Whoever is at the top stays there, whatever comes.
        self.key = if self.at == 0 { None } else { keys.get(self.at).cloned() };
    }

    /// Has the chosen line on a screen of so many.
    pub fn show(&mut self, lines: usize, of: usize) {
        self.top = self.top.min(self.at).max((self.at + 1).saturating_sub(lines)).min(of.saturating_sub(lines));
    }
}

impl State {
    /// Nothing is followed yet.
    #[must_use]
    pub fn new(node: String, watched: Watched, all_kills: bool) -> Self {
        Self { node, watched, all_kills, ..Self::default() }
    }

    /// Takes what is followed now.
    pub fn take_entries(&mut self, entries: Vec<Entry>) {
        self.entries = entries;
        self.arrange();
    }

    /// Takes records; whether anything of them is shown.
    pub fn take_records(&mut self, records: impl IntoIterator<Item = Record>) -> bool {
        let shown = records.into_iter().filter_map(|record| self.incidents.take(record).then_some(())).count();
        if shown > 0 {
            self.arrange();
        }
        shown > 0
    }

    /// Takes a line that would go to standard error.
    pub fn take_notice(&mut self, line: String) {
        if self.notices.len() >= MOST_NOTICES {
            self.notices.pop_front();
        }
        self.notices.push_back(line);
        self.has_new_notice = !matches!(self.opened, Some(Opened::Notices));
    }

    #[must_use]
    pub fn filter(&self) -> &str {
        &self.filter
    }

    #[must_use]
    pub fn is_editing(&self) -> bool {
        self.before_editing.is_some()
    }

    #[must_use]
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The entries that are shown, in order.
    pub fn shown_entries(&self) -> impl Iterator<Item = &Entry> {
        self.listed.iter().filter_map(|at| self.entries.get(*at))
    }

    /// The entry that is chosen.
    #[must_use]
    pub fn chosen(&self) -> Option<&Entry> {
        self.entries.get(*self.listed.get(self.memory.at)?)
    }

    #[must_use]
    pub fn entry(&self, cgroup: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.memory.cgroup == cgroup)
    }

    /// What of the stream is shown, the latest first.
    #[must_use]
    pub fn shown_incidents(&self) -> Vec<&Shown> {
        let wanted = self.filter.to_lowercase();
        let is_found = |shown: &&Shown| wanted.is_empty() || shown.searched.contains(&wanted);
        self.incidents.shown(self.all_kills).filter(is_found).collect()
    }

    /// Puts everything in order again, and the cursors where they were.
    fn arrange(&mut self) {
        self.order.sort(&mut self.entries);
        let wanted = self.filter.to_lowercase();
        let is_shown = |entry: &Entry| {
            let is_of_interest = self.all_entries || entry.is_of_interest() || !wanted.is_empty();
            is_of_interest && (wanted.is_empty() || is_found(entry, &wanted))
        };
        self.listed = self.entries.iter().enumerate().filter(|(_, entry)| is_shown(entry)).map(|(at, _)| at).collect();
        let keys = self.keys_of(Pane::Memory);
        self.memory.follow(&keys);
        let keys = self.keys_of(Pane::Kills);
        self.kills.follow(&keys);
        if !self.has_pressed {
            // Where there is something to choose.
            self.pane = if self.listed.is_empty() && !keys.is_empty() { Pane::Kills } else { Pane::Memory };
        }
    }

    fn keys_of(&self, pane: Pane) -> Vec<String> {
        match pane {
            Pane::Memory => self.shown_entries().map(|entry| entry.memory.cgroup.clone()).collect(),
            Pane::Kills => self.shown_incidents().iter().map(|shown| shown.number.to_string()).collect(),
        }
    }

    /// Does what a key says.
    pub fn press(&mut self, key: Key) -> After {
        // Whoever presses a key has seen the line.
        let had_notice = std::mem::take(&mut self.has_new_notice);
        self.has_pressed = true;
        match self.act(key) {
            After::Nothing if had_notice => After::Draw,
            after => after,
        }
    }

    fn act(&mut self, key: Key) -> After {
        if self.before_editing.is_some() {
            return self.edit(key);
        }
        if self.opened.is_some() {
            return self.press_opened(key);
        }
        match key {
            Key::Char('q') => return After::Leave,
            // The nearest way out first: of the filter, then of the program.
            Key::Esc if self.filter.is_empty() => return After::Leave,
            Key::Esc => self.set_filter(String::new()),
            Key::Tab => self.pane = if self.pane == Pane::Memory { Pane::Kills } else { Pane::Memory },
            Key::Enter => return self.open(),
            Key::Char('/') => self.before_editing = Some(self.filter.clone()),
            Key::Char('?' | 'h') => self.show(Opened::Help),
            Key::Char('n') => self.show(Opened::Notices),
            Key::Char('s') => {
                self.order = self.order.next();
                self.arrange();
            }
            Key::Char('u') => {
                self.all_entries = !self.all_entries;
                self.arrange();
            }
            Key::Char('a') => {
                self.all_kills = !self.all_kills;
                self.arrange();
            }
            key => return self.go(key),
        }
        After::Draw
    }

    fn go(&mut self, key: Key) -> After {
        let keys = self.keys_of(self.pane);
        let page = self.page.saturating_sub(1).max(1);
        let cursor = if self.pane == Pane::Memory { &mut self.memory } else { &mut self.kills };
        let Some(at) = moved(key, cursor.at, page, keys.len()) else { return After::Nothing };
        cursor.go(at, &keys);
        After::Draw
    }

    fn press_opened(&mut self, key: Key) -> After {
        match key {
            Key::Esc | Key::Char('q') | Key::Enter => self.opened = None,
            Key::Char('?' | 'h') if self.opened == Some(Opened::Help) => self.opened = None,
            Key::Char('?' | 'h') => self.show(Opened::Help),
            Key::Char('n') if self.opened == Some(Opened::Notices) => self.opened = None,
            key => {
                // Whoever draws knows how far down it goes.
                let page = self.page.saturating_sub(1).max(1);
                let Some(at) = moved(key, self.scroll, page, usize::MAX) else { return After::Nothing };
                self.scroll = at;
            }
        }
        After::Draw
    }

    fn open(&mut self) -> After {
        let opened = match self.pane {
            Pane::Memory => self.chosen().map(|entry| Opened::Entry(entry.memory.cgroup.clone())),
            Pane::Kills => self.shown_incidents().get(self.kills.at).map(|shown| Opened::Incident(shown.number)),
        };
        let Some(opened) = opened else { return After::Nothing };
        self.show(opened);
        After::Draw
    }

    fn show(&mut self, opened: Opened) {
        (self.opened, self.scroll) = (Some(opened), 0);
    }

    fn edit(&mut self, key: Key) -> After {
        match key {
            Key::Enter => self.before_editing = None,
            Key::Esc => {
                let before = self.before_editing.take().unwrap_or_default();
                self.set_filter(before);
            }
            Key::Backspace => {
                let mut filter = self.filter.clone();
                if filter.pop().is_none() {
                    self.before_editing = None;
                }
                self.set_filter(filter);
            }
            Key::Char(c) if !crate::text::escape::is_unsafe(c) && self.filter.chars().count() < MOST_FILTER => {
                self.set_filter(format!("{}{c}", self.filter));
            }
            // The list below can be gone through while it is being written.
            Key::Up | Key::Down | Key::PageUp | Key::PageDown => return self.go(key),
            _ => return After::Nothing,
        }
        After::Draw
    }

    fn set_filter(&mut self, filter: String) {
        self.filter = filter;
        self.arrange();
    }
}

/// Where a key leads from `at`, of so many places; none where it leads nowhere.
fn moved(key: Key, at: usize, page: usize, places: usize) -> Option<usize> {
    let last = places.saturating_sub(1);
    Some(match key {
        Key::Up | Key::Char('k') => at.saturating_sub(1),
        Key::Down | Key::Char('j') => at.saturating_add(1).min(last),
        Key::PageUp => at.saturating_sub(page),
        Key::PageDown | Key::Char(' ') => at.saturating_add(page).min(last),
        Key::Home | Key::Char('g') => 0,
        Key::End | Key::Char('G') => last,
        _ => return None,
    })
}

/// Something that it is known by has the text in it.
fn is_found(entry: &Entry, wanted: &str) -> bool {
    let has = |text: &str| text.to_lowercase().contains(wanted);
    let container = entry.container.as_ref();
    let labels = container.and_then(|container| container.labels.as_ref()).into_iter().flatten();
    has(&entry.name)
        || has(&entry.memory.cgroup)
        || container.and_then(|container| container.image.as_deref()).is_some_and(has)
        || labels.into_iter().any(|(key, value)| key.starts_with("com.docker.compose.") && has(value))
}
