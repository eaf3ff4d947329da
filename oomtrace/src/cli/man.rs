//! `oomtrace man`: the manual, made from the same text as the help.

use std::fs;
use std::io::{self, Write as _};
use std::path::Path;

use anyhow::Context as _;
use clap::{Command, CommandFactory as _};
use clap_mangen::Man;

use super::exit::{Failure, Status};
use super::options::Cli;
use super::output::Stdout;

/// Prints the page of oomtrace itself, or writes the pages of all verbs to a directory.
pub fn run(dir: Option<&Path>) -> Result<Status, Failure> {
    let Some(dir) = dir else {
        let mut out = Stdout::new();
        out.write_all(&page(manual())?)?;
        out.flush()?;
        return Ok(Status::Done);
    };
    fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    for (name, page) in pages()? {
        let file = dir.join(format!("{name}.1"));
        fs::write(&file, page).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(Status::Done)
}

fn manual() -> Command {
    // That verb has no page: the page is what it shows.
    Cli::command().disable_help_subcommand(true)
}

/// The pages of oomtrace and of each verb, by their names.
fn pages() -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut all = manual();
    all.build();
    let verbs = all.get_subcommands().filter(|verb| !verb.is_hide_set()).map(|verb| {
        let name = format!("oomtrace-{}", verb.get_name());
        (name, verb.clone())
    });
    let own = ("oomtrace".to_owned(), manual());
    std::iter::once(own).chain(verbs).map(|(name, command)| Ok((name, page(command)?))).collect()
}

fn page(command: Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    Man::new(command).source(concat!("oomtrace ", env!("CARGO_PKG_VERSION"))).render(&mut page)?;
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As roff has it.
    fn escaped(text: &str) -> String {
        text.replace('-', "\\-")
    }

    #[test]
    fn every_verb_has_a_page_and_every_option_is_on_it() {
        let pages = pages().unwrap();
        let page = |name: &str| {
            let page = pages.iter().find(|(own, _)| own == name).unwrap_or_else(|| panic!("no page {name}"));
            String::from_utf8(page.1.clone()).unwrap()
        };
        let mut all = Cli::command();
        all.build();
        let own = page("oomtrace");
        let mut options = 0;
        let verbs = all.get_subcommands().filter(|verb| verb.get_name() != "help");
        for verb in verbs.chain([&all]) {
            let name = match verb.get_name() {
                "oomtrace" => "oomtrace".to_owned(),
                verb => format!("oomtrace-{verb}"),
            };
            if verb.is_hide_set() {
                assert!(!own.contains(&escaped(&name)), "{name}");
                continue;
            }
            let text = page(&name);
            assert!(text.contains(".TH") && own.contains(&escaped(&name)), "{name}");
            for option in verb.get_arguments().filter(|option| !option.is_hide_set()) {
                options += 1;
                let long = option.get_long().map(|long| escaped(&format!("--{long}")));
                let shown = long.or_else(|| Some(escaped(option.get_value_names()?.first()?)));
                assert!(shown.as_ref().is_some_and(|shown| text.contains(shown)), "{name}: {shown:?}\n{text}");
            }
        }
        assert!(pages.len() > 8 && options > 60, "{} pages, {options} options", pages.len());
    }
}
