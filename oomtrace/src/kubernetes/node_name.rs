//! What this node is called in the cluster: by default as its host, but a kubelet may be given another name (`--hostname-override`).

use kube::Client;
use serde::Deserialize;

use crate::kubernetes::Options;
use crate::kubernetes::api::{self, List};

/// Nodes that are asked for at a time, and how often: it is the first of them on most that have a kubeconfig at hand.
const PAGE: usize = 10;
const PAGES: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Node {
    metadata: Metadata,
    status: Status,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Metadata {
    name: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status {
    node_info: Info,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Info {
    #[serde(rename = "bootID")]
    boot_id: String,
}

/// The name that is given; else that of the host, if there is such a node; else that of the node that runs since the same boot.
///
/// # Errors
/// When the API does not say, in words.
pub async fn find(client: &Client, options: &Options) -> Result<String, String> {
    if let Some(name) = &options.node {
        return Ok(name.clone());
    }
    let host: Option<Node> = api::get(client, &format!("/api/v1/nodes/{}", options.host), None).await?;
    let is_this = |node: &Node| options.boot_id.as_ref().is_some_and(|boot| node.status.node_info.boot_id == *boot);
    // A node without a status has just begun.
    if host.is_some_and(|node| is_this(&node) || node.status.node_info.boot_id.is_empty() || options.boot_id.is_none())
    {
        return Ok(options.host.clone());
    }
    let mut from = String::new();
    for _ in 0..PAGES {
        let path = format!("/api/v1/nodes?limit={PAGE}{from}");
        let list: List<Node> = api::get(client, &path, None).await?.unwrap_or_default();
        let rest = list.rest().map(|token| format!("&continue={token}"));
        if let Some(node) = list.items.into_iter().find(is_this) {
            return Ok(node.metadata.name);
        }
        match rest {
            Some(rest) => from = rest,
            None => break,
        }
    }
    Err(format!("no node is called {} or runs since this boot; NODE_NAME names this one", options.host))
}
