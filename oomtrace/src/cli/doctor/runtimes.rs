//! Which runtimes are here, how each is asked for names, and what of the host's is not mounted.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use oomtrace::container::runtime::docker::Docker;
use oomtrace::container::runtime::oci_state::States;
use oomtrace::placement::Runtime;
use oomtrace::profile::{self, Kept, Profile};

use super::super::options::Runtimes;
use super::{Mark, Report};

/// The host's file system, as its first process sees it; another's when the pid namespace is not the host's.
const HOST: &str = "/proc/1/root";

pub fn report(report: &mut Report, options: &Runtimes) -> anyhow::Result<()> {
    docker(report, options)?;
    for Profile { runtime, kept, .. } in profile::ALL {
        let Some(Kept { owner, path, cost }) = kept else { continue };
        let is_option = *runtime == Runtime::Containerd;
        let path = if is_option { options.containerd_state.clone() } else { PathBuf::from(path) };
        if path.exists() {
            report.line(Mark::Good, owner, &format!("{}", path.display()))?;
        } else if elsewhere(&path) == Elsewhere::Hidden {
            report.line(Mark::Costs, owner, &not_mounted(&path, cost))?;
        }
    }
    let states = States::default();
    for runtime in [Runtime::Runc, Runtime::Crun].into_iter().filter(|runtime| states.used(*runtime)) {
        report.line(Mark::Good, runtime.name(), &format!("by itself, /run/{}", runtime.name()))?;
    }
    let users = Path::new("/etc/passwd");
    if !users.exists() {
        report.line(Mark::Costs, "users", "no /etc/passwd here: users go by their numbers (mount the host's)")?;
    }
    Ok(())
}

fn docker(report: &mut Report, options: &Runtimes) -> anyhow::Result<()> {
    let socket = &options.docker_socket;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("cannot start")?;
    match runtime.block_on(Docker::new(socket.clone()).version()) {
        Ok(version) => report.line(Mark::Good, "Docker", &format!("{version}, {}", socket.display()))?,
        Err(why) if socket.exists() => {
            report.line(Mark::Costs, "Docker", &format!("{why}; its containers go by their ids"))?
        }
        Err(_) => match elsewhere(socket) {
            Elsewhere::Hidden => report.line(
                Mark::Costs,
                "Docker",
                &not_mounted(socket, "names, images and labels of its containers"),
            )?,
            Elsewhere::Unknown => {
                let text = format!(
                    "no {0} in this container: if the host has one, mount it (docker run -v {0}:{0})",
                    socket.display()
                );
                report.line(Mark::Note, "Docker", &text)?
            }
            Elsewhere::No => report.line(Mark::Note, "Docker", &format!("not here (no {})", socket.display()))?,
        },
    }
    Ok(())
}

/// Whether what is not here is on the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Elsewhere {
    /// The host has it.
    Hidden,
    /// This is a container, and the host's file system cannot be looked at.
    Unknown,
    No,
}

fn elsewhere(path: &Path) -> Elsewhere {
    let id = |path: &Path| std::fs::metadata(path).map(|root| (root.dev(), root.ino())).ok();
    let host = Path::new(HOST);
    match (id(host), id(Path::new("/"))) {
        (Some(host_root), own) if Some(host_root) != own => {
            let is_there = path.strip_prefix("/").is_ok_and(|path| host.join(path).exists());
            if is_there { Elsewhere::Hidden } else { Elsewhere::No }
        }
        (None, _) if is_in_container() => Elsewhere::Unknown,
        _ => Elsewhere::No,
    }
}

/// What Docker, Podman and Kubernetes leave in every container.
fn is_in_container() -> bool {
    ["/.dockerenv", "/run/.containerenv"].iter().any(|mark| Path::new(mark).exists())
        || std::env::var_os("KUBERNETES_SERVICE_HOST").is_some()
}

fn not_mounted(path: &Path, cost: &str) -> String {
    let path = path.display();
    format!("the host has {path}, which is not mounted here; not seen: {cost} (docker run -v {path}:{path})")
}
