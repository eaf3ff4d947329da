//! Rows of what many incidents share: places and processes, as far as filters ask about them.

use rusqlite::{Connection, OptionalExtension as _, Row, params};

use crate::model::{Container, Incident, Pod, Process, Runtime};
use crate::store::Identity;

/// Where a victim was.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    pub node: Option<String>,
    pub unit: Option<String>,
    /// The victim's memory cgroup, where the kernel has said it.
    pub memory_cgroup: Option<String>,
    pub container: Option<Container>,
}

/// What a filter asks of a container, and no more.
fn lean(container: &Container) -> Container {
    let pod = container.pod.as_ref();
    Container {
        id: container.id.clone(),
        name: container.name.clone(),
        runtime: container.runtime,
        image: container.image.clone(),
        pod: pod.map(|pod| Pod { name: pod.name.clone(), namespace: pod.namespace.clone(), ..Pod::default() }),
        labels: container.labels.clone(),
        confirmed: container.confirmed,
        outer: container.outer.as_deref().map(|outer| Box::new(lean(outer))),
        ..Container::default()
    }
}

/// FNV-1a: to find a row by, which is then compared.
fn hash(text: &str) -> i64 {
    let hash = text
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash.cast_signed()
}

impl Place {
    pub fn of(incident: &Incident) -> Self {
        let memory = incident.memory.as_ref().and_then(|memory| memory.levels.first());
        Self {
            node: incident.node.clone(),
            unit: incident.unit.clone(),
            memory_cgroup: memory.map(|level| level.path.clone()),
            container: incident.container.as_ref().map(lean),
        }
    }

    /// Columns of a query that [`Self::read`] takes, from `place`.
    pub const COLUMNS: &'static str =
        "node, unit, memory_cgroup, container, name, runtime, image, namespace, pod, confirmed, labels, around";

    /// From [`Self::COLUMNS`], of which the first is number `first`.
    pub fn read(row: &Row<'_>, first: usize) -> rusqlite::Result<Self> {
        let text = |at: usize| row.get::<_, Option<String>>(first + at);
        let (namespace, pod_name) = (text(7)?, text(8)?);
        let is_in_pod = namespace.is_some() || pod_name.is_some();
        let container = match text(3)? {
            Some(id) => Some(Container {
                id,
                name: text(4)?,
                runtime: text(5)?.as_deref().and_then(runtime),
                image: text(6)?,
                pod: is_in_pod.then(|| Pod { name: pod_name, namespace, ..Pod::default() }),
                confirmed: row.get::<_, Option<bool>>(first + 9)?.unwrap_or(true),
                labels: text(10)?.and_then(|json| serde_json::from_str(&json).ok()),
                outer: text(11)?.and_then(|json| serde_json::from_str(&json).ok()),
                ..Container::default()
            }),
            None => None,
        };
        Ok(Self { node: text(0)?, unit: text(1)?, memory_cgroup: text(2)?, container })
    }

    /// Its row, made where there is none yet.
    pub fn row(&self, db: &Connection) -> rusqlite::Result<i64> {
        let container = self.container.as_ref();
        let pod = container.and_then(|container| container.pod.as_ref());
        let as_json = |value: serde_json::Result<String>| value.ok();
        let labels = container.and_then(|container| as_json(serde_json::to_string(container.labels.as_ref()?)));
        let around = container.and_then(|container| as_json(serde_json::to_string(container.outer.as_ref()?)));
        let values = (
            [&self.node, &self.unit, &self.memory_cgroup],
            [container.map(|c| c.id.as_str()), container.and_then(|c| c.name.as_deref())],
            [container.and_then(|c| c.runtime).map(Runtime::name), container.and_then(|c| c.image.as_deref())],
            [pod.and_then(|pod| pod.namespace.as_deref()), pod.and_then(|pod| pod.name.as_deref())],
            [labels.as_deref(), around.as_deref()],
        );
        let hash = hash(&format!("{values:?}"));
        let confirmed = container.map(|container| container.confirmed);
        let values = params![
            hash,
            self.node,
            self.unit,
            self.memory_cgroup,
            values.1[0],
            values.1[1],
            values.2[0],
            values.2[1],
            values.3[0],
            values.3[1],
            confirmed,
            labels,
            around
        ];
        let found = db
            .prepare_cached(
                "SELECT id FROM place WHERE hash = ?1 AND node IS ?2 AND unit IS ?3 AND memory_cgroup IS ?4 AND container IS ?5
                 AND name IS ?6 AND runtime IS ?7 AND image IS ?8 AND namespace IS ?9 AND pod IS ?10 AND confirmed IS ?11
                 AND labels IS ?12 AND around IS ?13",
            )?
            .query_row(values, |row| row.get(0))
            .optional()?;
        if let Some(id) = found {
            return Ok(id);
        }
        db.prepare_cached(
            "INSERT INTO place(hash, node, unit, memory_cgroup, container, name, runtime, image, namespace, pod, confirmed, labels, around)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)",
        )?
        .insert(values)
    }
}

fn runtime(name: &str) -> Option<Runtime> {
    serde_json::from_value(name.into()).ok()
}

/// A value that a process does not have.
const UNKNOWN_UID: i64 = -1;

/// The row of what filters know of a process, made where there is none yet.
pub fn process_row(db: &Connection, process: &Process) -> rusqlite::Result<i64> {
    let uid = process.uid.map_or(UNKNOWN_UID, i64::from);
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let values = params![process.comm, text(&process.exe), uid, text(&process.cgroup)];
    let found = db
        .prepare_cached("SELECT id FROM process WHERE comm = ?1 AND exe = ?2 AND uid = ?3 AND cgroup = ?4")?
        .query_row(values, |row| row.get(0))
        .optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    db.prepare_cached("INSERT INTO process(comm, exe, uid, cgroup) VALUES (?1, ?2, ?3, ?4)")?.insert(values)
}

/// A process as far as its row goes: `comm, exe, uid, cgroup` from column number `first` on.
pub fn read_process(row: &Row<'_>, first: usize) -> rusqlite::Result<Process> {
    let text = |at: usize| row.get::<_, String>(first + at);
    let some = |text: String| (!text.is_empty()).then_some(text);
    let uid = u32::try_from(row.get::<_, i64>(first + 2)?).ok();
    Ok(Process { comm: text(0)?, exe: some(text(1)?), uid, cgroup: some(text(3)?), ..Process::default() })
}

/// The row of an identity, made where there is none yet.
pub fn who_row(db: &Connection, identity: &Identity) -> rusqlite::Result<i64> {
    let found = who(db, identity)?;
    match found {
        Some(id) => Ok(id),
        None => db
            .prepare_cached("INSERT INTO who(key, name) VALUES (?1, ?2)")?
            .insert(params![identity.key(), identity.name()]),
    }
}

/// The row of an identity.
pub fn who(db: &Connection, identity: &Identity) -> rusqlite::Result<Option<i64>> {
    db.prepare_cached("SELECT id FROM who WHERE key = ?1")?.query_row([identity.key()], |row| row.get(0)).optional()
}

/// The identity whose row that is.
pub fn identity(db: &Connection, who: i64) -> rusqlite::Result<Identity> {
    let read = |row: &Row<'_>| Ok(Identity::kept(row.get(0)?, row.get(1)?));
    db.prepare_cached("SELECT key, name FROM who WHERE id = ?1")?.query_row([who], read)
}

/// The row of a word, made where there is none yet.
pub fn word_row(db: &Connection, word: &str) -> rusqlite::Result<i64> {
    let found =
        db.prepare_cached("SELECT id FROM word WHERE word = ?1")?.query_row([word], |row| row.get(0)).optional()?;
    match found {
        Some(id) => Ok(id),
        None => db.prepare_cached("INSERT INTO word(word) VALUES (?1)")?.insert([word]),
    }
}
