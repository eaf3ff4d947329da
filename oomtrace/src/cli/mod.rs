//! The command line: one file a verb.

mod agent;
mod completions;
mod curve;
mod debugging;
mod doctor;
mod exit;
mod explain;
mod health;
mod history;
mod input;
mod kubernetes;
mod man;
mod missing;
mod options;
mod output;
mod period;
mod ps;
mod replay;
mod report;
mod schema;
mod selftest;
mod signals;
mod stop;
mod top;
mod values;
mod watch;
mod why;

use std::ffi::OsStr;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{CommandFactory as _, Parser as _};
use oomtrace::sink::notices;
use oomtrace::sink::terminal::has_color;
use oomtrace::text::escape::escape;
use oomtrace::text::quote::quote;

use exit::Status;
use options::{Cli, Verb};

/// For how long standard error is waited for at the end.
const LAST: Duration = Duration::from_millis(200);

/// `debug`, or `oomtrace::probe=debug,warn`. A module alone would be taken, too, and so every word that is mistyped.
fn is_log_setting(text: &OsStr) -> bool {
    let is_level = |level: &str| level.parse::<log::LevelFilter>().is_ok();
    let is_part = |part: &str| is_level(part.rsplit_once('=').map_or(part, |(_, level)| level).trim());
    text.to_str().is_some_and(|text| text.split(',').all(|part| part.trim().is_empty() || is_part(part)))
}

/// The verb that an option stands before.
fn verb_of(error: &clap::Error) -> Option<&str> {
    match error.get(ContextKind::InvalidSubcommand)? {
        ContextValue::String(verb) => Some(verb),
        _ => None,
    }
}

/// What other tools call it, or one tries first; and what it is here. Like which verb it is spelled says nothing.
const MEANT: [(&[&str], &str); 6] = [
    (
        &["watch", "trace", "run", "start", "monitor", "live", "follow", "tail"],
        "without a verb oomtrace watches this node: sudo oomtrace",
    ),
    (&["list", "ls", "containers"], "the containers of this node: sudo oomtrace ps"),
    (&["status", "check"], "what can be seen on this node: sudo oomtrace doctor; its containers: sudo oomtrace ps"),
    (
        &["log", "logs", "events", "event", "kills", "incidents", "journal"],
        "the kills that were kept while oomtrace watched: oomtrace history",
    ),
    (&["last", "latest"], "the last kill on this node: sudo oomtrace why; those that were kept: oomtrace history"),
    (
        &["show", "describe", "inspect", "get", "info"],
        "what became of a container, a pod, a unit or a pid, or one incident: oomtrace why NAME|PID|ID",
    ),
];

/// Verbs that are hidden are for oomtrace itself: they are no suggestions.
fn with_true_suggestions(mut error: clap::Error) -> clap::Error {
    let meant = |verb: &str| MEANT.iter().find(|(verbs, _)| verbs.contains(&verb)).map(|(_, tip)| *tip);
    if error.kind() == ErrorKind::InvalidSubcommand
        && let Some(tip) = verb_of(&error).and_then(meant)
    {
        error.remove(ContextKind::SuggestedSubcommand);
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip.into()]));
        return error;
    }
    if let Some(ContextValue::Strings(mut verbs)) = error.remove(ContextKind::SuggestedSubcommand) {
        let cli = Cli::command();
        verbs.retain(|verb| cli.find_subcommand(verb).is_none_or(|verb| !verb.is_hide_set()));
        if !verbs.is_empty() {
            error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(verbs));
            return error;
        }
    }
    // Nothing like a verb: most likely what one wants to know something about.
    if error.kind() == ErrorKind::InvalidSubcommand
        && let Some(word) = verb_of(&error)
    {
        let tip = format!("for a container, a pod, a unit or a pid: oomtrace why {}", quote(word)).into();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(vec![tip]));
    }
    error
}

/// Parses the arguments, runs the verb, and says on one line what went wrong.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return usage(&with_true_suggestions(error)),
    };
    if let Some(conflict) = cli.conflict() {
        return usage(&Cli::command().error(ErrorKind::ArgumentConflict, conflict));
    }
    if let Some(level) = std::env::var_os("OOMTRACE_LOG").filter(|level| !is_log_setting(level)) {
        notices::say(&format!(
            "OOMTRACE_LOG is {level:?}: it is error, warn, info, debug, trace or off, or MODULE=LEVEL, with commas between them"
        ));
        notices::close(Instant::now() + LAST);
        return Status::Usage.into();
    }
    // OOMTRACE_LOG=debug shows oomtrace's own log, and that of its kernel side; aya's is for its developers.
    env_logger::Builder::new()
        // Lines on standard error: where something else waits for nobody, the log does not either.
        .target(env_logger::Target::Pipe(Box::new(notices::Lines)))
        .format(log_line)
        .filter_module("aya", log::LevelFilter::Warn)
        .filter_module("aya_obj", log::LevelFilter::Warn)
        // What it cannot reach is said where it matters.
        .filter_module("kube_client", log::LevelFilter::Off)
        .filter_module("kube_runtime", log::LevelFilter::Off)
        .parse_env(env_logger::Env::default().filter_or("OOMTRACE_LOG", "warn"))
        .init();
    let result = match cli.verb {
        None => watch::run(&cli.watch, &cli.keep, None, None),
        Some(Verb::Record(options)) => watch::run(&options.watch, &options.keep, Some(&options.file), None),
        Some(Verb::Agent(options)) => agent::run(options),
        Some(Verb::History(options)) => history::run(&options),
        Some(Verb::HistoryKeeper { path, days, bytes }) => agent::keep(&path, days, bytes),
        Some(Verb::LastKills { path, until, select }) => top::print_last_kills(&path, until, &select.filter()),
        Some(Verb::Replay(options)) => replay::run(&options),
        Some(Verb::Selftest(options)) => selftest::run(&options),
        Some(Verb::SelftestChild { role }) => selftest::run_child(role),
        Some(Verb::Doctor(options)) => doctor::run(&options),
        Some(Verb::Why(options)) => why::run(&options),
        Some(Verb::Report(options)) => report::run(&options),
        Some(Verb::Curve(options)) => curve::run(&options),
        Some(Verb::Explain { code }) => explain::run(&code),
        Some(Verb::Signals(options)) => signals::run(&options),
        Some(Verb::Top(options)) => top::run(&options),
        Some(Verb::Ps(options)) => ps::run(&options),
        Some(Verb::Health { name }) => health::run(&name),
        Some(Verb::Schema { of }) => schema::run(of),
        Some(Verb::Completions { shell }) => completions::run(shell),
        Some(Verb::Man { dir }) => man::run(dir.as_deref()),
    };
    let status = match result {
        Ok(status) => status,
        Err(failure) if failure.is_closed_pipe() => Status::Done,
        Err(failure) => {
            exit::say(&failure);
            failure.status()
        }
    };
    notices::close(Instant::now() + LAST);
    status.into()
}

/// What concerns everybody is said as all else on standard error; what was asked for has its level, when, and where.
fn log_line(line: &mut env_logger::fmt::Formatter, record: &log::Record<'_>) -> std::io::Result<()> {
    let said = record.args().to_string();
    if record.level() <= log::Level::Warn {
        return writeln!(line, "oomtrace: {}", escape(&said));
    }
    let now = line.timestamp_millis();
    writeln!(line, "oomtrace: {now} {} {}: {}", record.level(), record.target(), escape(&said))
}

/// Help and version are answers, not errors; a usage error has clap's own text, below the name that all lines on standard error have.
fn usage(error: &clap::Error) -> ExitCode {
    let is_answer = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    match if is_answer { print_answer(error) } else { print_error(error) } {
        Err(print) if is_answer && print.kind() != std::io::ErrorKind::BrokenPipe => {
            notices::say(&print.to_string());
            Status::Failed.into()
        }
        _ if is_answer => Status::Done.into(),
        // Nobody may be reading, and that is no reason for another status.
        _ => {
            if let (ErrorKind::ArgumentConflict, Some(verb)) = (error.kind(), verb_of(error)) {
                notices::say(&format!("options stand behind the verb: oomtrace {verb} [OPTIONS]"));
                notices::close(Instant::now() + LAST);
            }
            Status::Usage.into()
        }
    }
}

fn print_answer(answer: &clap::Error) -> std::io::Result<()> {
    let mut out = output::text();
    out.write_all(rendered(answer, has_color(&std::io::stdout())).as_bytes())?;
    out.flush()
}

fn print_error(error: &clap::Error) -> std::io::Result<()> {
    notices::print(&rendered(error, has_color(&std::io::stderr())).replacen("error:", "oomtrace:", 1))
}

fn rendered(error: &clap::Error, color: bool) -> String {
    let text = error.render();
    if color { text.ansi().to_string() } else { text.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_verb_is_not_taken_for_a_hidden_one() {
        for (typo, suggested) in
            [("histroy", true), ("history-keepr", true), ("selftest-chidl", true), ("xxxxxx", false)]
        {
            let error = with_true_suggestions(Cli::try_parse_from(["oomtrace", typo]).unwrap_err());
            let text = rendered(&error, false);
            assert_eq!(text.contains("similar"), suggested, "{text}");
            let said = text.replace(typo, "");
            assert!(!said.contains("history-keeper") && !said.contains("selftest-child"), "{text}");
        }
        for (verb, tip) in [
            ("watch", ": sudo oomtrace\n"),
            ("trace", ": sudo oomtrace\n"),
            ("start", ": sudo oomtrace\n"),
            ("list", "oomtrace ps"),
            ("ls", "oomtrace ps"),
            ("status", "oomtrace doctor"),
            ("log", "oomtrace history"),
            ("logs", "oomtrace history"),
            ("events", "oomtrace history"),
            ("kills", "oomtrace history"),
            ("last", "oomtrace why;"),
            ("show", "oomtrace why NAME"),
            ("describe", "oomtrace why NAME"),
        ] {
            let text = rendered(&with_true_suggestions(Cli::try_parse_from(["oomtrace", verb]).unwrap_err()), false);
            assert!(text.contains(tip) && !text.contains("similar"), "{verb}: {text}");
        }
        let text = rendered(&with_true_suggestions(Cli::try_parse_from(["oomtrace", "web"]).unwrap_err()), false);
        assert!(text.contains("oomtrace why web"), "{text}");
    }
}
