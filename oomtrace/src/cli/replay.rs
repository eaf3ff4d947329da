//! `oomtrace replay`: a recording, judged again.

use oomtrace::run::recording::read;
use oomtrace::run::replay;
use oomtrace::sink::notices;

use super::exit::{Failure, Status};
use super::options::Replay;
use super::output::{self, Stdout};

pub fn run(options: &Replay) -> Result<Status, Failure> {
    let contents = read(&options.file)?.private(options.show.privacy());
    if contents.torn > 0 {
        let file = options.file.display();
        notices::say(&format!("{file} was cut off: its last {} bytes are left out", contents.torn));
    }
    let mut sink = output::sink(&options.show, options.select.brief, Stdout::new());
    replay::replay(contents, &options.select.filter(), sink.as_mut())?;
    Ok(Status::Done)
}
