//! Credentials for the API: the service account's in the cluster, else root's own on the node.

use std::env;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use kube::Config;
use kube::config::{KubeConfigOptions, Kubeconfig};

use crate::kubernetes::Options;

/// Where distributions have the administrator's, then root's own, then the kubelet's.
const USUAL: [&str; 7] = [
    "/etc/kubernetes/admin.conf",
    "/etc/rancher/k3s/k3s.yaml",
    "/etc/rancher/rke2/rke2.yaml",
    "/var/lib/k0s/pki/admin.conf",
    "/var/snap/microk8s/current/credentials/client.config",
    "/root/.kube/config",
    "/etc/kubernetes/kubelet.conf",
];
const SERVICE_ACCOUNT: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Credentials that were found.
pub struct Access {
    pub config: Config,
    pub in_cluster: bool,
}

/// Why there are none.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error("no credentials: no service account, and no kubeconfig of root's in a usual place; --kubeconfig names one")]
    None,
    #[error("the service account cannot be used: {0}")]
    ServiceAccount(#[from] kube::config::InClusterError),
    #[error("{} cannot be used: {source}", path.display())]
    Kubeconfig { path: PathBuf, source: Box<kube::config::KubeconfigError> },
    #[error("{} cannot be used: {why}", path.display())]
    Unsafe { path: PathBuf, why: &'static str },
    #[error("its thread cannot be started: {0}")]
    Thread(std::io::Error),
}

/// Those that are named, or the first that are there.
///
/// # Errors
/// When there are none, or they cannot be used.
pub fn find(options: &Options) -> Result<Access, AccessError> {
    if let Some(path) = &options.kubeconfig {
        return of_file(path);
    }
    // That of sudo's caller is seldom passed on, and may be several, as for kubectl.
    if let Some(paths) = env::var_os("KUBECONFIG").filter(|paths| !paths.is_empty()) {
        let first = env::split_paths(&paths).next();
        return of_file(&first.ok_or(AccessError::None)?);
    }
    if Path::new(SERVICE_ACCOUNT).exists() && env::var_os("KUBERNETES_SERVICE_HOST").is_some() {
        return Ok(Access { config: Config::incluster()?, in_cluster: true });
    }
    let usual = USUAL.into_iter().map(Path::new).find(|path| path.exists());
    of_file(usual.ok_or(AccessError::None)?)
}

fn of_file(path: &Path) -> Result<Access, AccessError> {
    let not_safe = |why| AccessError::Unsafe { path: path.to_owned(), why };
    let not_read = |source| AccessError::Kubeconfig { path: path.to_owned(), source: Box::new(source) };
    let own = nix::unistd::geteuid().as_raw();
    // Whoever may write it could have this process talk to anybody.
    match fs::metadata(path) {
        Ok(file) if file.uid() != 0 && file.uid() != own => return Err(not_safe("it does not belong to root")),
        Ok(file) if file.mode() & 0o022 != 0 => return Err(not_safe("others may write it")),
        _ => {}
    }
    let kubeconfig = Kubeconfig::read_from(path).map_err(not_read)?;
    let runs = |user: &kube::config::NamedAuthInfo| {
        user.auth_info.as_ref().is_some_and(|auth| auth.exec.is_some() || auth.auth_provider.is_some())
    };
    if kubeconfig.auth_infos.iter().any(runs) {
        return Err(not_safe("it has a program fetch the credentials, which is not run"));
    }
    // It only reads files, though it is `async`.
    let current = KubeConfigOptions::default();
    let loading = Config::from_custom_kubeconfig(kubeconfig, &current);
    let config = futures_util::FutureExt::now_or_never(loading);
    let mut config = config.ok_or_else(|| not_safe("it cannot be read at once"))?.map_err(not_read)?;
    // Where no certificate is checked, none is needed to check by: a machine may have no authorities' at all.
    if config.accept_invalid_certs && config.root_cert.is_none() {
        config.root_cert = Some(Vec::new());
    }
    Ok(Access { config, in_cluster: false })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(cluster: &str) -> Config {
        let directory = std::env::temp_dir().join(format!("oomtrace-access-{}-{}", std::process::id(), cluster.len()));
        fs::create_dir_all(&directory).unwrap();
        let file = directory.join("kubeconfig");
        let text = format!(
            "{{apiVersion: v1, kind: Config, current-context: c, clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1'{cluster}}}}}], \
             users: [{{name: u, user: {{token: t}}}}], contexts: [{{name: c, context: {{cluster: c, user: u}}}}]}}"
        );
        fs::write(&file, text).unwrap();
        let access = of_file(&file).unwrap();
        fs::remove_dir_all(&directory).unwrap();
        access.config
    }

    #[test]
    fn where_nothing_is_checked_no_authority_is_asked_for() {
        assert_eq!(config(", insecure-skip-tls-verify: true").root_cert, Some(Vec::new()));
        assert_eq!(config("").root_cert, None, "the machine's authorities are what certificates are checked by");
    }
}
