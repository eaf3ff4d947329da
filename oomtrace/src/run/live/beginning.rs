//! What is true for the whole run, looked up once before it begins.

use oomtrace_common::event::WIRE_VERSION;

use crate::container::clients::Socket;
use crate::model::{Ready, SCHEMA};
use crate::node::clock::boot_now;
use crate::node::identity::Identity;
use crate::node::namespaces;
use crate::probe::hook::Hook;
use crate::probe::load::Probe;
use crate::redact::Privacy;
use crate::resolve::detail::Detail;
use crate::run::recording::Start;

/// See the module's documentation.
///
/// # Errors
/// When the clock cannot be read.
pub fn start(probe: &Probe, sockets: &[Socket], privacy: Privacy, detail: Detail) -> nix::Result<Start> {
    let identity = Identity::read();
    let process_exit = probe.has(Hook::SchedProcessExit);
    let at_exit = process_exit && probe.unneeded.contains(&Hook::SignalDeliver);
    Ok(Start {
        wire_version: WIRE_VERSION,
        page_size: probe.events.page_size() as u64,
        ready: Ready {
            schema: SCHEMA,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            node: identity.node,
            boot_id: identity.boot_id,
            attached: probe.attached.iter().map(|hook| hook.name().to_owned()).collect(),
            missing: probe
                .missing
                .iter()
                .cloned()
                .chain(namespaces::missing())
                .chain(privacy.missing().map(str::to_owned))
                .collect(),
            sandbox: None,
        },
        signal_generate: probe.has(Hook::SignalGenerate),
        mark_victim: probe.has(Hook::MarkVictim),
        process_exit,
        host_mount: namespaces::host_mount(),
        systemd: namespaces::is_booted_by_systemd(),
        // Of those alone whose SIGKILL it has seen.
        reads_victims: probe.has(Hook::SignalGenerate) && (at_exit || probe.has(Hook::SignalDeliver)),
        since: boot_now()?,
        sockets: if probe.has(Hook::UnixConnect) { sockets.to_vec() } else { Vec::new() },
        privacy,
        detail,
    })
}
