//! The situations of `docs/gallery.md`: what an on-call person asks, what makes it, and what it must be judged as.
//!
//! `cargo xtask gallery --record` makes the kills anew, in a virtual machine, and keeps their recordings; `cargo xtask gallery` makes the
//! page of the recordings.

mod containers;
mod host;
mod kernel;
mod kubernetes;
mod limits;
mod people;
mod programs;
mod reading;
mod runtimes;
mod systemd;

/// Where the page's own recordings and pictures are, from the workspace's directory.
pub const DIRECTORY: &str = "docs/gallery";
/// What scenarios on a Kubernetes node were said to be: a line of JSON for each incident, with the scenario's name.
pub const KUBERNETES: &str = "docs/gallery/kubernetes.jsonl";
/// What scenarios that make them are called by: `gallery::NAME`.
pub const SCENARIOS: &str = "gallery::";

/// Columns of the page's terminal.
pub const WIDTH: usize = 100;

/// Where a situation's recording is from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Made by the situation's own scenario.
    Own,
    /// Kept by the test scenarios; a path below `oomtrace/tests/recordings`.
    Test(&'static str),
    /// Made by the scenario of this name on a Kubernetes node.
    Kubernetes(&'static str),
}

/// How it is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct How {
    /// `--brief`.
    pub brief: bool,
    /// `--all`.
    pub all: bool,
}

/// Something that happens to people.
#[derive(Clone, Copy, Debug)]
pub struct Situation {
    /// Of its files and its scenario.
    pub name: &'static str,
    /// As a person asks.
    pub title: &'static str,
    /// What is there before it: a shell script.
    pub before: &'static str,
    /// What makes it: a line for bash.
    pub made: &'static str,
    /// What must be said of it: causes, and of how many incidents each.
    pub is: &'static [(&'static str, usize)],
    /// A record of another kind that must come as well: its `type`.
    pub also: Option<&'static str>,
    pub source: Source,
    pub how: How,
    /// What distinguishes it from what looks like it.
    pub apart: &'static str,
}

impl Situation {
    /// One that is made for the page.
    const fn own(
        name: &'static str,
        title: &'static str,
        made: &'static str,
        is: &'static [(&'static str, usize)],
        apart: &'static str,
    ) -> Self {
        let how = How { brief: false, all: false };
        Self { name, title, before: "", made, is, also: None, source: Source::Own, how, apart }
    }

    const fn after(mut self, before: &'static str) -> Self {
        self.before = before;
        self
    }

    const fn of(mut self, source: Source) -> Self {
        self.source = source;
        self
    }

    const fn with(mut self, record: &'static str) -> Self {
        self.also = Some(record);
        self
    }

    const fn brief(mut self) -> Self {
        self.how.brief = true;
        self
    }

    const fn all(mut self) -> Self {
        self.how.all = true;
        self
    }

    /// Where its recording is, from the workspace's directory; for one of a Kubernetes node, the incidents of all of these.
    #[must_use]
    pub fn recording(&self) -> String {
        match self.source {
            Source::Test(path) => format!("oomtrace/tests/recordings/{path}"),
            Source::Own => format!("{DIRECTORY}/recordings/{}.rec", self.name),
            Source::Kubernetes(_) => KUBERNETES.to_owned(),
        }
    }
}

/// Situations that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Group {
    pub title: &'static str,
    pub situations: &'static [Situation],
}

/// All of them, in the page's order.
pub const GROUPS: &[Group] = &[
    Group { title: "A container's own limit", situations: containers::ALL },
    Group { title: "The limit of a unit, a slice or a parent", situations: limits::ALL },
    Group { title: "The host's memory", situations: host::ALL },
    Group { title: "Runtimes, and stops that time out", situations: runtimes::ALL },
    Group { title: "People", situations: people::ALL },
    Group { title: "Programs that kill their own", situations: programs::ALL },
    Group { title: "The kernel, and odd ways", situations: kernel::ALL },
    Group { title: "Kubernetes", situations: kubernetes::ALL },
    Group { title: "systemd", situations: systemd::ALL },
    Group { title: "Many, few and none: how it is read", situations: reading::ALL },
];

/// All of them.
pub fn all() -> impl Iterator<Item = &'static Situation> {
    GROUPS.iter().flat_map(|group| group.situations)
}
