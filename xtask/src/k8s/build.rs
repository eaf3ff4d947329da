//! kubelet, kube-apiserver, kube-controller-manager and kube-scheduler, which Debian has as source alone: the package `kubernetes` brings
//! all that they are made of, and builds no more than kubectl.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use xtask::say;

use super::sources;
use crate::progress;
use crate::time_limit::TimeLimit;
use crate::vm::apt::Apt;

/// The compiler of that time. Later ones want modules.
const COMPILER: [&str; 2] = ["golang-1.15-go/bullseye", "golang-1.15-src/bullseye"];
const SOURCE: &str = "kubernetes";
/// What it says that it is: an API server that cannot say its version is refused by clients.
const VERSION: &str = "v1.20.2";
/// What makes the programs what they are; another one is built anew.
pub const RECIPE: &str = "kubernetes v1.20.2 golang-1.15/bullseye dockerless,providerless no-sysctls controllers";
const PROGRAMS: [&str; 4] = ["kube-apiserver", "kubelet", "kube-controller-manager", "kube-scheduler"];
/// Without these it has no drivers of clouds and no Docker: half the time and half the size.
const TAGS: &str = "dockerless,providerless";
/// Where packages that want a description in OpenAPI are, as Makefile.generated_files looks for them.
const DESCRIBED: [&str; 3] = ["cmd", "pkg", "vendor/k8s.io"];
/// Which of vendor/k8s.io it leaves out: they have descriptions of their own.
const NOT_DESCRIBED: [&str; 2] = ["code-generator", "sample-apiserver"];

/// Builds all of them into `done`; `work` is for whatever that takes.
///
/// # Errors
/// When the compiler or the source cannot be had, or it does not build within `time`.
pub fn build(apt: &Apt, work: &Path, done: &Path, time: TimeLimit) -> Result<()> {
    for package in COMPILER {
        let part = sources::unpack(apt, package, work)?;
        merge(&part, &work.join("go"))?;
    }
    let root = work.join("gopath/src/k8s.io/kubernetes");
    unpack_source(apt, work, &root, time)?;
    leave_sysctls(&root)?;
    let go = |arguments: &[&str]| {
        let mut command = Command::new("nice");
        let goroot = work.join("go/usr/lib/go-1.15");
        command.args(["-n", "10"]).arg(goroot.join("bin/go")).args(arguments).current_dir(&root);
        command.env("GOROOT", goroot).env("GOPATH", work.join("gopath")).env("GOCACHE", work.join("cache"));
        command.env("GO111MODULE", "off").env("GOFLAGS", "").env("CGO_ENABLED", "0").env("HOME", work);
        command
    };
    let generator = work.join("openapi-gen");
    let mut build = go(&["build", "-o"]);
    build.arg(&generator).arg("./vendor/k8s.io/kube-openapi/cmd/openapi-gen");
    progress::run(&mut build, "building the generator of API descriptions", time.left())?;
    describe(&generator, work, &root, time)?;
    say(&format!("building {} {VERSION} (some ten minutes, once)", PROGRAMS.join(", ")));
    let version = |package: &str, name: &str, value: &str| {
        format!("-X k8s.io/kubernetes/vendor/k8s.io/{package}/version.{name}={value}")
    };
    let flags = [
        "-s -w".to_owned(),
        version("component-base", "gitVersion", VERSION),
        version("component-base", "gitMajor", "1"),
        version("component-base", "gitMinor", "20"),
    ];
    for program in PROGRAMS {
        let mut build = go(&["build", "-tags", TAGS, "-ldflags", &flags.join(" "), "-o"]);
        build.arg(done.join(program)).arg(format!("./cmd/{program}"));
        progress::run(&mut build, &format!("building {program}"), time.left())?;
    }
    Ok(())
}

/// Moves what is in `from` beside what is in `to`: the compiler's packages are one tree.
fn merge(from: &Path, to: &Path) -> Result<()> {
    if !to.exists() {
        return fs::rename(from, to).with_context(|| format!("cannot move {}", from.display()));
    }
    let entries = fs::read_dir(from).with_context(|| format!("cannot list {}", from.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", from.display()))?;
        let target = to.join(entry.file_name());
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) && target.is_dir() {
            merge(&entry.path(), &target)?;
        } else {
            fs::rename(entry.path(), &target).with_context(|| format!("cannot move {}", entry.path().display()))?;
        }
    }
    Ok(())
}

/// Fetches the source into `root`. Debian's patches are all for kubectl.
fn unpack_source(apt: &Apt, work: &Path, root: &Path, time: TimeLimit) -> Result<()> {
    let files = work.join("source");
    for directory in [&files, &root.to_owned()] {
        fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    }
    say(&format!("fetching the source of {SOURCE}"));
    apt.download_source(SOURCE, &files)?;
    let entries = fs::read_dir(&files).with_context(|| format!("cannot list {}", files.display()))?;
    let is_source = |path: &PathBuf| path.to_string_lossy().contains(".orig.tar.");
    let archive = entries.flatten().map(|entry| entry.path()).find(is_source).context("apt fetched no source")?;
    let mut tar = Command::new("tar");
    tar.args(["--extract", "--strip-components=1", "--file"]).arg(archive).arg("--directory").arg(root);
    progress::run(&mut tar, "unpacking the source", time.left())
}

/// kubelet sets the machine's sysctls (`kernel.panic_on_oops`, `vm.overcommit_memory` …), or refuses to run: this one only says what it
/// would have set, because the machine is not its own.
fn leave_sysctls(root: &Path) -> Result<()> {
    let file = root.join("pkg/kubelet/cm/container_manager_linux.go");
    let text = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let patched = text.replace("b := KernelTunableModify", "b := KernelTunableWarn");
    if patched == text {
        bail!("{} sets sysctls in another way than was known", file.display());
    }
    fs::write(&file, patched).with_context(|| format!("cannot write {}", file.display()))
}

/// Generates the one file that the package lacks.
fn describe(generator: &Path, work: &Path, root: &Path, time: TimeLimit) -> Result<()> {
    let mut packages = BTreeSet::new();
    for start in DESCRIBED {
        find_described(&root.join(start), Path::new(start), &mut packages)?;
    }
    let packages: Vec<String> = packages.into_iter().map(|package| format!("k8s.io/kubernetes/{package}")).collect();
    let mut generate = Command::new(generator);
    generate.current_dir(root).env("GOPATH", work.join("gopath")).env("GOROOT", work.join("go/usr/lib/go-1.15"));
    generate.env("GO111MODULE", "off").args(["--logtostderr", "-i", &packages.join(",")]);
    generate.args(["-p", "k8s.io/kubernetes/pkg/generated/openapi", "-O", "zz_generated.openapi"]);
    generate.args(["-h", "vendor/k8s.io/code-generator/hack/boilerplate.go.txt", "-r", "/dev/null"]);
    progress::run(&mut generate, "generating the API's description", time.left())
}

/// Packages with a file that asks for it.
fn find_described(directory: &Path, name: &Path, found: &mut BTreeSet<String>) -> Result<()> {
    let entries = fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))?;
    for entry in entries.flatten() {
        let (path, file) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
        // vendor/k8s.io is links to the staging area.
        if path.is_dir() {
            if !NOT_DESCRIBED.contains(&file.as_str()) {
                find_described(&path, &name.join(&file), found)?;
            }
        } else if file.ends_with(".go") && !file.ends_with("_test.go") {
            let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            if String::from_utf8_lossy(&text).contains("+k8s:openapi-gen=") {
                found.insert(name.to_string_lossy().into_owned());
            }
        }
    }
    Ok(())
}
