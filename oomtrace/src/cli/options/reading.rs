//! Options that say how what was seen is shown.

use std::io::IsTerminal as _;

use clap::{Args, ValueEnum};
use oomtrace::redact::Privacy;
use oomtrace::sink::human;

/// In which form.
#[derive(Debug, Args)]
pub struct Show {
    /// Print one JSON object a line instead of text
    #[arg(long)]
    pub json: bool,
    /// When to use colours
    #[arg(long, value_enum, value_name = "WHEN", default_value_t = Color::Auto)]
    pub color: Color,
    /// Show passwords, tokens and keys in command lines and labels, which are masked otherwise, also in a recording
    #[arg(long)]
    pub no_redact: bool,
    /// Leave arguments of processes out, also of a recording: programs alone are shown
    #[arg(long, conflicts_with = "no_redact")]
    pub no_cmdline: bool,
}

impl Show {
    pub fn privacy(&self) -> Privacy {
        match (self.no_redact, self.no_cmdline) {
            (_, true) => Privacy::WithoutArguments,
            (true, false) => Privacy::Shown,
            (false, false) => Privacy::Masked,
        }
    }
}

/// How much of it, as text.
#[derive(Clone, Copy, Debug, Args)]
pub struct Reading {
    /// One line an incident, in place of a block
    #[arg(long, conflicts_with = "json")]
    pub brief: bool,
    /// Show routine kills, too: a pod's sandbox that ends with its pod, what is left after a container's clean end, a runtime's own
    /// helpers (--json has them always)
    #[arg(long)]
    pub all: bool,
    /// How to show times
    #[arg(long, value_enum, value_name = "FORM", default_value_t = TimeForm::Local, conflicts_with = "json")]
    pub time: TimeForm,
}

/// How to show times as text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TimeForm {
    /// Hours, minutes and seconds in this machine's time zone, with the day where that is not today
    Local,
    /// The same in UTC
    Utc,
    /// As RFC 3339 has it, to the millisecond, in UTC
    Iso,
    /// How long ago it was
    Relative,
}

impl From<TimeForm> for human::TimeForm {
    fn from(form: TimeForm) -> Self {
        match form {
            TimeForm::Local => Self::Local,
            TimeForm::Utc => Self::Utc,
            TimeForm::Iso => Self::Iso,
            TimeForm::Relative => Self::Relative,
        }
    }
}

/// When to use colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

impl Color {
    /// Colours on standard output: a terminal that knows them, and nobody who asked for none (no-color.org).
    pub fn on_stdout(self) -> bool {
        match self {
            Self::Always => true,
            Self::Never => false,
            Self::Auto => {
                let is_set = |key| std::env::var_os(key).is_some_and(|value| !value.is_empty());
                let dumb = std::env::var_os("TERM").is_none_or(|term| term == "dumb");
                std::io::stdout().is_terminal() && !is_set("NO_COLOR") && !dumb
            }
        }
    }
}
