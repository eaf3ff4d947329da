//! What a container's first process is, where it did not end when it was asked to: a shell, a package manager, a runtime of a language.

use crate::model::{Disposition, Process};
use crate::text::clip;
use crate::text::quote::quote;

/// Bytes of a command that are said.
const MOST: usize = 80;

/// See the module's documentation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Init<'a> {
    /// `sh -c COMMAND`, the shell form of a Dockerfile among them.
    Command(&'a str),
    /// A shell that runs the script.
    Script(&'a str),
    /// It starts what the container is there for through a shell.
    PackageManager(&'static str),
    Jvm,
    Node,
    Python,
    Other,
}

impl<'a> Init<'a> {
    #[must_use]
    pub fn of(process: &'a Process) -> Self {
        let args = process.cmdline.as_deref().unwrap_or_default();
        let exe = file_name(process.exe.as_deref().unwrap_or(&process.comm));
        let first = args.first().map(|arg| file_name(arg.trim_start_matches('-'))).unwrap_or_default();
        let is_shell = |name: &str| matches!(name, "sh" | "bash" | "dash" | "ash" | "zsh" | "ksh");
        if is_shell(exe) || (exe == "busybox" && is_shell(first)) {
            return shell(args.get(1..).unwrap_or_default());
        }
        if exe == "node" {
            return package_manager(args).map_or(Self::Node, Self::PackageManager);
        }
        match exe {
            "java" => Self::Jvm,
            name if name.starts_with("python") => Self::Python,
            _ => Self::Other,
        }
    }

    /// What to do, and why, where that is special to it; none where it is what it is for any process. `init` gives it another pid 1,
    /// `grace` a longer time.
    #[must_use]
    pub fn advise(self, signal: &str, disposition: Disposition, init: &str, grace: &str) -> Option<(String, String)> {
        use Disposition::{Blocked, Default, Handled, Ignored};
        let dropped = "the kernel drops a signal for which the first process of a pid namespace has no handler";
        let passes_none = format!("pid 1 is a shell: {dropped}, and what the shell runs never gets it");
        let trapped = |script: &str| {
            let (script, name) = (quote(clip(script, MOST)), signal.trim_start_matches("SIG"));
            format!("{init}; or have {script} trap {signal} (trap 'kill $!; wait' {name}; COMMAND & wait)")
        };
        match (self, disposition) {
            (Self::Command(command), Default) => Some((
                match alone(command) {
                    Some(words) => format!(
                        "{init}; or write the command in exec form, {}, and have it handle {signal}",
                        exec_form(&words)
                    ),
                    None => trapped(command),
                },
                passes_none,
            )),
            (Self::Script(path), Default) => Some((trapped(path), passes_none)),
            (Self::Command(_) | Self::Script(_), Handled) => Some((
                format!(
                    "have the shell's trap end it, and its command run in the background (COMMAND & wait $!); or give it longer ({grace})"
                ),
                format!("a shell runs its trap for {signal} only when the command that it waits for has ended"),
            )),
            (Self::PackageManager(name), Default | Handled | Blocked) => Some((
                format!("start the program itself in place of {name}: CMD [\"node\", \"…\"]"),
                format!("{name} starts it through a shell, which hands no {signal} on, and waits for it"),
            )),
            (Self::Node, Default) => {
                Some((format!("have it handle {signal} (process.on('{signal}', …)), or {init}"), dropped.to_owned()))
            }
            (Self::Python, Default) => Some((
                format!("have it handle {signal} (signal.signal(signal.{signal}, …)), or {init}"),
                dropped.to_owned(),
            )),
            (_, Default | Ignored | Handled | Blocked) => None,
        }
    }

    /// What may take long in it when it is asked to end.
    #[must_use]
    pub const fn slow_part(self) -> Option<&'static str> {
        match self {
            Self::Jvm => Some("its shut-down hooks, in Spring spring.lifecycle.timeout-per-shutdown-phase"),
            Self::Node => Some("what its handler waits for: open connections keep server.close() from ending"),
            _ => None,
        }
    }
}

/// After the shell's own name.
fn shell(args: &[String]) -> Init<'_> {
    let mut args = args.iter();
    while let Some(arg) = args.next() {
        match arg.strip_prefix('-') {
            Some(letters) if !letters.starts_with('-') && letters.contains('c') => {
                return args.next().map_or(Init::Other, |command| Init::Command(command));
            }
            Some(_) => {}
            None => return Init::Script(arg),
        }
    }
    Init::Other
}

/// npm calls itself `npm run start`; the others show their script.
fn package_manager(args: &[String]) -> Option<&'static str> {
    let title = args.first()?.split(' ').next().unwrap_or_default();
    let script = args.get(1).map(|script| file_name(script)).unwrap_or_default();
    [("npm", "npm-cli.js"), ("yarn", "yarn.js"), ("pnpm", "pnpm.cjs")]
        .into_iter()
        .find(|(name, cli)| title == *name || script == *name || script == *cli)
        .map(|(name, _)| name)
}

/// The words of a command that a shell does nothing to.
fn alone(command: &str) -> Option<Vec<&str>> {
    let is_plain =
        |c: char| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.' | '/' | ':' | '@' | '%' | '+' | ',');
    let words: Vec<&str> = command.split_whitespace().collect();
    (command.len() <= MOST && command.chars().all(is_plain) && !words.is_empty() && words.first() != Some(&"exec"))
        .then_some(words)
}

/// As a Dockerfile has it.
fn exec_form(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("\"{word}\"")).collect();
    format!("CMD [{}]", quoted.join(", "))
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(exe: &str, args: &[&str]) -> Process {
        Process {
            exe: Some(exe.to_owned()),
            cmdline: Some(args.iter().map(|arg| (*arg).to_owned()).collect()),
            ..Process::default()
        }
    }

    #[test]
    fn pid_1_is_known_by_what_runs_and_how() {
        let node = "/usr/local/bin/node";
        for (exe, args, init) in [
            ("/bin/dash", &["/bin/sh", "-c", "node server.js"][..], Init::Command("node server.js")),
            ("/bin/busybox", &["sh", "-ec", "a; b"], Init::Command("a; b")),
            ("/bin/bash", &["bash", "/entrypoint.sh", "x"], Init::Script("/entrypoint.sh")),
            ("/bin/bash", &["bash", "--norc", "-e", "/run.sh"], Init::Script("/run.sh")),
            ("/bin/bash", &["bash"], Init::Other),
            ("/bin/bash", &["bash", "-c"], Init::Other),
            ("/bin/busybox", &["tail", "-f", "/dev/null"], Init::Other),
            (node, &["npm run start"], Init::PackageManager("npm")),
            (node, &["node", "/usr/local/bin/npm", "start"], Init::PackageManager("npm")),
            (node, &["node", "/opt/yarn-v1.22.19/bin/yarn.js", "start"], Init::PackageManager("yarn")),
            (node, &["node", "server.js"], Init::Node),
            (node, &[], Init::Node),
            ("/opt/jdk/bin/java", &["java", "-jar", "a.jar"], Init::Jvm),
            ("/usr/bin/python3.12", &["python3", "app.py"], Init::Python),
            ("/app/server", &["/app/server"], Init::Other),
        ] {
            assert_eq!(Init::of(&process(exe, args)), init, "{exe} {args:?}");
        }
    }

    #[test]
    fn what_is_advised_is_the_very_change() {
        use Disposition::{Default, Handled, Ignored};
        for (init, disposition, action) in [
            (
                Init::Command("node server.js"),
                Default,
                Some(
                    "docker run --init; or write the command in exec form, CMD [\"node\", \"server.js\"], and have it handle SIGTERM",
                ),
            ),
            (
                Init::Command("cd /app && ./run"),
                Default,
                Some(
                    "docker run --init; or have 'cd /app && ./run' trap SIGTERM (trap 'kill $!; wait' TERM; COMMAND & wait)",
                ),
            ),
            (
                Init::Script("/entrypoint.sh"),
                Default,
                Some(
                    "docker run --init; or have /entrypoint.sh trap SIGTERM (trap 'kill $!; wait' TERM; COMMAND & wait)",
                ),
            ),
            (
                Init::Script("/entrypoint.sh"),
                Handled,
                Some(
                    "have the shell's trap end it, and its command run in the background (COMMAND & wait $!); or give it longer (its grace)",
                ),
            ),
            (
                Init::PackageManager("npm"),
                Handled,
                Some("start the program itself in place of npm: CMD [\"node\", \"…\"]"),
            ),
            (Init::Node, Default, Some("have it handle SIGTERM (process.on('SIGTERM', …)), or docker run --init")),
            (
                Init::Python,
                Default,
                Some("have it handle SIGTERM (signal.signal(signal.SIGTERM, …)), or docker run --init"),
            ),
            (Init::Other, Default, None),
            (Init::Jvm, Handled, None),
            (Init::Command("x"), Ignored, None),
        ] {
            let said = init.advise("SIGTERM", disposition, "docker run --init", "its grace").map(|(action, _)| action);
            assert_eq!(said.as_deref(), action, "{init:?}");
        }
    }

    #[test]
    fn a_hostile_command_is_one_quoted_word_of_bounded_length() {
        let long = "x".repeat(1000);
        for command in ["$(reboot)\u{1b}[2J", long.as_str(), "a\"b"] {
            let (action, _) = Init::Command(command).advise("SIGTERM", Disposition::Default, "x", "y").unwrap();
            assert!(!action.chars().any(char::is_control) && action.len() < 200, "{action}");
        }
    }
}
