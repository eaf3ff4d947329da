//! The Helm chart, and the plain manifests that are made of it, so that nobody needs Helm to use them.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, bail};

/// Where the chart is.
const CHART: &str = "deploy/helm/oomtrace";
/// The oldest Kubernetes that the plain manifests are for: AppArmor's profile is a field of pods since then.
const KUBERNETES: &str = "1.30.0";
/// Lines of Helm's own, which are not so of a manifest that is applied by kubectl.
const HELMS: [&str; 3] = ["# Source:", "app.kubernetes.io/managed-by:", "helm.sh/chart:"];

/// A manifest that is made of the chart.
#[derive(Clone, Copy, Debug)]
pub struct Manifest {
    /// From the workspace's root.
    pub path: &'static str,
    /// The values that the chart gets.
    values: &'static [&'static str],
    /// What it is.
    title: &'static str,
}

/// All of them.
pub const MANIFESTS: [Manifest; 2] = [
    Manifest {
        path: "deploy/daemonset.yaml",
        values: &["image.tag=latest"],
        title: "oomtrace on every node of a cluster, in a privileged container",
    },
    Manifest {
        path: "deploy/daemonset-least-capabilities.yaml",
        values: &["image.tag=latest", "privileged=false"],
        title: "oomtrace on every node of a cluster, with the capabilities that it needs and no others",
    },
];

impl Manifest {
    /// What the chart gives for it.
    ///
    /// # Errors
    /// When Helm refuses.
    pub fn render(&self, helm: &Path, workspace: &Path) -> Result<String> {
        let settings = self.values.iter().flat_map(|value| ["--set", value]);
        let mut command = template(helm, workspace);
        command.args(["--namespace", "kube-system", "--kube-version", KUBERNETES]).args(settings);
        let output = command.output().context("cannot run Helm")?;
        if !output.status.success() {
            bail!("helm template: {}", String::from_utf8_lossy(&output.stderr));
        }
        let text = String::from_utf8(output.stdout).context("Helm wrote something else than text")?;
        let is_helms = |line: &&str| HELMS.iter().any(|start| line.trim_start().starts_with(start));
        let lines = text.lines().filter(|line| !is_helms(line)).map(|line| format!("{line}\n"));
        Ok(self.head() + &lines.collect::<String>())
    }

    fn head(&self) -> String {
        let Self { path, title, .. } = self;
        format!(
            "# {title}. Its findings go to the pods' logs, one JSON\n\
             # object a line. `cargo xtask chart` makes this file of the chart in {CHART}; it is changed there.\n\
             #\n\
             #   cargo xtask image                  # builds the image oomtrace:latest\n\
             #   docker tag … && docker push …      # to a registry that the nodes reach; write its name below\n\
             #   kubectl apply -f {path}\n\
             #   kubectl -n kube-system logs -l app.kubernetes.io/name=oomtrace --prefix -f\n"
        )
    }
}

/// `helm template oomtrace`, to which arguments are added.
#[must_use]
pub fn template(helm: &Path, workspace: &Path) -> Command {
    let mut command = self::helm(helm);
    command.args(["template", "oomtrace"]).arg(chart(workspace));
    command
}

/// What Helm thinks of the chart; it is well when that succeeded.
///
/// # Errors
/// When Helm cannot be run.
pub fn lint(helm: &Path, workspace: &Path) -> Result<Output> {
    self::helm(helm).args(["lint", "--strict"]).arg(chart(workspace)).output().context("cannot run Helm")
}

fn chart(workspace: &Path) -> PathBuf {
    workspace.join(CHART)
}

/// Helm, which keeps nothing in anybody's home.
fn helm(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env("HOME", program.with_extension("home")).stdin(Stdio::null());
    command
}
