//! The Helm chart, by Helm itself. A machine that cannot have Helm skips these, and says so.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot go on fails by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::{ExitCode, Output};

use libtest_mimic::{Arguments, Trial};
use serde_yaml_ng::Value;
use xtask::{chart, helm};

type Test = fn(&Path);

const ALL: [(&str, Test); 8] = [
    ("it_passes_helms_own_lint", passes_lint),
    ("the_plain_manifests_are_what_it_gives", manifests_are_its),
    ("values_that_are_no_values_are_refused", wrong_values),
    ("without_the_api_it_has_no_token_and_no_rights", without_the_api),
    ("without_events_it_may_write_none", without_events),
    ("before_1_30_apparmor_is_told_by_an_annotation", apparmor),
    ("arguments_mounts_and_labels_are_added", additions),
    ("the_history_is_the_nodes_the_pods_or_none", history),
];

/// What it gets before anything else is asked for.
const ARGUMENTS: [&str; 5] = ["agent", "--json", "--history-days=30", "--history-size=256M", "--health"];

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace().join("target"), PathBuf::from);
    let found = helm::find(&workspace().join(target));
    let trial = |(name, test): (&str, Test)| {
        let helm = found.clone();
        let trial = Trial::test(name, move || {
            test(&helm.ok_or("no Helm")?);
            Ok(())
        });
        trial.with_ignored_flag(found.is_none())
    };
    let conclusion = libtest_mimic::run(&arguments, ALL.into_iter().map(trial).collect());
    if found.is_none() && !arguments.list {
        let lines = ALL.map(|(name, _)| format!("{name}: no Helm here (`cargo xtask chart` fetches it)"));
        println!("{} skipped:\n  {}", ALL.len(), lines.join("\n  "));
    }
    conclusion.exit_code()
}

fn template(helm: &Path, settings: &[&str]) -> Output {
    chart::template(helm, &workspace()).args(settings).output().unwrap()
}

/// What the chart gives with these settings.
fn documents(helm: &Path, settings: &[&str]) -> Vec<Value> {
    let output = template(helm, settings);
    assert!(output.status.success(), "{settings:?}: {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let documents = serde_yaml_ng::Deserializer::from_str(&text);
    documents
        .map(|document| serde::Deserialize::deserialize(document).unwrap())
        .filter(|v: &Value| !v.is_null())
        .collect()
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> Option<&'a Value> {
    documents.iter().find(|document| document["kind"] == kind)
}

fn pod(documents: &[Value]) -> &Value {
    &of_kind(documents, "DaemonSet").unwrap()["spec"]["template"]
}

fn arguments(documents: &[Value]) -> Vec<&str> {
    let arguments = pod(documents)["spec"]["containers"][0]["args"].as_sequence().unwrap();
    arguments.iter().map(|argument| argument.as_str().unwrap()).collect()
}

fn passes_lint(helm: &Path) {
    let output = chart::lint(helm, &workspace()).unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && !text.contains("[WARNING]"), "{text}");
}

fn manifests_are_its(helm: &Path) {
    for manifest in chart::MANIFESTS {
        let is = std::fs::read_to_string(workspace().join(manifest.path)).unwrap();
        let rendered = manifest.render(helm, &workspace()).unwrap();
        assert!(is == rendered, "{} is not what the chart gives: `cargo xtask chart` writes it", manifest.path);
    }
}

/// The schema names what is wrong.
fn wrong_values(helm: &Path) {
    for (setting, word) in [
        ("priviledged=true", "priviledged"),
        ("privileged=perhaps", "/privileged"),
        ("image.pullPolicy=Sometimes", "/image/pullPolicy"),
        ("leastPrivilege.capabilities={BPF}", "PERFMON"),
        ("leastPrivilege.capabilities={CAP_BPF,BPF,PERFMON}", "/leastPrivilege/capabilities/0"),
        ("leastPrivilege.capabilities={ALL,BPF,PERFMON}", "/leastPrivilege/capabilities/0"),
        ("runtimePaths={run}", "/runtimePaths/0"),
        ("livenessProbe.httpGet=x", "httpGet"),
        ("history.kind=file", "/history/kind"),
        ("history.size=1TB", "/history/size"),
    ] {
        let output = template(helm, &["--set", setting]);
        let text = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && text.contains(word), "{setting}: {text}");
    }
}

fn without_the_api(helm: &Path) {
    let documents = documents(helm, &["--set", "kubernetes.enabled=false"]);
    assert!(of_kind(&documents, "ClusterRole").is_none() && of_kind(&documents, "ClusterRoleBinding").is_none());
    assert_eq!(pod(&documents)["spec"]["automountServiceAccountToken"], false);
    assert_eq!(arguments(&documents), [&ARGUMENTS[..], &["--kubernetes", "off"]].concat());
}

fn without_events(helm: &Path) {
    let documents = documents(helm, &["--set", "kubernetes.events=false"]);
    assert_eq!(arguments(&documents), [&ARGUMENTS[..], &["--kubernetes-events", "off"]].concat());
    let rules = of_kind(&documents, "ClusterRole").unwrap()["rules"].as_sequence().unwrap();
    let verbs = rules.iter().flat_map(|rule| rule["verbs"].as_sequence().unwrap());
    assert!(verbs.clone().count() > 3);
    for verb in verbs {
        assert!(["get", "list", "watch"].contains(&verb.as_str().unwrap()), "{verb:?}");
    }
}

fn apparmor(helm: &Path) {
    const ANNOTATION: &str = "container.apparmor.security.beta.kubernetes.io/oomtrace";
    for (version, has_field) in [("1.29.0", false), ("1.30.0", true)] {
        let documents = documents(helm, &["--set", "privileged=false", "--kube-version", version]);
        let pod = pod(&documents);
        let field = &pod["spec"]["containers"][0]["securityContext"]["appArmorProfile"]["type"];
        let annotation = &pod["metadata"]["annotations"][ANNOTATION];
        let expected = if has_field { (Some("Unconfined"), None) } else { (None, Some("unconfined")) };
        assert_eq!((field.as_str(), annotation.as_str()), expected, "{version}");
    }
}

fn additions(helm: &Path) {
    let documents = documents(
        helm,
        &[
            "--namespace=shop",
            "--set=extraArgs={--namespace,shop}",
            "--set=runtimePaths={/run/k3s/containerd,/var/run.d}",
            "--set=podLabels.team=shop,podAnnotations.note=well",
            "--set=rbac.create=false,serviceAccount.create=false,serviceAccount.name=mine",
        ],
    );
    assert_eq!(arguments(&documents), [&ARGUMENTS[..], &["--namespace", "shop"]].concat());
    assert!(of_kind(&documents, "ClusterRole").is_none() && of_kind(&documents, "ServiceAccount").is_none());
    let pod = pod(&documents);
    assert_eq!(pod["spec"]["serviceAccountName"], "mine");
    assert_eq!(
        (&pod["metadata"]["labels"]["team"], &pod["metadata"]["annotations"]["note"]),
        (&"shop".into(), &"well".into())
    );
    let mounts = pod["spec"]["containers"][0]["volumeMounts"].as_sequence().unwrap();
    let paths: Vec<&str> = mounts.iter().map(|mount| mount["mountPath"].as_str().unwrap()).collect();
    assert_eq!(paths, ["/sys/fs/cgroup", "/run/k3s/containerd", "/var/run.d", "/etc/passwd", "/var/lib/oomtrace"]);
    assert_eq!(of_kind(&documents, "DaemonSet").unwrap()["metadata"]["namespace"], "shop");
}

fn history(helm: &Path) {
    for (kind, expected) in [
        ("hostPath", Some("{\"path\":\"/var/lib/oomtrace\",\"type\":\"DirectoryOrCreate\"}")),
        ("emptyDir", Some("{\"sizeLimit\":\"320Mi\"}")),
        ("none", None),
    ] {
        let documents = documents(helm, &["--set", &format!("history.kind={kind}")]);
        let spec = &pod(&documents)["spec"];
        let named = |list: &Value| list.as_sequence().unwrap().iter().find(|entry| entry["name"] == "history").cloned();
        let volume = named(&spec["volumes"]).map(|volume| serde_json::to_string(&volume[kind]).unwrap());
        assert_eq!(volume.as_deref(), expected, "{kind}");
        assert_eq!(named(&spec["containers"][0]["volumeMounts"]).is_some(), expected.is_some(), "{kind}");
        assert_eq!(arguments(&documents).contains(&"--no-history"), expected.is_none(), "{kind}");
    }
}
