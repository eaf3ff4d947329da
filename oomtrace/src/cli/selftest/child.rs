//! The processes that the selftest kills: this very program, in a role of its own.

use std::io::{self, BufRead as _, Read as _, Write as _};
use std::process::{Child, Command, Stdio};

use anyhow::Context as _;
use clap::ValueEnum;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::reap;
use crate::cli::exit::{Failure, Status};

/// What a child is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Allocates until it is killed.
    Allocate,
    /// Waits to be killed.
    Wait,
}

/// More than the scratch cgroup's limit, less than hurts any machine should the limit not hold.
const ALLOCATE_BYTES: usize = 64 << 20;

/// The child's side: says that it is there, waits for the word, does its part. Ends when its parent does.
pub fn run(role: Role) -> Result<Status, Failure> {
    let mut out = io::stdout();
    writeln!(out, "ready")?;
    out.flush()?;
    let mut word = [0; 1];
    // No word: the parent has gone.
    if io::stdin().read(&mut word)? == 0 {
        return Ok(Status::Done);
    }
    match role {
        Role::Allocate => {
            let mut memory = vec![0_u8; ALLOCATE_BYTES];
            // Each page must be written to be charged.
            for page in memory.chunks_mut(4096) {
                page.fill(1);
            }
            std::hint::black_box(&memory);
        }
        Role::Wait => _ = io::stdin().read(&mut word)?,
    }
    Ok(Status::Done)
}

/// The parent's side. Dropping it ends the child.
pub struct Victim(Child);

impl Victim {
    /// Starts a child and waits until it is there.
    pub fn start(role: Role) -> anyhow::Result<Self> {
        let exe = std::env::current_exe().context("cannot find this program's own file")?;
        let role = match role {
            Role::Allocate => "allocate",
            Role::Wait => "wait",
        };
        let child = Command::new(exe)
            .args(["selftest-child", role])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start a child")?;
        let mut victim = Self(child);
        let out = victim.0.stdout.take().context("the child has no output")?;
        let mut line = String::new();
        io::BufReader::new(out).read_line(&mut line).context("the child said nothing")?;
        Ok(victim)
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Gives the word.
    pub fn go(&mut self) -> anyhow::Result<()> {
        let input = self.0.stdin.as_mut().context("the child has no input")?;
        input.write_all(b"!").context("cannot give the child the word")
    }

    /// Kills it, by kill(2).
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let pid = i32::try_from(self.pid()).context("a pid fits into 31 bits")?;
        kill(Pid::from_raw(pid), Signal::SIGKILL).context("cannot kill the child")
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        reap(&mut self.0);
    }
}
