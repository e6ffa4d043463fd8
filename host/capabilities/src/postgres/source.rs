//! The sources that the operator configured, each with its connections.
//!
//! A connection is not shared: each is one call's at a time, and kept for the next one when it came through. One that was cut off is
//! closed. A check gets the one that it had last, where its statements are planned, else one of its thread, else any; what nobody needed
//! for a while is closed.
//!
//! Invariant: a source has at most `connections_max` connections, in use and kept together.
//! Invariant: only a call that ended in good order gives its connection back; dropping a call closes it.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_rustls::TlsConnector;

use super::dial;
use super::failure::Failure;
use super::session::Session;
use super::settings::{Access, Address, CONNECTIONS_MOST, Encryption, Manner, PostgresSettings};
use super::types::{Oid, Type};
use super::wire::Stream;
use crate::dns::Resolver;
use crate::material::Material;
use crate::places::{self, Places};
use crate::services::ServicesError;
use crate::source::{self, FlawedFile, SourceKind, SystemRoots, lock};

/// A connection that nobody needed for so long is closed.
const KEPT_MAX: Duration = Duration::from_secs(60);
/// Types of one server that are remembered.
const TYPES_MAX: usize = 1024;

/// All sources, by name.
pub(crate) type Sources = source::Sources<Source>;

#[cfg(test)]
impl Sources {
    /// One source whose connections are closed sooner.
    pub(super) fn keeping_for(name: &str, settings: PostgresSettings, kept_max: Duration) -> Sources {
        let material = Material::of(Source::files(&settings));
        let source = Source::new(name, settings, material, kept_max, &source::system_roots()).expect("a source");
        Sources { by_name: [(name.to_owned(), Arc::new(source))].into() }
    }
}

impl PostgresSettings {
    /// What is wrong with the files that the URL names, as far as they are used.
    pub fn flawed_files(&self) -> Vec<FlawedFile> {
        let endpoint = &self.endpoint;
        if endpoint.encryption == Encryption::Never || matches!(endpoint.address, Address::Unix { .. }) {
            return Vec::new();
        }
        let is_judged = matches!(endpoint.encryption, Encryption::Issuer | Encryption::IssuerAndName);
        source::flawed_files(endpoint.ca_file.as_deref().filter(|_| is_judged), endpoint.client_certificate.as_ref())
    }
}

/// One source.
pub(crate) struct Source {
    pub(super) name: String,
    pub(super) settings: PostgresSettings,
    /// What `connector` was made of.
    material: Material,
    connector: Option<TlsConnector>,
    /// One for each connection that may be in use.
    places: Arc<Places>,
    kept: Mutex<Kept>,
    kept_max: Duration,
    /// That the server knows and we do not.
    types: Mutex<HashMap<Oid, Type>>,
}

#[derive(Default)]
struct Kept {
    /// The one that was used last stands last.
    sessions: Vec<Resting>,
    /// Ends when there is nothing left to close.
    closer: Option<JoinHandle<()>>,
    /// Nothing is kept any more: other settings took the place of these.
    is_retired: bool,
}

struct Resting {
    session: Session,
    since: Instant,
}

impl Drop for Source {
    fn drop(&mut self) {
        if let Some(closer) = self.kept().closer.take() {
            closer.abort();
        }
    }
}

impl SourceKind for Source {
    type Settings = PostgresSettings;

    fn make(name: &str, settings: PostgresSettings, material: Material, system: &SystemRoots) -> Result<Source, ServicesError> {
        Source::new(name, settings, material, KEPT_MAX, system)
    }

    fn settings(&self) -> &PostgresSettings {
        &self.settings
    }

    fn material(&self) -> &Material {
        &self.material
    }

    fn files(settings: &PostgresSettings) -> Vec<&Path> {
        settings.endpoint.certificate_files().chain(settings.endpoint.key_file()).collect()
    }

    /// Closes what is kept; what is in use is closed when it comes back.
    fn retire(&self) {
        let mut kept = self.kept();
        kept.is_retired = true;
        kept.sessions.clear();
    }
}

impl Source {
    fn new(
        name: &str,
        settings: PostgresSettings,
        material: Material,
        kept_max: Duration,
        system: &SystemRoots,
    ) -> Result<Source, ServicesError> {
        for parameter in settings.endpoint.ignored() {
            tracing::warn!(source = name, parameter, "a parameter in the source's `url` has no meaning here");
        }
        Ok(Source {
            name: name.to_owned(),
            material,
            connector: dial::connector(name, &settings.endpoint, system)?,
            places: Arc::new(Places::new(places(&settings))),
            kept: Mutex::default(),
            kept_max,
            types: Mutex::default(),
            settings,
        })
    }

    pub(super) fn access(&self) -> Access {
        self.settings.access
    }

    pub(super) fn manner(&self) -> Manner {
        self.settings.manner()
    }

    /// For a call whose time went by in our own queue.
    pub(super) fn crowded(&self, waited: Duration, whole: Duration) -> Failure {
        Failure::Quota(self.places.crowded("postgres", &self.name, waited, whole))
    }

    pub(super) fn known_type(&self, oid: Oid) -> Option<Type> {
        lock(&self.types).get(&oid).cloned()
    }

    pub(super) fn learn_types(&self, learnt: impl IntoIterator<Item = (Oid, Type)>) {
        let mut types = lock(&self.types);
        if types.len() >= TYPES_MAX {
            types.clear();
        }
        types.extend(learnt.into_iter().take(TYPES_MAX));
    }

    /// The server is not the one that these were connected to any more.
    pub(super) fn close_kept(&self) {
        self.kept().sessions.clear();
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        lock(&self.kept)
    }

    /// The one that this check had, or one of this thread, or any.
    fn take(&self, check: &str) -> Option<Session> {
        let here = Handle::current().id();
        let mut kept = self.kept();
        let own = kept.sessions.iter().rposition(|resting| resting.session.is_of(check));
        let near = || kept.sessions.iter().rposition(|resting| resting.session.is_driven_by(here));
        let at = own.or_else(near).or_else(|| kept.sessions.len().checked_sub(1))?;
        Some(kept.sessions.remove(at).session)
    }

    /// The caller holds a place, and will have a connection more than there are.
    fn make_room(&self) {
        let in_use = self.places.in_use();
        let mut kept = self.kept();
        if in_use + kept.sessions.len() > places(&self.settings) {
            kept.sessions.remove(0);
        }
    }

    fn keep(self: &Arc<Source>, session: Session) {
        let mut kept = self.kept();
        if kept.is_retired {
            return;
        }
        kept.sessions.push(Resting { session, since: Instant::now() });
        if kept.closer.as_ref().is_none_or(JoinHandle::is_finished) {
            kept.closer = Some(tokio::spawn(close_in_time(Arc::downgrade(self), self.kept_max)));
        }
    }

    /// Closes what is no longer needed; gives when the next one is due.
    fn close_old(&self) -> Option<Instant> {
        let mut kept = self.kept();
        kept.sessions.retain(|resting| resting.since.elapsed() < self.kept_max);
        let oldest = kept.sessions.iter().map(|resting| resting.since).min();
        if oldest.is_none() {
            kept.closer = None;
        }
        oldest.map(|since| since + self.kept_max)
    }
}

fn places(settings: &PostgresSettings) -> usize {
    usize::try_from(settings.connections_max.clamp(1, CONNECTIONS_MOST)).unwrap_or(1)
}

async fn close_in_time(source: Weak<Source>, kept_max: Duration) {
    sleep(kept_max).await;
    // The source is held no longer than it is looked at.
    while let Some(due) = source.upgrade().and_then(|source| source.close_old()) {
        sleep(due.saturating_duration_since(Instant::now()).max(Duration::from_millis(1))).await;
    }
}

/// Where a connection came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    /// From an earlier call: the server may have closed it meanwhile.
    Kept,
    Dialled,
}

/// What a call will do with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Any,
    Dialled,
}

/// For whom a connection is.
#[derive(Clone, Copy)]
pub(super) struct Who<'call> {
    pub(super) check: &'call Arc<str>,
    pub(super) plugin: &'call Arc<str>,
    pub(super) resolver: &'call Resolver,
}

/// The right to one connection, for one call and what it leaves at the server.
pub(super) struct Place {
    source: Arc<Source>,
    /// For the place.
    pub(super) waited: Duration,
    _place: places::Place,
}

impl Place {
    pub(super) async fn take(source: &Arc<Source>, check: &Arc<str>, deadline: Instant) -> Result<Arc<Place>, Failure> {
        let began = Instant::now();
        match timeout_at(deadline, source.places.take(check)).await {
            Ok(Some(place)) => Ok(Arc::new(Place { source: Arc::clone(source), waited: began.elapsed(), _place: place })),
            Ok(None) => Err(Failure::Quota("the host is shutting down".to_owned())),
            Err(_) => Err(source.crowded(began.elapsed(), deadline.saturating_duration_since(began))),
        }
    }

    pub(super) fn source_name(&self) -> &str {
        &self.source.name
    }

    /// A connection that is clean and, as far as is known, alive.
    pub(super) async fn connect(
        &self,
        wanted: Wanted,
        who: Who<'_>,
        began: Instant,
        deadline: Instant,
    ) -> Result<(Session, Origin), Failure> {
        while wanted == Wanted::Any
            && let Some(mut session) = self.source.take(who.check)
        {
            let is_here = session.wire().move_here().is_ok();
            let is_clean = is_here && matches!(timeout_at(deadline, session.pass_to(who.check)).await, Ok(Ok(())));
            if is_clean && session.wire().is_quiet().await {
                return Ok((session, Origin::Kept));
            }
        }
        self.source.make_room();
        match timeout_at(deadline, self.dial(who, deadline)).await {
            Ok(session) => Ok((session.map_err(|failure| failure.of_source(&self.source.name))?, Origin::Dialled)),
            Err(_) => {
                let (name, ms) = (&self.source.name, deadline.saturating_duration_since(began).as_millis());
                Err(Failure::Timeout(format!("no connection to the server of source `{name}` within {ms} ms")))
            }
        }
    }

    /// To the server, which has not been greeted.
    pub(super) async fn stream(&self, who: Who<'_>, deadline: Instant) -> Result<Stream, Failure> {
        let Source { settings, connector, .. } = &*self.source;
        dial::dial(&settings.endpoint, connector.as_ref(), who.resolver, who.plugin, deadline).await
    }

    pub(super) async fn dial(&self, who: Who<'_>, deadline: Instant) -> Result<Session, Failure> {
        let Source { name, settings, .. } = &*self.source;
        let (endpoint, manner) = (&settings.endpoint, settings.manner());
        let stream = self.stream(who, deadline).await?;
        let may_do_without = endpoint.encryption == Encryption::Preferred && matches!(stream, Stream::Encrypted(_));
        let refused = match Session::enter(stream, name, endpoint, manner, who.check).await {
            Err(refused @ Failure::NotAdmitted(_)) if may_do_without => refused,
            entered => return entered,
        };
        // A server may let this source in without TLS alone (`hostnossl`). As libpq does, but not for a password that was refused.
        let stream = dial::dial(endpoint, None, who.resolver, who.plugin, deadline).await?;
        match Session::enter(stream, name, endpoint, manner, who.check).await {
            Err(Failure::NotAdmitted(_)) => Err(refused),
            entered => entered,
        }
    }

    /// For the next call.
    pub(super) fn give_back(self: Arc<Place>, mut session: Session) {
        session.let_go();
        self.source.keep(session);
    }
}
