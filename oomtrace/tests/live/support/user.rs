//! A user who is not root, and lingers: `cargo xtask vm --systemd` makes a machine that has one.

use std::path::Path;
use std::process::{Command, Stdio};

pub const NAME: &str = "alice";
const RUNTIME: &str = "/run/user/1000";

pub fn is_there() -> bool {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    passwd.lines().any(|line| line.starts_with("alice:x:1000:")) && Path::new(RUNTIME).join("bus").exists()
}

/// A program as this user runs it.
pub fn command(program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "1000", "--regid", "1000", "--init-groups", "--reset-env"]);
    command.args(["env", "HOME=/home/alice", &format!("XDG_RUNTIME_DIR={RUNTIME}")]);
    command.arg(format!("DBUS_SESSION_BUS_ADDRESS=unix:path={RUNTIME}/bus")).arg(program);
    command.current_dir("/").stdin(Stdio::null());
    command
}
