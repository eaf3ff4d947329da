//! Who was connected to runtimes when one of them killed: from raw facts to what the judge chooses from.

use crate::container::clients::{Client, ExistingClient, Seen, Socket};
use crate::event::{BootNs, Connect};
use crate::model::{Login, Process};
use crate::placement::Placement;
use crate::resolve::case::{Contact, RuntimeClient, RuntimeClients};
use crate::resolve::context::{Connections, Context};
use crate::resolve::senders::{describe_ancestors, describe_login};
use crate::resolve::tasks::{describe, locate, show};

/// Everybody who may have asked for a kill at `at`.
pub fn describe_all(at: BootNs, context: &mut Context<'_>) -> RuntimeClients {
    let Connections { clients, sockets, seen, .. } = context.connections;
    let gaps = clients.gaps(at).map(|(from, to)| (before_ms(at, from), before_ms(at, to))).collect();
    let clients = clients
        .by(at)
        .into_iter()
        .filter_map(|client| {
            let socket = usize::try_from(client.socket).ok().and_then(|number| sockets.get(number))?;
            Some(runtime_client(client, socket, at, context))
        })
        .collect();
    RuntimeClients { clients, seen, gaps }
}

/// Who a client is, whatever it was seen by.
struct Known {
    process: Process,
    placement: Placement,
    ancestors: Vec<Process>,
    login: Option<Login>,
}

fn runtime_client(client: &Client, socket: &Socket, at: BootNs, context: &mut Context<'_>) -> RuntimeClient {
    let owner = match &client.seen {
        Seen::Connecting(connect) => connect.listener.map(|listener| listener.uid),
        Seen::ExistingClient(standing) => standing.owner,
    };
    let Known { process, placement, ancestors, login } = match &client.seen {
        Seen::Connecting(connect) => connecting(connect, context),
        Seen::ExistingClient(standing) => self::standing(client, standing, context),
    };
    RuntimeClient {
        process,
        ancestors,
        place: placement.container,
        unit: placement.unit,
        login,
        socket: socket.path.clone(),
        runtime: socket.runtime,
        owner,
        verified: owner.is_some() || !context.connections.verified,
        contacts: contacts(client, at),
        more: client.more,
        stood: client.stood,
        ended_before_ms: client.ended.filter(|ended| *ended <= at).map(|ended| before_ms(at, ended)),
        followed: client.followed,
    }
}

/// Those until `at`, the latest first.
fn contacts(client: &Client, at: BootNs) -> Vec<Contact> {
    let until_then = client.contacts.iter().rev().filter(|contact| contact.at <= at);
    until_then.map(|contact| Contact { before_ms: before_ms(at, contact.at), wrote: contact.wrote }).collect()
}

fn before_ms(at: BootNs, then: BootNs) -> u64 {
    at.saturating_sub(then) / 1_000_000
}

fn connecting(connect: &Connect, context: &mut Context<'_>) -> Known {
    let mut process = describe(&connect.task, context);
    if let Some(cmdline) = &connect.cmdline {
        show(&mut process, cmdline, connect.cmdline_truncated);
    }
    Known {
        process,
        placement: locate(&connect.task, context).1,
        ancestors: describe_ancestors(&connect.ancestors, context),
        login: describe_login(&connect.task, connect.tty.as_ref(), context),
    }
}

fn standing(client: &Client, standing: &ExistingClient, context: &mut Context<'_>) -> Known {
    let details = context.process(client.key, Some(&standing.comm));
    let placement = standing.cgroup.as_deref().map(Placement::parse).unwrap_or_default();
    let user = standing.uid.and_then(|uid| context.facts.user(uid));
    let process = Process {
        pid: standing.pid,
        comm: standing.comm.clone(),
        exe: details.exe,
        cmdline: details.cmdline,
        cmdline_truncated: details.cmdline_truncated,
        uid: standing.uid,
        user: user.filter(|_| placement.container.is_none()),
        started: context.clock.rfc3339(standing.start),
        cgroup: standing.cgroup.clone(),
        ..Process::default()
    };
    Known { process, placement, ancestors: Vec::new(), login: None }
}
