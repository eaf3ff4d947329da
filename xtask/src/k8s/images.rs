//! The node's images, made by hand as `docker save` writes them: no registry is asked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use serde_json::json;

use xtask::succeed;

/// The image of pods' sandboxes.
pub const PAUSE: &str = "oomtrace.test/pause:1";
/// The image of containers: a static busybox.
pub const BUSYBOX: &str = "oomtrace.test/busybox:1";

/// What a sandbox runs, as Kubernetes' own pause does: it reaps, and ends when it is asked to.
const PAUSE_SOURCE: &str = r"#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>
static void end(int number) { (void)number; _exit(0); }
static void reap(int number) { (void)number; while (waitpid(-1, 0, WNOHANG) > 0); }
int main(void) { signal(SIGINT, end); signal(SIGTERM, end); signal(SIGCHLD, reap); for (;;) pause(); }
";
const BUSYBOX_PROGRAM: &str = "/bin/busybox";

/// oomtrace's own image, as the manifests name it, in full.
const OOMTRACE: &str = "docker.io/library/oomtrace:latest";

/// An image with one layer.
struct Image<'a> {
    name: &'static str,
    reference: &'static str,
    /// Puts its files into a directory.
    fill: &'a dyn Fn(&Path) -> Result<()>,
    /// What it runs, unless a container says otherwise.
    command: Option<&'static str>,
    /// What it runs anyway, with what a container says as arguments.
    entrypoint: Option<&'static str>,
}

const IMAGES: [Image; 2] = [
    Image { name: "pause", reference: PAUSE, fill: &pause, command: Some("/pause"), entrypoint: None },
    Image { name: "busybox", reference: BUSYBOX, fill: &busybox, command: Some("/bin/sh"), entrypoint: None },
];

/// The images' archives, in `directory` when they were made before.
///
/// # Errors
/// When there is no C compiler, or no static busybox.
pub fn ensure(directory: &Path) -> Result<Vec<PathBuf>> {
    fs::create_dir_all(directory).with_context(|| format!("cannot create {}", directory.display()))?;
    let mut archives = Vec::new();
    for image in IMAGES {
        let archive = directory.join(format!("{}.tar", image.name));
        if !archive.exists() {
            make(directory, &archive, &image).with_context(|| format!("cannot make the image {}", image.reference))?;
        }
        archives.push(archive);
    }
    Ok(archives)
}

/// The archive of oomtrace's image, made anew of its static `binary`; in `directory`.
///
/// # Errors
/// When it cannot be written.
pub fn of_oomtrace(directory: &Path, binary: &Path) -> Result<PathBuf> {
    let fill = |root: &Path| {
        fs::copy(binary, root.join("oomtrace")).with_context(|| format!("cannot copy {}", binary.display()))?;
        Ok(())
    };
    let image =
        Image { name: "oomtrace", reference: OOMTRACE, fill: &fill, command: None, entrypoint: Some("/oomtrace") };
    let archive = directory.join(format!("{}.tar", image.name));
    make(directory, &archive, &image).with_context(|| format!("cannot make the image {}", image.reference))?;
    Ok(archive)
}

fn pause(root: &Path) -> Result<()> {
    let source = root.with_extension("c");
    fs::write(&source, PAUSE_SOURCE).context("cannot write pause's source")?;
    let mut compile = Command::new("cc");
    succeed(compile.args(["-static", "-Os", "-s", "-o"]).arg(root.join("pause")).arg(&source))?;
    fs::remove_file(&source).context("cannot remove pause's source")
}

fn busybox(root: &Path) -> Result<()> {
    for directory in ["bin", "etc", "tmp", "www"] {
        fs::create_dir(root.join(directory)).context("cannot create the image's directories")?;
    }
    fs::copy(BUSYBOX_PROGRAM, root.join("bin/busybox")).context("cannot copy busybox")?;
    fs::write(root.join("etc/passwd"), "root:x:0:0:root:/:/bin/sh\n").context("cannot write the image's users")?;
    fs::write(root.join("www/index.html"), "well\n").context("cannot write the image's page")?;
    let applets = Command::new(BUSYBOX_PROGRAM).arg("--list").output().context("cannot run busybox")?;
    for applet in String::from_utf8_lossy(&applets.stdout).lines().filter(|applet| *applet != "busybox") {
        std::os::unix::fs::symlink("busybox", root.join("bin").join(applet)).context("cannot link an applet")?;
    }
    Ok(())
}

fn make(directory: &Path, archive: &Path, image: &Image) -> Result<()> {
    let work = archive.with_extension("part");
    if work.exists() {
        fs::remove_dir_all(&work).context("cannot remove an image that was not finished")?;
    }
    let root = work.join("root");
    fs::create_dir_all(&root).context("cannot create a directory for the image")?;
    (image.fill)(&root)?;
    let layer = work.join("layer.tar");
    let mut tar = Command::new("tar");
    tar.args(["--create", "--numeric-owner", "--owner=0", "--group=0", "--file"]).arg(&layer);
    succeed(tar.arg("--directory").arg(&root).arg(".").stdin(Stdio::null()))?;
    let sum = Command::new("sha256sum").arg(&layer).output().context("cannot run sha256sum")?;
    let sum = String::from_utf8_lossy(&sum.stdout).split(' ').next().unwrap_or_default().to_owned();
    let config = json!({
        "architecture": architecture(),
        "os": "linux",
        "config": {
            "Entrypoint": image.entrypoint.map(|program| [program]),
            "Cmd": image.command.map(|program| [program]),
            "Env": ["PATH=/bin"],
            "WorkingDir": "/",
        },
        "rootfs": { "type": "layers", "diff_ids": [format!("sha256:{sum}")] },
    });
    let manifest = json!([{ "Config": "config.json", "RepoTags": [image.reference], "Layers": ["layer.tar"] }]);
    for (name, content) in [("config.json", config), ("manifest.json", manifest)] {
        fs::write(work.join(name), content.to_string()).context("cannot write the image's configuration")?;
    }
    let whole = directory.join("archive.part");
    let mut tar = Command::new("tar");
    tar.arg("--create").arg("--file").arg(&whole).arg("--directory").arg(&work);
    succeed(tar.args(["manifest.json", "config.json", "layer.tar"]).stdin(Stdio::null()))?;
    // Whole, or not there at all.
    fs::rename(&whole, archive).context("cannot keep the image")?;
    fs::remove_dir_all(&work).context("cannot remove what the image was made of")
}

/// As Go, and with it images, calls this machine's.
fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}
