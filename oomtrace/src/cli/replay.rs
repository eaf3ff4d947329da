//! `oomtrace replay`: a recording, judged again.

use std::io::{self, Write as _};

use oomtrace::recording::{self, read};

use super::exit::{Failure, Status};
use super::options::Replay;
use super::output;

pub fn run(options: &Replay) -> Result<Status, Failure> {
    let contents = read(&options.file)?;
    if contents.torn > 0 {
        let file = options.file.display();
        // Nobody may be reading stderr, and that is no reason to stop.
        _ = writeln!(io::stderr(), "oomtrace: {file} was cut off: its last {} bytes are left out", contents.torn);
    }
    let mut sink = output::sink(&options.show);
    recording::replay(contents, &options.select.filter(), sink.as_mut())?;
    Ok(Status::Done)
}
