//! What is done with an input: nothing of it may panic, whoever made the bytes. `cargo fuzz` looks for inputs that do; the
//! ordinary tests run those that it found worth keeping.

use std::io;

use oomtrace::container::runtime::bundle;
use oomtrace::container::runtime::containerd;
use oomtrace::container::runtime::docker;
use oomtrace::container::runtime::docker::events;
use oomtrace::container::runtime::docker::listed;
use oomtrace::container::runtime::lxc;
use oomtrace::container::runtime::oci_state;
use oomtrace::container::runtime::storage;
use oomtrace::event::decode::decode;
use oomtrace::filter::Filter;
use oomtrace::kubernetes::describe;
use oomtrace::kubernetes::object::{PodObject, bare_id};
use oomtrace::kubernetes::pods::Pods;
use oomtrace::model::{Pod, Record};
use oomtrace::node::files;
use oomtrace::node::mounts;
use oomtrace::node::processes;
use oomtrace::node::users;
use oomtrace::redact::Privacy;
use oomtrace::run::recording::Contents;
use oomtrace::run::replay::replay;
use oomtrace::sink::Sink;

/// Puts each record into words, and keeps none.
struct Nowhere;

impl Sink for Nowhere {
    fn put(&mut self, record: &Record) -> io::Result<()> {
        serde_json::to_writer(io::sink(), record)?;
        Ok(())
    }
}

/// An event's bytes, as the ring buffer could hold them.
pub fn event(data: &[u8]) {
    _ = decode(data, 4096);
}

/// A command line, an argument a line, and an event's bytes: what is masked is no longer an argument, and still an event.
pub fn redact(data: &[u8]) {
    let arguments: Vec<String> =
        data.split(|byte| *byte == b'\n').map(|line| String::from_utf8_lossy(line).into_owned()).collect();
    let count = arguments.len();
    for cut in [false, true] {
        let (masked, _) = Privacy::Masked.cmdline(arguments.clone(), cut);
        assert_eq!(masked.len(), count);
        let (program, _) = Privacy::WithoutArguments.cmdline(arguments.clone(), cut);
        assert!(program.len() <= 1);
    }
    for privacy in [Privacy::Masked, Privacy::WithoutArguments] {
        let event = privacy.event(data);
        assert_eq!(decode(data, 4096).is_ok(), decode(&event, 4096).is_ok());
    }
}

/// A recording's bytes. What can be read is judged.
pub fn file(data: &[u8]) {
    if let Ok(contents) = Contents::parse(data) {
        _ = replay(contents, &Filter::default(), &mut Nowhere);
    }
}

/// A recording whose frames are framed as they should be, which no fuzzer finds by itself because of the check sums: what
/// they hold is the input's. A frame in the input: its kind, two bytes of length, and its payload.
pub fn steps(data: &[u8]) {
    let mut bytes = START.to_vec();
    let mut rest = data;
    while let [kind, low, high, after @ ..] = rest {
        let len = usize::from(u16::from_le_bytes([*low, *high])).min(after.len());
        let (payload, after) = after.split_at(len);
        bytes.extend(frame(*kind, payload));
        rest = after;
    }
    file(&bytes);
}

/// A file of the kernel's, a runtime's or a user's, or a daemon's answer: the first byte says which.
pub fn reader(data: &[u8]) {
    let Some((which, data)) = data.split_first() else { return };
    let text = || files::text(data.to_vec());
    match which % 14 {
        0 => _ = bundle::parse(data, Some(1000)),
        1 => _ = oci_state::parse_runc(data),
        2 => _ = oci_state::parse_crun(data, None),
        3 => _ = storage::parse(data, "0"),
        4 => _ = lxc::limits(&text()),
        5 => _ = listed::parse(data),
        6 => _ = docker::inspected::parse("0", data),
        7 => _ = events::parse(data),
        8 => _ = containerd::parse(data),
        9 => _ = files::lines_of(data, u64::MAX, |line| _ = mounts::parse(line)),
        10 => _ = processes::Stat::parse(data),
        11 => _ = processes::arguments(data, false),
        12 => _ = processes::parse_cgroups(data),
        _ => _ = (users::parse(data), users::parse_home(data, 0)),
    }
}

/// A pod as the Kubernetes API has it, which whoever may make pods has written a good part of.
pub fn pod(data: &[u8]) {
    let Ok(object) = serde_json::from_slice::<PodObject>(data) else { return };
    let object = object.trimmed();
    let kill = jiff::Timestamp::UNIX_EPOCH;
    let names =
        object.spec.containers.iter().chain(&object.spec.init_containers).map(|container| container.name.as_str());
    for name in names.map(Some).chain([None]) {
        let id = name
            .and_then(|name| object.status_of(name))
            .and_then(|status| status.container_id.as_deref())
            .map_or("0", bare_id);
        describe::describe(&object, name, id, &mut Pod::default());
        _ = describe::said(&object, name, id, kill);
        _ = name.and_then(|name| describe::end_of(&object, name, id));
    }
    let mut pods = Pods::default();
    pods.apply(object.clone());
    pods.delete(object, kill);
}

/// A frame as `recording` documents it.
fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&[kind]);
    hasher.update(payload);
    let mut bytes = (payload.len() as u32).to_le_bytes().to_vec();
    bytes.push(kind);
    bytes.extend(hasher.finalize().to_le_bytes());
    bytes.extend(payload);
    bytes
}

/// The head of a recording of this version.
const START: &[u8] = include_bytes!("start");
