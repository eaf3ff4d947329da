//! Keeps secrets in the node: passwords, tokens and keys in command lines and labels are masked, or all arguments left out.
//!
//! This is done once, where the kernel side's events and the node's answers come in, before anything looks at them: what is judged,
//! recorded, logged and put out is the same, so a recording holds no more than was shown, and its replay says the same. Pure.
//!
//! What is a secret is a list: names (`names`), shapes (`shapes`), and options of programs (`programs`). A secret that nothing
//! in it speaks of is shown: `--no-cmdline` leaves out what no list knows.

mod arguments;
mod assignments;
mod event;
mod memo;
mod names;
mod programs;
mod shapes;
mod span;
mod words;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::event::arguments::MAX_ARGUMENTS;
use crate::model::Container;
use assignments::Context;
use span::{MASK, Spans};

/// What of command lines and labels leaves the node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Privacy {
    /// All of it.
    Shown,
    /// All but known shapes of secrets.
    #[default]
    Masked,
    /// The program's name alone.
    WithoutArguments,
}

impl Privacy {
    /// What it costs, in words.
    #[must_use]
    pub fn missing(self) -> Option<&'static str> {
        (self == Self::WithoutArguments).then_some(
            "arguments of processes are left out (--no-cmdline): who asked a runtime for a kill is known by time alone",
        )
    }

    /// An event's bytes as they may be looked at, kept and shown.
    #[must_use]
    pub fn event(self, event: &[u8]) -> Cow<'_, [u8]> {
        match self {
            Self::Shown => Cow::Borrowed(event),
            Self::Masked | Self::WithoutArguments => {
                event::rewrite(event, |section, cut| memo::of(self, section, cut, || self.section(section, cut)))
            }
        }
    }

    /// A command line as an event holds it, and whether there was more of it.
    fn section(self, section: &[u8], cut: bool) -> (Vec<u8>, bool) {
        let mut all = section.split(|byte| *byte == 0);
        let arguments: Vec<&[u8]> = all.by_ref().take(MAX_ARGUMENTS).collect();
        // More are not shown, and looking at each takes time that a process could make events of others wait.
        let more = all.any(|argument| !argument.is_empty());
        let (masked, cut) = self.masked(&arguments, cut || more);
        (masked.join(&0), cut)
    }

    /// A process's arguments as they may be shown; and whether there was more of them.
    #[must_use]
    pub fn cmdline(self, arguments: Vec<String>, cut: bool) -> (Vec<String>, bool) {
        if self == Self::Shown {
            return (arguments, cut);
        }
        let bytes: Vec<&[u8]> = arguments.iter().map(String::as_bytes).collect();
        let (masked, cut) = self.masked(&bytes, cut);
        (masked.iter().map(|argument| String::from_utf8_lossy(argument).into_owned()).collect(), cut)
    }

    fn masked(self, arguments: &[&[u8]], cut: bool) -> (Vec<Vec<u8>>, bool) {
        let found = arguments::find(arguments, cut);
        let mut masked: Vec<Vec<u8>> =
            arguments.iter().zip(found).map(|(argument, spans)| spans.mask(argument)).collect();
        if self != Self::WithoutArguments {
            return (masked, cut);
        }
        let had_more = masked.iter().skip(1).any(|argument| !argument.is_empty());
        masked.truncate(1);
        // A process that writes a title has all of it in the first.
        let program = masked.first_mut();
        let blank = program.as_ref().and_then(|program| program.iter().position(u8::is_ascii_whitespace));
        if let (Some(program), Some(blank)) = (program, blank) {
            program.truncate(blank);
        }
        (masked, cut || had_more || blank.is_some())
    }

    /// A container's labels and image as they may be shown.
    pub fn container(self, container: &mut Container) {
        if self == Self::Shown {
            return;
        }
        for (name, value) in container.labels.iter_mut().flatten() {
            let is_secret = assignments::is_secret(value.as_bytes(), names::class(name.as_bytes()), Context::Argument);
            *value = if is_secret { MASK.to_owned() } else { self.text(value) };
        }
        if let Some(image) = &mut container.image {
            *image = self.text(image);
        }
        if let Some(image) = container.pod.as_mut().and_then(|pod| pod.image.as_mut()) {
            *image = self.text(image);
        }
        if let Some(outer) = &mut container.outer {
            self.container(outer);
        }
    }

    /// What somebody else said, in words, as it may be shown.
    #[must_use]
    pub fn text(self, text: &str) -> String {
        if self == Self::Shown {
            return text.to_owned();
        }
        let bytes = text.as_bytes();
        let mut spans: Spans = arguments::find(&[bytes], false).pop().unwrap_or_default();
        assignments::find(bytes, Context::Argument, &mut spans);
        String::from_utf8_lossy(&spans.mask(bytes)).into_owned()
    }
}

#[cfg(test)]
mod tests;
