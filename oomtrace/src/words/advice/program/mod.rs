//! Programs that size themselves without regard to the limit that they run under: the setting that makes them regard it. A file for each
//! family. A program is known by its executable, its arguments, or the title that it gives itself; what the environment says is not read,
//! because its values are secrets.

mod build;
mod database;
mod dotnet;
mod go;
mod jvm;
mod node;
mod php;
mod python;
mod ruby;
mod web;

use crate::model::{Advice, Incident, Process};

/// What to set, and how sure it is that this is at fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    pub action: String,
    pub why: String,
    /// By its own arguments it may use more than the limit: raising that is the second thing to do.
    pub at_fault: bool,
}

/// A program under a limit.
#[derive(Clone, Copy, Debug)]
pub struct Program<'a> {
    /// Its executable's file name; where that is an interpreter's, see [`Self::script`].
    exe: &'a str,
    /// All of its arguments, its own name first. A program that gives itself a title has that as the first.
    args: &'a [String],
    /// The limit, in bytes.
    limit: u64,
    /// What it had for itself, in bytes.
    own: Option<u64>,
}

/// One file's: the setting, if the program is one of the family and there is something to say.
type Family = fn(&Program<'_>) -> Option<Setting>;

const FAMILIES: [Family; 10] = [
    // A script's interpreter comes after what is written in its language.
    python::setting,
    ruby::setting,
    php::setting,
    database::setting,
    web::setting,
    build::setting,
    node::setting,
    jvm::setting,
    dotnet::setting,
    go::setting,
];

/// What to set for the victim's program, where its limit killed it.
#[must_use]
pub fn setting(incident: &Incident) -> Option<Setting> {
    let oom = incident.oom.as_ref()?;
    let limit = oom.limit_owner.as_ref()?.limit_bytes?;
    let own = oom.victim_memory.as_ref().map(|memory| memory.anon_bytes);
    of(&incident.victim.process, limit, own)
}

fn of(process: &Process, limit: u64, own: Option<u64>) -> Option<Setting> {
    let args = process.cmdline.as_deref().unwrap_or_default();
    let exe = file_name(process.exe.as_deref().unwrap_or(&process.comm));
    let program = Program { exe, args, limit, own };
    FAMILIES.into_iter().find_map(|family| family(&program))
}

impl From<Setting> for Advice {
    fn from(Setting { action, why, .. }: Setting) -> Self {
        Self { action, why, command: None }
    }
}

impl<'a> Program<'a> {
    /// The title that it gave itself, up to the colon: `php-fpm` of `php-fpm: pool www`.
    fn title(&self) -> Option<(&'a str, &'a str)> {
        let (name, rest) = self.args.first()?.split_once(':')?;
        Some((name, rest.trim_start()))
    }

    /// The file name of the script that an interpreter runs: its first argument that is no option, or the module after `-m`.
    fn script(&self) -> Option<&'a str> {
        let mut args = self.args.get(1..)?.iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "-m" => return args.next().map(String::as_str),
                option if option.starts_with('-') => {}
                script => return Some(file_name(script)),
            }
        }
        None
    }

    /// Its executable, its script or its title is called so.
    fn is(&self, name: &str) -> bool {
        let title = self.title().map(|(title, _)| title);
        [Some(self.exe), self.script(), title].into_iter().flatten().any(|found| found == name)
    }

    /// The last value of an option with one of these names: `--workers 4`, `--workers=4`, `-w4`.
    fn option(&self, names: &[&str]) -> Option<&'a str> {
        let mut found = None;
        let mut args = self.args.iter().skip(1).peekable();
        while let Some(arg) = args.next() {
            for name in names {
                let is_short = name.len() == 2 && !name.starts_with("--");
                match arg.strip_prefix(name) {
                    Some("") => found = args.peek().map(|value| value.as_str()).or(found),
                    Some(rest) if is_short => found = Some(rest),
                    Some(rest) => found = rest.strip_prefix('=').or(found),
                    None => {}
                }
            }
        }
        found
    }

    /// So many percent of the limit, in MiB, rounded down to what people write.
    fn share_mib(&self, percent: u64) -> u64 {
        round_down(self.exact_mib(percent))
    }

    /// So many percent of the limit, in MiB.
    fn exact_mib(&self, percent: u64) -> u64 {
        let part = u128::from(self.limit) * u128::from(percent) / 100;
        u64::try_from(part >> 20).unwrap_or_default()
    }

    /// How many of its like have room, with a fifth of the limit left; none where that is no fewer than there are.
    fn fitting(&self, now: Option<u64>) -> Option<u64> {
        let own = self.own.filter(|own| *own >= 1 << 20)?;
        let fitting = (self.limit / 5 * 4 / own).max(1);
        now.is_none_or(|now| fitting < now).then_some(fitting)
    }
}

/// To a multiple of an eighth of the power of two at or below it: 384, 448, 96.
fn round_down(mib: u64) -> u64 {
    let step = ((1_u64 << mib.max(1).ilog2()) / 8).max(1);
    (mib / step * step).max(1)
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// `512m`, `4G`, `1gb`, `1048576`: in bytes.
fn size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    let shift = match unit.to_ascii_lowercase().as_str() {
        "" | "b" => 0,
        "k" | "kb" => 10,
        "m" | "mb" => 20,
        "g" | "gb" => 30,
        "t" | "tb" => 40,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(1 << shift)
}

#[cfg(test)]
mod tests;
