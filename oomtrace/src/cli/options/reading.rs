//! Options that say how what was seen is shown.

use clap::{Args, ValueEnum};
use oomtrace::container::list::Listed;
use oomtrace::model::Incident;
use oomtrace::redact::Privacy;
use oomtrace::sink::human;
use oomtrace::sink::template::Template;
use oomtrace::sink::terminal::has_color;
use schemars::JsonSchema;

/// In which form.
#[derive(Debug, Args)]
pub struct Show {
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

/// In which form incidents are put out, and how much of them.
#[derive(Clone, Debug, Args)]
pub struct Reading {
    /// How to print incidents: text, brief (a line each), json, yaml, csv, or a template with fields of the JSON, such as
    /// '{time} {container.name} {verdict.cause}'
    #[arg(long, value_name = "FORM|TEMPLATE", value_parser = stream_form, conflicts_with_all = ["json", "brief"])]
    format: Option<Form>,
    /// Print each record as one line of JSON: --format json
    #[arg(long, conflicts_with = "brief")]
    json: bool,
    /// Print one line for each incident: --format brief
    #[arg(long)]
    brief: bool,
    /// Show routine kills, too: a pod's sandbox that ends with its pod, what is left after a container's clean end, a runtime's own
    /// helpers (json, yaml and csv have them always)
    #[arg(long)]
    pub all: bool,
    /// Show in text what is seldom asked for, too: a runtime's command line and parents, the evidence and where each of it comes from, why
    /// an advice helps, what was said to be missing at the start
    #[arg(long, short, conflicts_with_all = ["json", "brief"])]
    verbose: bool,
    /// How to show times in text and in brief; without it, as local
    #[arg(long, value_enum, value_name = "HOW", conflicts_with = "json")]
    time: Option<TimeForm>,
}

impl Reading {
    /// What does not go together, and shows only by the values of options.
    pub fn conflict(&self) -> Option<&'static str> {
        let form = self.form();
        let is_text = matches!(form, Form::Text | Form::Brief);
        if self.verbose && form != Form::Text {
            return Some("--verbose is for text alone; json and yaml have everything");
        }
        (self.time.is_some() && !is_text)
            .then_some("--time is for text and brief; times of other forms are RFC 3339 in UTC")
    }

    /// The same, with a line for each incident where no form was asked for.
    pub fn or_brief(&self) -> Self {
        let brief = self.brief || (self.format.is_none() && !self.json && !self.verbose);
        Self { brief, ..self.clone() }
    }

    pub fn verbose(&self) -> bool {
        self.verbose
    }

    pub fn time(&self) -> TimeForm {
        self.time.unwrap_or(TimeForm::Local)
    }

    pub fn form(&self) -> Form {
        match (&self.format, self.json, self.brief) {
            (Some(form), ..) => form.clone(),
            (None, true, _) => Form::Json,
            (None, false, true) => Form::Brief,
            (None, false, false) => Form::Text,
        }
    }
}

/// How a container is put out.
#[derive(Clone, Debug, Args)]
pub struct Listing {
    /// How to print containers: text (a table), json, yaml, csv, or a template with fields of the JSON, such as
    /// '{container.name} {memory.usage_bytes}'
    #[arg(long, value_name = "FORM|TEMPLATE", value_parser = listing_form, conflicts_with = "json")]
    format: Option<Form>,
    /// Print each container as one line of JSON: --format json
    #[arg(long)]
    json: bool,
}

impl Listing {
    pub fn form(&self) -> Form {
        match (&self.format, self.json) {
            (Some(form), _) => form.clone(),
            (None, true) => Form::Json,
            (None, false) => Form::Text,
        }
    }
}

/// A form of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Form {
    Text,
    Brief,
    Json,
    Yaml,
    Csv,
    Template(Template),
}

impl Form {
    /// A person reads it, and not a program that is to get all there is.
    pub const fn is_for_people(&self) -> bool {
        matches!(self, Self::Text | Self::Brief | Self::Template(_))
    }
}

fn stream_form(text: &str) -> Result<Form, String> {
    form::<Incident>(
        text,
        &[("text", Form::Text), ("brief", Form::Brief), ("json", Form::Json), ("yaml", Form::Yaml), ("csv", Form::Csv)],
    )
}

fn listing_form(text: &str) -> Result<Form, String> {
    form::<Listed>(text, &[("text", Form::Text), ("json", Form::Json), ("yaml", Form::Yaml), ("csv", Form::Csv)])
}

/// One of `named`, or a template with the fields of `T`.
fn form<T: JsonSchema>(text: &str, named: &[(&str, Form)]) -> Result<Form, String> {
    if let Some((_, form)) = named.iter().find(|(name, _)| *name == text) {
        return Ok(form.clone());
    }
    if text.contains(['{', '}']) {
        return Template::parse::<T>(text).map(Form::Template);
    }
    let names: Vec<&str> = named.iter().map(|(name, _)| *name).collect();
    Err(format!("it is one of {}, or a template with at least one {{field}}", names.join(", ")))
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
            Self::Auto => has_color(&std::io::stdout()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_effect_is_no_option() {
        #[derive(clap::Parser)]
        struct Options {
            #[command(flatten)]
            reading: Reading,
        }
        for (arguments, is_taken, is_right) in [
            ("--json", true, true),
            ("--brief --time utc", true, true),
            ("--format text --time utc", true, true),
            ("--format csv --time utc", true, false),
            ("--format {time} --time utc", true, false),
            ("--json --time utc", false, false),
            ("-v", true, true),
            ("-v --format text", true, true),
            ("-v --format csv", true, false),
            ("-v --json", false, false),
            ("--json --brief", false, false),
            ("--json --format csv", false, false),
            ("--brief --format csv", false, false),
        ] {
            let parsed = <Options as clap::Parser>::try_parse_from(["x"].into_iter().chain(arguments.split(' ')));
            assert_eq!(parsed.is_ok(), is_taken, "{arguments}");
            assert_eq!(parsed.is_ok_and(|options| options.reading.conflict().is_none()), is_right, "{arguments}");
        }
    }

    #[test]
    fn a_form_is_a_name_or_a_template() {
        for (text, is_form, is_listing) in [
            ("text", true, true),
            ("brief", true, false),
            ("json", true, true),
            ("yaml", true, true),
            ("csv", true, true),
            ("{verdict.cause}", true, false),
            ("{container.name}", true, true),
            ("{memory.usage_bytes}", false, true),
            ("JSON", false, false),
            ("xml", false, false),
            ("", false, false),
        ] {
            assert_eq!((stream_form(text).is_ok(), listing_form(text).is_ok()), (is_form, is_listing), "{text}");
        }
    }
}
