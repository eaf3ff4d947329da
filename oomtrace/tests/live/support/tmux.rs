//! A terminal of the tests' own, of a tmux server of its own: what is on it can be looked at, and keys pressed.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::process::{run, wait_until};

/// One that is ended with its server when it goes out of scope.
pub struct Tmux {
    directory: TempDir,
}

impl Tmux {
    /// A shell in a terminal of that size.
    pub fn start(width: u16, height: u16) -> Self {
        let new = Self { directory: tempfile::tempdir().unwrap() };
        let mut tmux = new.tmux();
        let size = [width.to_string(), height.to_string()];
        tmux.args(["-f", "/dev/null", "new-session", "-d", "-x", &size[0], "-y", &size[1]]);
        // It passes what it was started with on to its terminals.
        tmux.env("PS1", "$ ").env("LC_ALL", "C.UTF-8").env_remove("TMUX").env_remove("NO_COLOR");
        run(tmux.arg("exec sh"));
        // Blanks at the end of a line are not given.
        new.wait_until("the shell's prompt", |screen| screen.trim_end().ends_with(['$', '#']));
        new
    }

    fn tmux(&self) -> Command {
        let mut tmux = Command::new("tmux");
        tmux.arg("-S").arg(self.socket()).stdin(Stdio::null());
        tmux
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("tmux")
    }

    /// What is on it now.
    pub fn screen(&self) -> String {
        run(self.tmux().args(["capture-pane", "-p"]))
    }

    /// Types a text as it is.
    pub fn write(&self, text: &str) {
        run(self.tmux().args(["send-keys", "-l", text]));
    }

    /// Presses a key by the name that tmux has for it.
    pub fn press(&self, key: &str) {
        run(self.tmux().args(["send-keys", key]));
    }

    pub fn resize(&self, width: u16, height: u16) {
        let size = [width.to_string(), height.to_string()];
        run(self.tmux().args(["resize-window", "-x", &size[0], "-y", &size[1]]));
    }

    /// A value that tmux knows of it, such as `alternate_on`.
    pub fn ask(&self, what: &str) -> String {
        run(self.tmux().args(["display-message", "-p", &format!("#{{{what}}}")]))
    }

    /// Waits until all of it is on the screen, which is given.
    pub fn wait_for(&self, text: &str) -> String {
        self.wait_until(&format!("{text:?} is on the screen"), |screen| screen.contains(text))
    }

    pub fn wait_until(&self, what: &str, is_so: impl Fn(&str) -> bool) -> String {
        let mut screen = String::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            wait_until(what, || {
                screen = self.screen();
                is_so(&screen)
            });
        }));
        assert!(found.is_ok(), "{what}: it shows\n{screen}");
        screen
    }
}

impl Drop for Tmux {
    fn drop(&mut self) {
        _ = self.tmux().arg("kill-server").output();
    }
}
