//! Options that say which incidents are wanted.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use glob::Pattern;
use oomtrace::filter::{Filter, Label, cgroup_path};
use oomtrace::model::Cause;

use crate::cli::values::{Causes, cause_names, causes, label, pattern, pid, uid};

/// Which incidents.
#[derive(Debug, Default, Args)]
pub struct Select {
    /// Only victims in containers with this name or id; * and ? match, may be repeated
    #[arg(long, value_name = "NAME|ID", value_parser = pattern)]
    pub container: Vec<Pattern>,
    /// Only victims in pods of this Kubernetes namespace; * and ? match, may be repeated
    #[arg(long, value_name = "NAMESPACE", value_parser = pattern)]
    pub namespace: Vec<Pattern>,
    /// Only victims in this pod, by its name or as NAMESPACE/NAME; * and ? match, may be repeated
    #[arg(long, value_name = "POD", value_parser = pattern)]
    pub pod: Vec<Pattern>,
    /// Only victims in containers with this label; all of them, when repeated
    #[arg(long, value_name = "KEY[=VALUE]", value_parser = label)]
    pub label: Vec<Label>,
    /// Only this victim, by its pid on the host; may be repeated
    #[arg(long, value_name = "PID", value_parser = pid)]
    pub pid: Vec<u32>,
    /// Only victims in this cgroup or below it; may be repeated
    #[arg(long, value_name = "PATH", value_parser = cgroup_path)]
    pub cgroup: Vec<String>,
    /// Only victims in containers of this image; * and ? match, may be repeated
    #[arg(long, value_name = "IMAGE", value_parser = pattern)]
    pub image: Vec<Pattern>,
    /// Only victims in this systemd unit; * and ? match, may be repeated
    #[arg(long, value_name = "UNIT", value_parser = pattern)]
    pub unit: Vec<Pattern>,
    /// Only victims with this name, or whose executable's file has it; * and ? match, may be repeated
    #[arg(long, value_name = "NAME", value_parser = pattern)]
    pub comm: Vec<Pattern>,
    /// Only victims of this user, by its number on the host, or by its name here; may be repeated
    #[arg(long, value_name = "UID|USER", value_parser = uid)]
    pub uid: Vec<u32>,
    /// Only what this process sent, by its name, that of its executable's file, or its pid; kernel is the kernel itself; may be repeated
    #[arg(long, value_name = "NAME|PID", value_parser = pattern)]
    pub sender: Vec<Pattern>,
    /// Only incidents with this cause, or one of this group of causes; may be repeated
    #[arg(long, value_name = "CAUSE|GROUP", value_parser = PossibleValuesParser::new(cause_names()).map(|name| causes(&name)))]
    pub cause: Vec<Causes>,
}

impl Select {
    pub fn filter(&self) -> Filter {
        Filter {
            containers: self.container.clone(),
            namespaces: self.namespace.clone(),
            pods: self.pod.clone(),
            images: self.image.clone(),
            labels: self.label.clone(),
            units: self.unit.clone(),
            comms: self.comm.clone(),
            uids: self.uid.clone(),
            senders: self.sender.clone(),
            pids: self.pid.clone(),
            cgroups: self.cgroup.clone(),
            causes: self.cause.iter().flat_map(|causes| causes.0.iter().copied()).collect(),
        }
    }

    /// The same as arguments, for a program of its own that is to choose alike.
    pub fn arguments(&self) -> Vec<String> {
        let patterns = |option: &str, all: &[Pattern]| -> Vec<String> {
            all.iter().map(|pattern| format!("--{option}={pattern}")).collect()
        };
        let numbers = |option: &str, all: &[u32]| -> Vec<String> {
            all.iter().map(|number| format!("--{option}={number}")).collect()
        };
        let label = |Label { key, value }: &Label| match value {
            Some(value) => format!("--label={key}={value}"),
            None => format!("--label={key}"),
        };
        let cause = |cause: &Cause| format!("--cause={}", cause.name());
        [
            patterns("container", &self.container),
            patterns("namespace", &self.namespace),
            patterns("pod", &self.pod),
            self.label.iter().map(label).collect(),
            numbers("pid", &self.pid),
            self.cgroup.iter().map(|path| format!("--cgroup={path}")).collect(),
            patterns("image", &self.image),
            patterns("unit", &self.unit),
            patterns("comm", &self.comm),
            numbers("uid", &self.uid),
            patterns("sender", &self.sender),
            self.cause.iter().flat_map(|causes| &causes.0).map(cause).collect(),
        ]
        .concat()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[test]
    fn what_is_handed_on_as_arguments_is_the_same() {
        #[derive(Parser)]
        struct Options {
            #[command(flatten)]
            select: Select,
        }
        let all = [
            "--container=w*",
            "--container=-x",
            "--namespace=shop",
            "--pod=shop/web-?",
            "--label=a",
            "--label=b=c=d",
            "--pid=7",
            "--cgroup=/a b",
            "--image=app:1",
            "--unit=ssh.service",
            "--comm=java",
            "--uid=0",
            "--sender=kernel",
            "--cause=oom",
        ];
        let parse = |arguments: &[String]| {
            let words = std::iter::once("x".to_owned()).chain(arguments.iter().cloned());
            Options::try_parse_from(words).map(|options| options.select).unwrap_or_else(|error| panic!("{error}"))
        };
        let first = parse(&all.map(str::to_owned));
        let again = parse(&first.arguments());
        assert_eq!(format!("{:?}", again.filter()), format!("{:?}", first.filter()));
        assert!(again.filter().causes.len() > 1);
    }
}
