//! The sources that the operator configured: how each is reached, and what is known of its server.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use ::redis::cmd;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsConnector;

use super::connection::{Connection, error_of};
use super::dial::{self, Names};
use super::failure::Failure;
use super::pool::{Pool, Target};
use super::settings::{Address, Endpoint, RedisSettings, Topology};
use super::table::CommandTable;
use crate::contract::redis::Node;
use crate::material::Material;
use crate::services::ServicesError;
use crate::source::{self, FlawedFile, SourceKind, SystemRoots, lock};

/// All sources, by name.
pub(crate) type Sources = source::Sources<Source>;

impl RedisSettings {
    /// What is wrong with the files that are named, as far as they are used.
    pub fn flawed_files(&self) -> Vec<FlawedFile> {
        if !self.is_encrypted() {
            return Vec::new();
        }
        source::flawed_files(self.ca_file.as_deref(), self.client_certificate.as_ref())
    }
}

/// One source.
pub(crate) struct Source {
    name: String,
    pub(super) settings: RedisSettings,
    pub(super) pool: Pool,
    /// What `connector` was made of.
    material: Material,
    connector: Option<TlsConnector>,
    learnt: Mutex<Option<Arc<Learnt>>>,
    /// In a cluster: where slots were last.
    slots: Mutex<HashMap<u16, Address>>,
}

/// What a server said of its commands, and when.
pub(super) struct Learnt {
    pub(super) table: CommandTable,
    pub(super) at: Instant,
}

impl SourceKind for Source {
    type Settings = RedisSettings;

    fn make(name: &str, settings: RedisSettings, material: Material, system: &SystemRoots) -> Result<Source, ServicesError> {
        let connector = settings.is_encrypted().then(|| dial::connector(name, &settings, system)).transpose()?;
        Ok(Source {
            name: name.to_owned(),
            pool: Pool::new(settings.connections_max),
            settings,
            material,
            connector,
            learnt: Mutex::default(),
            slots: Mutex::default(),
        })
    }

    fn settings(&self) -> &RedisSettings {
        &self.settings
    }

    fn material(&self) -> &Material {
        &self.material
    }

    fn files(settings: &RedisSettings) -> Vec<&Path> {
        let own = settings.client_certificate.iter().flat_map(|own| [own.cert_file.as_path(), own.key_file.as_path()]);
        settings.ca_file.as_deref().into_iter().chain(own).collect()
    }

    fn retire(&self) {
        self.pool.retire();
    }
}

impl Source {
    pub(super) fn is_cluster(&self) -> bool {
        self.settings.topology == Topology::Cluster
    }

    pub(super) fn learnt(&self) -> Option<Arc<Learnt>> {
        lock(&self.learnt).clone()
    }

    pub(super) fn learn(&self, table: CommandTable) -> Arc<Learnt> {
        let learnt = Arc::new(Learnt { table, at: Instant::now() });
        *lock(&self.learnt) = Some(Arc::clone(&learnt));
        learnt
    }

    /// Where a slot was last; the URL's node where that is not known.
    pub(super) fn node_of(&self, slot: Option<u16>) -> Target {
        let address = slot.and_then(|slot| lock(&self.slots).get(&slot).cloned());
        address.map_or(Target::Home, Target::Node)
    }

    pub(super) fn slot_is_at(&self, slot: u16, address: Address) {
        lock(&self.slots).insert(slot, address);
    }

    /// A node that cannot be reached is asked for nothing any more, until the cluster names it again.
    pub(super) fn node_is_gone(&self, address: &Address) {
        lock(&self.slots).retain(|_, at| *at != *address);
    }

    /// A new connection, ready for commands.
    pub(super) async fn open(&self, target: &Target, names: &Names, deadline: Instant) -> Result<Connection, Failure> {
        self.open_to(target, names, deadline).await.map_err(|failure| failure.of_source(&self.name))
    }

    async fn open_to(&self, target: &Target, names: &Names, deadline: Instant) -> Result<Connection, Failure> {
        let endpoint = &self.settings.endpoint;
        match (target, &self.settings.topology) {
            (Target::Node(address), _) => {
                let opened = self.open_at(address, endpoint, names, deadline).await;
                if opened.is_err() {
                    self.node_is_gone(address);
                }
                opened
            }
            (Target::Home, Topology::Sentinels(sentinels)) => self.open_master(sentinels, names, deadline).await,
            (Target::Home, Topology::Server | Topology::Cluster) => self.open_at(&endpoint.address, endpoint, names, deadline).await,
        }
    }

    async fn open_at(&self, address: &Address, endpoint: &Endpoint, names: &Names, deadline: Instant) -> Result<Connection, Failure> {
        let connector = match (endpoint.encrypted, &self.connector) {
            (false, _) => None,
            (true, Some(connector)) => Some(connector),
            (true, None) => return Err(Failure::Other("the source has no TLS set up".to_owned())),
        };
        let wire = dial::dial(address, connector, names, deadline).await?;
        let mut connection = Connection::new(wire);
        connection.greet(endpoint).await?;
        Ok(connection)
    }

    /// Asks one sentinel after the other where the master is; each but the last gets its share of the time that is left.
    async fn open_master(&self, sentinels: &[Endpoint], names: &Names, deadline: Instant) -> Result<Connection, Failure> {
        let mut last = Failure::Connect("the source has no sentinels".to_owned());
        for (index, sentinel) in sentinels.iter().enumerate() {
            let left = u32::try_from(sentinels.len() - index).unwrap_or(u32::MAX);
            let share = deadline.saturating_duration_since(Instant::now()) / left;
            last = match timeout(share, self.open_by(sentinel, names, deadline)).await {
                Ok(Ok(connection)) => return Ok(connection),
                Ok(Err(failure)) => failure,
                Err(_) => Failure::Timeout("no sentinel led to the master in time".to_owned()),
            };
        }
        Err(last)
    }

    async fn open_by(&self, sentinel: &Endpoint, names: &Names, deadline: Instant) -> Result<Connection, Failure> {
        let endpoint = &self.settings.endpoint;
        let mut asked = self.open_at(&sentinel.address, sentinel, names, deadline).await?;
        let question = cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(endpoint.host()).get_packed_command();
        let answer = asked.ask(&question).await?;
        drop(asked);
        let address = master_of(&answer).ok_or_else(|| {
            Failure::Connect("no sentinel knows the master; hint: the host of the source's `url` is the master's name".to_owned())
        })?;
        let mut connection = self.open_at(&address, endpoint, names, deadline).await?;
        // A sentinel may not know yet that another is the master now.
        let role = connection.ask(&cmd("ROLE").get_packed_command()).await?;
        match role.get(1) {
            Some(Node::Bulk(word)) if word == b"master" => Ok(connection),
            // A user that may not ask for the role: the sentinel is taken at its word.
            None if error_of(&role).is_some() => Ok(connection),
            _ => Err(Failure::Connect("the server that the sentinels name is no master".to_owned())),
        }
    }
}

/// Host and port, as a sentinel tells them.
fn master_of(answer: &[Node]) -> Option<Address> {
    match answer {
        [Node::ArrayOf(2), Node::Bulk(host), Node::Bulk(port)] => {
            let host = std::str::from_utf8(host).ok()?.to_owned();
            Some(Address::Tcp { host, port: std::str::from_utf8(port).ok()?.parse().ok()? })
        }
        _ => None,
    }
}
