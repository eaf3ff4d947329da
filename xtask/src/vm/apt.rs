//! Debian's packages of other releases than this machine's: with an apt configuration of its own, below the target directory.
//! The system's sources, lists and cache are neither read nor changed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};

use xtask::{packages, say, succeed};

use crate::progress;

/// Where every kernel that is wanted is, from the oldest to the newest.
const SUITES: [(&str, &str); 8] = [
    ("debian", "bullseye"),
    ("debian-security", "bullseye-security"),
    ("debian", "bookworm"),
    ("debian-security", "bookworm-security"),
    ("debian", "bookworm-backports"),
    ("debian", "trixie"),
    ("debian-security", "trixie-security"),
    ("debian", "trixie-backports"),
];
/// Whose sources are known as well.
const SOURCE_SUITE: &str = "bookworm";
const MIRROR: &str = "http://deb.debian.org";
/// What the lists are signed with.
pub const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";
/// What fetching lists, or one package, may take.
const LIMIT: Duration = Duration::from_secs(10 * 60);
/// Packages come and go; a list that is older is fetched again.
const FRESH: Duration = Duration::from_secs(7 * 24 * 3600);

/// apt, with sources of its own.
pub struct Apt {
    directory: PathBuf,
}

/// A package, and its version in Debian.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Package {
    pub name: String,
    pub version: String,
}

impl Apt {
    /// In `directory`; fetches the lists of packages when there are none, or old ones.
    pub fn open(directory: &Path) -> Result<Self> {
        if !Path::new(KEYRING).exists() {
            packages::install(&["debian-archive-keyring"], "the lists of Debian's packages are checked with it")?;
        }
        let apt = Self { directory: directory.to_owned() };
        for part in ["none", "lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(directory.join(part))
                .with_context(|| format!("cannot create {}", directory.display()))?;
        }
        let sources = sources("") + &format!("deb-src [signed-by={KEYRING}] {MIRROR}/debian {SOURCE_SUITE} main\n");
        let file = directory.join("sources.list");
        let are_same = fs::read_to_string(&file).is_ok_and(|old| old == sources);
        if !are_same {
            // Lists of other sources are none.
            _ = fs::remove_file(apt.stamp());
            fs::write(&file, sources).with_context(|| format!("cannot write {}", file.display()))?;
        }
        match apt.age() {
            Some(age) if age < FRESH => {}
            None => apt.update()?,
            Some(age) => {
                if let Err(error) = apt.update() {
                    say(&format!("{error:#}: going on with the lists of {} days ago", age.as_secs() / 86_400));
                }
            }
        }
        Ok(apt)
    }

    fn stamp(&self) -> PathBuf {
        self.directory.join("updated")
    }

    /// How old the lists are; none when there are none, or only some.
    fn age(&self) -> Option<Duration> {
        let updated = self.stamp().metadata().and_then(|metadata| metadata.modified()).ok()?;
        Some(SystemTime::now().duration_since(updated).unwrap_or_default())
    }

    /// Fetches the lists of packages, and checks who signed them.
    pub fn update(&self) -> Result<()> {
        say("fetching the lists of Debian's packages, from bullseye to trixie-backports");
        let mut update = self.command("apt-get");
        update.args(["update", "--quiet", "--error-on=any"]).stdout(Stdio::null());
        progress::run(&mut update, "fetching the lists", LIMIT).with_context(|| {
            format!("cannot fetch the lists of packages: {MIRROR} must answer, and the disk must not be full")
        })?;
        let stamp = self.stamp();
        fs::write(&stamp, "").with_context(|| format!("cannot write {}", stamp.display()))
    }

    /// One of apt's programs, which sees these sources alone.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("env");
        command.args(["DEBIAN_FRONTEND=noninteractive", program]).stdin(Stdio::null());
        for (key, value) in [
            ("Dir::Etc::sourcelist", self.directory.join("sources.list")),
            ("Dir::Etc::sourceparts", self.directory.join("none")),
            ("Dir::Etc::preferencesparts", self.directory.join("none")),
            ("Dir::State::lists", self.directory.join("lists")),
            ("Dir::Cache", self.directory.join("cache")),
            ("Acquire::Languages", "none".into()),
            ("Acquire::Retries", "3".into()),
            ("Acquire::http::Timeout", "30".into()),
            // apt's own user may not read below this directory.
            ("APT::Sandbox::User", "root".into()),
        ] {
            command.arg("-o").arg(format!("{key}={}", value.display()));
        }
        command
    }

    /// The packages whose names begin so.
    pub fn names(&self, prefix: &str) -> Result<Vec<String>> {
        let output = self.command("apt-cache").args(["pkgnames", prefix]).output().context("cannot run apt-cache")?;
        Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
    }

    /// The newest version of a package.
    pub fn package(&self, name: &str) -> Result<Package> {
        let mut command = self.command("apt-cache");
        let output = command.args(["show", "--no-all-versions", name]).output().context("cannot run apt-cache")?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text.lines().find_map(|line| line.strip_prefix("Version: "));
        let version = version.with_context(|| format!("apt knows no {name}"))?.to_owned();
        Ok(Package { name: name.to_owned(), version })
    }

    /// Fetches a package into `directory`, which is empty; apt checks it against the signed list. Its path.
    pub fn download(&self, name: &str, directory: &Path) -> Result<PathBuf> {
        let mut command = self.command("apt-get");
        command.args(["download", "--quiet", name]).current_dir(directory).stdout(Stdio::null());
        progress::run(&mut command, &format!("fetching {name}"), LIMIT)
            .with_context(|| format!("cannot fetch {name}: {MIRROR} must answer, and the disk must not be full"))?;
        let start = format!("{}_", name.split('/').next().unwrap_or(name));
        let entries = fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))?;
        let of_package = |entry: &fs::DirEntry| entry.file_name().to_string_lossy().starts_with(&start);
        let file = entries.flatten().find(of_package).with_context(|| format!("apt fetched no {name}"))?;
        Ok(file.path())
    }

    /// Fetches a source package's files into `directory`; apt checks them against the signed list.
    pub fn download_source(&self, name: &str, directory: &Path) -> Result<()> {
        let mut command = self.command("apt-get");
        command.args(["source", "--quiet", "--download-only", name]).current_dir(directory).stdout(Stdio::null());
        progress::run(&mut command, &format!("fetching the source of {name}"), LIMIT).with_context(|| {
            format!("cannot fetch the source of {name}: {MIRROR} must answer, and the disk must not be full")
        })
    }

    /// Installs a package on this machine, from the backports for its `release`.
    pub fn install_backport(&self, name: &str, release: &str, what_for: &str) -> Result<()> {
        let backports = format!("{release}-backports");
        say(&format!("installing {name} of {backports} with apt: {what_for}"));
        // What it needs is taken from the newest release that apt sees: that must be this machine's, or it is half another one after.
        let file = self.directory.join("install.list");
        fs::write(&file, sources(release)).with_context(|| format!("cannot write {}", file.display()))?;
        let mut command = self.command("apt-get");
        command.arg("-o").arg(format!("Dir::Etc::sourcelist={}", file.display()));
        command.args(["install", "--yes", "--quiet", "--no-install-recommends", "--target-release", &backports, name]);
        succeed(command.stdout(std::io::stderr()))
    }
}

/// What apt is asked for of the releases whose names begin so.
fn sources(release: &str) -> String {
    let of_release = SUITES.iter().filter(|(_, suite)| suite.starts_with(release));
    let lines =
        of_release.map(|(archive, suite)| format!("deb [signed-by={KEYRING}] {MIRROR}/{archive} {suite} main\n"));
    lines.collect()
}
