//! `oomtrace replay`: a recording, judged again.

use oomtrace::run::recording::read_from;
use oomtrace::run::replay;
use oomtrace::sink::notices;

use super::exit::{Failure, Status};
use super::input;
use super::options::Replay;
use super::output::{self, Stdout, hidden};

pub fn run(options: &Replay) -> Result<Status, Failure> {
    let name = input::named(&options.file);
    let mut contents = read_from(input::open(&options.file, "a recording"), name)?.private(options.show.privacy());
    contents.start.detail = options.debugging.detail();
    if contents.torn > 0 {
        let file = name.display();
        notices::say(&format!("{file} was cut off: its last {} bytes are left out", contents.torn));
    }
    let mut sink = output::sink(&options.show, &options.reading, Stdout::new(), false);
    let tally = replay::replay(contents, &options.select.filter(), sink.as_mut())?;
    if options.reading.form().is_for_people()
        && !options.reading.all
        && let Some(hidden) = hidden(tally.routine)
    {
        notices::say(&hidden);
    }
    if tally.incidents == 0 && tally.left_out > 0 {
        let what = match tally.left_out {
            1 => "its one incident is not".to_owned(),
            number => format!("none of its {number} incidents is"),
        };
        notices::say(&format!("{what} what the filters ask for"));
    }
    Ok(Status::Done)
}
