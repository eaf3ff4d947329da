//! The arguments of a process: what an option's name, or the program, says of the next one.

use crate::redact::assignments::{self, Context, is_secret};
use crate::redact::names::{Class, class};
use crate::redact::programs::{self, Program};
use crate::redact::shapes;
use crate::redact::span::Spans;
use crate::redact::words;

/// Scripts in scripts that are looked into.
pub const DEPTH: u8 = 4;

/// What is expected of the next argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// It is the value of a name of this class.
    Value(Class),
    /// The secret is behind the first such byte.
    Behind(u8),
    /// It is a header's value, or the scheme before it: `Authorization: Bearer X`, not in quotes.
    Header,
}

/// Where secrets are in each of `arguments`; `cut`: there were more.
#[must_use]
pub fn find(arguments: &[&[u8]], cut: bool) -> Vec<Spans> {
    find_in(arguments, cut, Context::Argument, DEPTH)
}

/// The same, `depth` scripts deep.
pub fn find_in(arguments: &[&[u8]], cut: bool, context: Context, depth: u8) -> Vec<Spans> {
    let mut found = Vec::with_capacity(arguments.len());
    let mut reader = Reader::default();
    let mut names_shell = false;
    for (at, argument) in arguments.iter().enumerate() {
        let mut spans = Spans::default();
        let is_cut = cut && at + 1 == arguments.len();
        let has_blank = argument.iter().any(u8::is_ascii_whitespace);
        // A process may write its title over its arguments: one string with all of it.
        let is_title = arguments.len() == 1 && has_blank;
        let last = at.checked_sub(1).and_then(|last| arguments.get(last));
        names_shell |= last.is_some_and(|last| is_shell(last));
        let is_script = has_blank && (is_title || names_shell || last.is_some_and(|last| is_command(last)));
        let own = if is_script { Context::Script } else { context };
        shapes::find(argument, is_cut, &mut spans);
        assignments::find(argument, own, &mut spans);
        if has_blank && depth > 0 {
            spans.add_all(&words::find(argument, is_cut, depth - 1), 0);
        }
        reader.take(argument, at, context, &mut spans);
        found.push(spans);
    }
    found
}

/// The next argument is a script, as behind `sh -c`.
fn is_command(last: &[u8]) -> bool {
    let letters = last.strip_prefix(b"-").unwrap_or_default();
    let is_short = letters.len() <= 4 && letters.ends_with(b"c") && letters.iter().all(u8::is_ascii_alphabetic);
    is_short || last.strip_prefix(b"--") == Some(b"command")
}

/// All that comes behind it may be a script, as behind `ssh host`.
fn is_shell(argument: &[u8]) -> bool {
    let base = argument.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    ["ssh", "watch", "parallel"].iter().any(|name| name.as_bytes() == base)
}

/// Goes over a command's arguments.
#[derive(Default)]
struct Reader {
    next: Option<Next>,
    /// What the program that was named last takes, and how many arguments without a dash came behind it or its verb.
    programs: Vec<(&'static Program, Option<usize>)>,
    names_secrets: bool,
}

impl Reader {
    fn take(&mut self, argument: &[u8], at: usize, context: Context, spans: &mut Spans) {
        match self.next.take() {
            Some(Next::Value(class)) if !is_option(argument) => {
                if is_secret(argument, class, context) {
                    spans.add(0, argument.len());
                }
                return;
            }
            Some(Next::Behind(byte)) => return behind(argument, 0, byte, spans),
            Some(Next::Header) => return self.header(argument, context, spans),
            Some(Next::Value(_)) | None => {}
        }
        if !argument.starts_with(b"-") {
            self.word(argument, at, context, spans);
        }
        self.option(argument, context, spans);
    }

    /// `Bearer X` behind `Authorization:`.
    fn header(&mut self, argument: &[u8], context: Context, spans: &mut Spans) {
        let is_scheme = ["bearer", "basic", "token", "digest"]
            .iter()
            .any(|scheme| argument.eq_ignore_ascii_case(scheme.as_bytes()));
        if is_scheme {
            self.next = Some(Next::Value(Class::Secret));
        } else if is_secret(argument, Class::Secret, context) {
            spans.add(0, argument.len());
        }
    }

    /// An argument without a dash: a program, its verb, or something in its place.
    fn word(&mut self, argument: &[u8], at: usize, context: Context, spans: &mut Spans) {
        for (program, seen) in &mut self.programs {
            match (program.verb, &mut *seen) {
                (Some(verb), None) if argument.eq_ignore_ascii_case(verb.as_bytes()) => *seen = Some(0),
                (_, Some(count)) => {
                    *count += 1;
                    if program.place == Some(*count) && is_secret(argument, Class::Secret, context) {
                        spans.add(0, argument.len());
                    }
                }
                (_, None) => {}
            }
            if seen.is_some()
                && let Some((_, byte)) = program.paired.iter().find(|(option, _)| option.is_empty())
            {
                logon(argument, *byte, spans);
            }
        }
        let named: Vec<_> = programs::of(argument).collect();
        if !named.is_empty() {
            self.programs = named.into_iter().map(|program| (program, program.verb.is_none().then_some(0))).collect();
        }
        if at == 0 || programs::names_secrets(argument) {
            self.names_secrets |= programs::names_secrets(argument);
        }
        let takes_names = self.programs.iter().any(|(program, _)| program.bare_names);
        if takes_names && class(argument) == Class::Secret {
            self.next = Some(Next::Value(Class::Secret));
        }
        let is_scheme = ["bearer", "authorization:", "proxy-authorization:"]
            .iter()
            .any(|head| argument.eq_ignore_ascii_case(head.as_bytes()));
        if is_scheme {
            self.next = Some(Next::Header);
        }
    }

    /// An option, whose value is the next argument or the rest of this one.
    fn option(&mut self, argument: &[u8], context: Context, spans: &mut Spans) {
        for (program, seen) in &self.programs {
            if seen.is_none() {
                continue;
            }
            let is = |option: &&str| option.as_bytes() == argument;
            if program.separate.iter().any(&is) {
                self.next = Some(Next::Value(Class::Secret));
            }
            let rest = |option: &str| argument.strip_prefix(option.as_bytes()).filter(|rest| !rest.is_empty());
            for value in program.attached.iter().filter_map(|option| rest(option)) {
                if !is_port(value) && is_secret(value, Class::Secret, context) {
                    spans.add(argument.len() - value.len(), argument.len());
                }
            }
            for (option, byte) in program.paired.iter().filter(|(option, _)| !option.is_empty()) {
                let is_long = option.starts_with("--") || option.len() > 2;
                if is(option) || (!is_long && is_cluster(argument, option)) {
                    self.next = Some(Next::Behind(*byte));
                } else if let Some(value) = cluster_value(argument, option).filter(|_| !is_long) {
                    behind(argument, argument.len() - value.len(), *byte, spans);
                } else if let Some(value) = rest(option) {
                    let starts_value = !is_long || value.starts_with(b"=");
                    if starts_value {
                        behind(argument, argument.len() - value.len(), *byte, spans);
                    }
                }
            }
        }
        let Some(name) = argument.strip_prefix(b"-") else { return };
        let name = name.strip_prefix(b"-").unwrap_or(name);
        let is_name = name.len() > 1
            && name.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
        if !is_name || (self.names_secrets && name == b"secret") {
            return;
        }
        let class = class(name);
        if class != Class::Ordinary && self.next.is_none() {
            self.next = Some(Next::Value(class));
        }
    }
}

/// Adds what is behind the first `byte` from `start` on.
fn behind(argument: &[u8], start: usize, byte: u8, spans: &mut Spans) {
    if let Some(found) = argument.get(start..).and_then(|rest| rest.iter().position(|b| *b == byte)) {
        spans.add(start + found + 1, argument.len());
    }
}

/// `user/password@database`, as Oracle's programs take it.
fn logon(argument: &[u8], byte: u8, spans: &mut Spans) {
    let end = argument.iter().rposition(|b| *b == b'@').unwrap_or(argument.len());
    let slash = argument.iter().position(|b| *b == byte);
    if let Some(slash) = slash.filter(|slash| *slash > 0 && *slash < end) {
        spans.add(slash + 1, end);
    }
}

/// Another option, not the value of the one before: a password rarely looks so.
fn is_option(argument: &[u8]) -> bool {
    match argument {
        [b'-', b'-', first, ..] => first.is_ascii_lowercase(),
        [b'-', letter] => letter.is_ascii_alphabetic(),
        _ => false,
    }
}

/// Short options of curl that no value follows.
const WITHOUT_VALUE: &[u8] = b"sSfLkvigIjlNOqRZ#0123456";

/// The rest of an argument behind short options, of which the last is `option`: `-sume:X` of curl.
fn cluster_value<'a>(argument: &'a [u8], option: &str) -> Option<&'a [u8]> {
    let (letters, last) = (argument.strip_prefix(b"-")?, option.as_bytes().last()?);
    let at = letters.iter().position(|letter| !WITHOUT_VALUE.contains(letter)).filter(|at| *at > 0)?;
    let (letter, value) = letters.get(at..)?.split_first()?;
    (letter == last && !value.is_empty()).then_some(value)
}

/// Short options in one argument, of which the last is `option`: `-sSu` of curl.
fn is_cluster(argument: &[u8], option: &str) -> bool {
    let (Some(letters), Some(last)) = (argument.strip_prefix(b"-"), option.as_bytes().last()) else { return false };
    let Some((end, others)) = letters.split_last() else { return false };
    end == last && others.iter().all(|letter| WITHOUT_VALUE.contains(letter))
}

/// `8080:80`, as behind Docker's `-p`.
fn is_port(value: &[u8]) -> bool {
    value.contains(&b':') && value.iter().all(|byte| byte.is_ascii_digit() || matches!(byte, b':' | b'.' | b'-'))
}
