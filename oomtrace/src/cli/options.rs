//! The command line's options, and what they accept.

use std::path::PathBuf;
use std::time::Duration;

use super::debugging::Debugging;
use super::kubernetes::{Events, KubernetesOptions};
use super::signals::Signals;
use super::values::{RingSize, absent, duration, duration_with_unit, health_name, ring_size, signal};
use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use oomtrace::own;
use oomtrace::probe::hook::Absent;
use oomtrace::probe::load::DEFAULT_RING_BYTES;
use oomtrace::run::health;

pub use keeping::{Agent, History, Keep, LastKills, kept_at};
pub use past::{Report, Why};
pub use reading::{Color, Form, Listing, Reading, Show, TimeForm};
pub use runtimes::Runtimes;
pub use select::Select;

/// Under which heads `--help` lists options; what is under none is about how it is watched.
mod heading {
    pub const OUTPUT: &str = "Output";
    pub const FILTERS: &str = "Filters";
    pub const MEMORY: &str = "Memory curves and warnings";
    pub const RUNTIMES: &str = "Runtimes and Kubernetes";
    pub const HISTORY: &str = "History";
    pub const DEBUGGING: &str = "Kernel debugging";
}

mod docker_host;
mod keeping;
mod past;
mod reading;
mod runtimes;
mod select;

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Yellow.on_default().bold())
    .usage(AnsiColor::Yellow.on_default().bold())
    .literal(AnsiColor::Green.on_default())
    .placeholder(AnsiColor::Cyan.on_default());

const AFTER_HELP: &str = "\
Examples:
  sudo oomtrace                              every OOM kill and SIGKILL on this node, as it happens
  sudo oomtrace --container 'web*'           only those that hit containers named web…
  sudo oomtrace --json | jq .verdict         a line of JSON for each record (`oomtrace schema` describes it)
  sudo oomtrace --format '{time} {container.name} {verdict.why}'
                                             a line of your own for each incident
  sudo oomtrace --cause oom_container_limit  only containers that ran into their own limit
  sudo oomtrace top                          live: what nears its memory limit, and each kill
  sudo oomtrace ps                           the containers, with memory use, limit and OOM kills
  sudo oomtrace doctor                       what can be seen on this node, and what cannot
  sudo oomtrace history --since yesterday    the kills that were seen since then
  sudo oomtrace history --by container       how many there were of which container
  sudo oomtrace record kills.rec             the same, and keeps what was seen for `oomtrace replay kills.rec`
  sudo oomtrace signals --receiver nginx     each signal that nginx gets, for kernel debugging
  sudo oomtrace why web                      why the container web was killed, also where nobody watched
  oomtrace explain 137                       what an exit code says, and what it does not

Exit status:
  0  stopped by Ctrl-C, SIGTERM, SIGHUP or a closed pipe; or the verb did its work
  1  something failed while it ran, not all of it could be written, a check of the selftest failed, or health is not well
  2  the command line is wrong
  3  a privilege is missing: run it as root
  4  this kernel, or what confines this process, does not allow tracing

Environment:
  OOMTRACE_LOG  oomtrace's own log on stderr: error, warn (default), info, debug
  NODE_NAME     the node's name in the output and in the Kubernetes API, instead of the host's
  KUBECONFIG    credentials for the Kubernetes API, where --kubeconfig names none
  OOMTRACE_HISTORY
                the history's file, or off for none, where --history does not say
  NO_COLOR      no colours, unless --color always";

/// Says who killed a container: every OOM kill and every SIGKILL on this node, from inside the kernel
#[derive(Debug, Parser)]
#[command(version, styles = STYLES, after_help = AFTER_HELP, args_conflicts_with_subcommands = true)]
#[command(max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    pub verb: Option<Verb>,
    #[command(flatten)]
    pub watch: Watch,
    #[command(flatten, next_help_heading = heading::HISTORY)]
    pub keep: Keep,
}

impl Cli {
    /// An error of usage that shows only by the values of options.
    pub fn conflict(&self) -> Option<&'static str> {
        match &self.verb {
            None => self.watch.reading.conflict(),
            Some(Verb::Record(options)) => options.watch.reading.conflict(),
            Some(Verb::Replay(options)) => options.reading.conflict(),
            Some(Verb::Top(options)) => options.conflict(),
            Some(Verb::Agent(options)) => options.watch.reading.conflict(),
            Some(Verb::History(options)) => options.conflict(),
            Some(Verb::Report(options)) => options.conflict(),
            Some(_) => None,
        }
    }
}

/// Without a verb oomtrace watches the node until it is stopped.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Test oomtrace on this node: start two processes, have them killed, and check what it says about each
    Selftest(Runtimes),
    /// Watch the node, and also keep in a file what was seen, for `oomtrace replay`
    Record(Record),
    /// Watch without a terminal, for systemd and the like: a line for each incident, and a history of them
    Agent(Agent),
    /// List the kills that were kept while oomtrace watched, or count them; needs no more than to read the file
    History(History),
    /// Show the incidents of a recording, on any machine and without root
    Replay(Replay),
    /// Show each signal on this node as it is generated, for kernel debugging; no kills are judged meanwhile
    Signals(Signals),
    /// Show live what nears its memory limit, how fast it grows, and each kill as it happens
    Top(Top),
    /// List the containers of this node, by the names that incidents have for them
    Ps(Ps),
    /// Show what can be seen on this node, and what cannot and why
    Doctor(Doctor),
    /// Check that an oomtrace started with --health is watching: for the probes of a pod and the like
    Health {
        /// Which one, where --health gave it another name
        #[arg(default_value = health::NAME, value_parser = health_name)]
        name: String,
    },
    /// Say why something ended: a container, a pod, a unit or a process, whether or not oomtrace was running then
    Why(Why),
    /// Make a page of kills, to hand on: one HTML file, or Markdown for a ticket
    Report(Report),
    /// Say what a memory curve shows: a leak, a warm-up, page cache …, when it will meet its limit, and what limit it wants
    Curve(Curve),
    /// Say what an exit code or a reason means, and what it does not
    Explain {
        /// An exit code (137), a signal (SIGTERM), Docker's or Kubernetes' reason (OOMKilled), or a cause (oom_host); several, if you like
        #[arg(required = true)]
        code: Vec<String>,
    },
    /// Print the JSON Schema of the output of --json
    Schema {
        /// Of which: the stream of incidents, a line of `oomtrace ps`, the stream of `oomtrace signals`, what `oomtrace why` says, or
        /// `oomtrace top --once`
        #[arg(value_enum, default_value_t = Schema::Stream)]
        of: Schema,
    },
    /// The process that keeps the history of one that watches
    #[command(hide = true)]
    HistoryKeeper { path: PathBuf, days: u32, bytes: u64 },
    /// The process that reads the last kills of each place for `oomtrace top`
    #[command(hide = true)]
    LastKills {
        path: PathBuf,
        /// Those before then
        until: jiff::Timestamp,
        #[command(flatten)]
        select: Select,
    },
    /// A process for the selftest to kill
    #[command(hide = true)]
    SelftestChild {
        #[arg(value_enum)]
        role: super::selftest::Role,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
    /// Print the manual page
    Man {
        /// Write it and those of all verbs to this directory instead
        #[arg(long, value_name = "DIR")]
        dir: Option<PathBuf>,
    },
}

/// How and what to watch.
#[derive(Debug, Args)]
pub struct Watch {
    #[command(flatten, next_help_heading = heading::OUTPUT)]
    pub show: Show,
    #[command(flatten, next_help_heading = heading::OUTPUT)]
    pub reading: Reading,
    #[command(flatten, next_help_heading = heading::FILTERS)]
    pub select: Select,
    /// Show this signal too, besides SIGKILL (TERM, SIGINT, 15, RTMIN+3); may be repeated
    #[arg(long, value_name = "SIGNAL", value_parser = signal, help_heading = heading::FILTERS)]
    pub signal: Vec<u32>,
    /// Size of the buffer between kernel and oomtrace (for example 512K, 16M, 64M), rounded up to a power of two. Kills have all of it,
    /// the last quarter in equal shares for each container; everything else has an eighth
    #[arg(long, value_name = "SIZE", default_value_t = RingSize(DEFAULT_RING_BYTES), value_parser = ring_size)]
    pub ring_size: RingSize,
    /// Do without this hook, or without kprobe, fentry or tp_btf, as if the kernel refused it: shows what its absence costs
    #[arg(long, value_name = "HOOK", value_parser = absent, hide_short_help = true)]
    pub without: Vec<Absent>,
    /// How long a container that is gone keeps its name (30s, 10m, 1h 30m): a kill may be reported after its end
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = duration, hide_short_help = true)]
    pub keep_names: Duration,
    /// Whether oomtrace gives up what watching does not need (capabilities, most system calls): off to debug it, strict to end at a
    /// system call that is not expected
    #[arg(long, value_enum, value_name = "HOW", default_value_t = Sandboxing::On, hide_short_help = true)]
    pub sandbox: Sandboxing,
    /// Answer `oomtrace health`, which says whether the hooks are attached and what they report is read. A name distinguishes several
    /// that watch in one network namespace
    #[arg(long, value_name = "NAME", num_args = 0..=1, require_equals = true, default_missing_value = health::NAME, value_parser = health_name)]
    pub health: Option<String>,
    /// Do not follow the memory of containers, pods and units: kills then have no curve that led to them
    #[arg(long, help_heading = heading::MEMORY)]
    pub no_curves: bool,
    /// Say nothing in time of limits that are nearly met, or will be soon
    #[arg(long, help_heading = heading::MEMORY)]
    pub no_warnings: bool,
    /// Warn of a memory limit that will be met within this time, if it goes on so (30m, 4h)
    #[arg(long, value_name = "TIME", default_value = "4h", value_parser = duration_with_unit, help_heading = heading::MEMORY)]
    pub warn_within: Duration,
    /// Warn of a memory limit of which 95 % and more have been in use for this time, page cache left out (30s, 2m)
    #[arg(long, value_name = "TIME", default_value = "30s", value_parser = duration_with_unit, help_heading = heading::MEMORY)]
    pub warn_near: Duration,
    #[command(flatten, next_help_heading = heading::RUNTIMES)]
    pub runtimes: Runtimes,
    #[command(flatten, next_help_heading = heading::RUNTIMES)]
    pub kubernetes: KubernetesOptions,
    /// Whether kills are put on their pods as Events, for `kubectl describe pod`: auto does so in a pod
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Events::Auto, hide_short_help = true, help_heading = heading::RUNTIMES)]
    pub kubernetes_events: Events,
    #[command(flatten, next_help_heading = heading::DEBUGGING)]
    pub debugging: Debugging,
}

/// Whether oomtrace confines itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Sandboxing {
    On,
    Off,
    Strict,
}

impl From<Sandboxing> for own::Mode {
    fn from(how: Sandboxing) -> Self {
        match how {
            Sandboxing::On => Self::On,
            Sandboxing::Off => Self::Off,
            Sandboxing::Strict => Self::Strict,
        }
    }
}

/// What to record.
#[derive(Debug, Args)]
pub struct Record {
    /// The recording; a file that is not there yet, made for its owner alone (mode 0600)
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten)]
    pub watch: Watch,
    #[command(flatten, next_help_heading = heading::HISTORY)]
    pub keep: Keep,
}

/// What to show live.
#[derive(Debug, Args)]
#[command(mut_arg("all", |all| all.help("Show routine kills, too; with --once, units that have no limit")))]
pub struct Top {
    /// Print what there is now as a table, or with --json as one object, and end: no kill is waited for
    #[arg(long)]
    pub once: bool,
    #[command(flatten)]
    pub watch: Watch,
    #[command(flatten, next_help_heading = heading::HISTORY)]
    pub last_kills: LastKills,
}

impl Top {
    fn conflict(&self) -> Option<&'static str> {
        let form = self.watch.reading.form();
        if self.watch.no_curves {
            return Some("top shows nothing but what --no-curves leaves out");
        }
        match (self.once, form) {
            (_, Form::Text) | (true, Form::Json) => self.watch.reading.conflict(),
            (true, _) => Some("top --once prints a table, or one object with --json"),
            (false, _) => {
                Some("a screen is for people; for programs there is top --once --json, and oomtrace --json for kills")
            }
        }
    }
}

/// What to replay.
#[derive(Debug, Args)]
pub struct Replay {
    /// The recording; - is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    #[command(flatten, next_help_heading = heading::OUTPUT)]
    pub show: Show,
    #[command(flatten, next_help_heading = heading::OUTPUT)]
    pub reading: Reading,
    #[command(flatten, next_help_heading = heading::FILTERS)]
    pub select: Select,
    #[command(flatten, next_help_heading = heading::DEBUGGING)]
    pub debugging: Debugging,
}

/// How to list containers.
#[derive(Debug, Args)]
pub struct Ps {
    #[command(flatten, next_help_heading = heading::OUTPUT)]
    pub listing: Listing,
    #[command(flatten, next_help_heading = heading::OUTPUT)]
    pub show: Show,
    #[command(flatten, next_help_heading = heading::RUNTIMES)]
    pub runtimes: Runtimes,
    #[command(flatten, next_help_heading = heading::RUNTIMES)]
    pub kubernetes: KubernetesOptions,
}

/// Whose memory curve.
#[derive(Debug, Args)]
pub struct Curve {
    /// JSON lines {"t": Unix seconds, "anon_bytes", "file_bytes", "shmem_bytes", "usage_bytes", "limit_bytes", "restart"}, of which t and
    /// one size are needed; the answer to a Prometheus range query; or CSV with a header. - is standard input
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Print one JSON object in place of a plot and sentences
    #[arg(long)]
    pub json: bool,
}

/// What has a schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Schema {
    Stream,
    Ps,
    Signals,
    Why,
    Top,
}

/// How to show the doctor's findings.
#[derive(Debug, Args)]
pub struct Doctor {
    #[command(flatten, next_help_heading = heading::RUNTIMES)]
    pub runtimes: Runtimes,
    #[command(flatten, next_help_heading = heading::RUNTIMES)]
    pub kubernetes: KubernetesOptions,
    /// When to use colours
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn watch_options_and_verbs_do_not_mix() {
        assert!(Cli::try_parse_from(["oomtrace", "--json", "schema"]).is_err());
        assert!(Cli::try_parse_from(["oomtrace", "schema"]).is_ok());
        assert!(Cli::try_parse_from(["oomtrace", "--signal", "NOPE"]).is_err());
        assert!(Cli::try_parse_from(["oomtrace", "--cause", "nope"]).is_err());
        assert!(Cli::try_parse_from(["oomtrace", "--container", "[a"]).is_err());
    }

    #[test]
    fn top_reads_a_history_and_keeps_none() {
        for (option, is_taken) in
            [("--history=f", true), ("--no-history", true), ("--history-days=3", false), ("--history-size=64M", false)]
        {
            assert_eq!(Cli::try_parse_from(["oomtrace", "top", option]).is_ok(), is_taken, "{option}");
            for verb in [vec![], vec!["agent"], vec!["record", "file"]] {
                let words = std::iter::once("oomtrace").chain(verb).chain([option]);
                assert!(Cli::try_parse_from(words).is_ok(), "{option}");
            }
        }
    }
}
