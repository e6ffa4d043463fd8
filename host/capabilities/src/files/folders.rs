//! The granted folders for guests that use WASI's own files (`std::fs`).
//!
//! They are entered where it may block, behind the places of the plugin: a file system that hangs before the run holds up its own plugin
//! only. A folder that cannot be entered, or with a `proc` below it, is not shown to the guest; the log says why.
//!
//! Limits: what goes on in them is WASI's. It stays below the folder, and changes nothing in one that is granted `ro`; calls and bytes
//! are not counted, no secret is looked for, and a call that blocks (a FIFO, a file system that hangs) keeps a thread until it lets go, also
//! after the run. A `proc` that is mounted while the run goes on is not seen.
//!
//! Invariant: no guest is shown a folder from which a `proc` could be reached when its run began.

use std::sync::Arc;

use sickbay_runtime::Folder;
use tokio::time::Instant;

use super::client::Reader;
use super::grant::{Grant, Mode};
use super::policy::{Access, authorise};
use super::walk;

impl Reader {
    pub(crate) async fn folders(&self, plugin: &Arc<str>, grants: &[Grant], deadline: Instant) -> Vec<Folder> {
        if grants.is_empty() {
            return Vec::new();
        }
        let grants = grants.to_vec();
        let entered =
            self.run(plugin, deadline, move |_| Ok(grants.iter().filter_map(|grant| enter(&grants, grant)).collect::<Vec<_>>())).await;
        entered.unwrap_or_else(|trouble| {
            tracing::warn!(plugin = &**plugin, "no granted folder can be shown to this run: {trouble:?}");
            Vec::new()
        })
    }
}

fn enter(grants: &[Grant], grant: &Grant) -> Option<Folder> {
    let place = authorise(grants, grant.guest.clone(), Access::Read).ok()?;
    match walk::Folder::find(&place) {
        Ok(folder) if folder.shows_processes() => {
            tracing::warn!(
                host = %grant.host.display(),
                "a granted folder is not shown to a plugin that uses WASI's own files: a `proc` is below it, where the credentials of \
                 Sickbay itself stand; hint: grant the folders that are meant"
            );
            None
        }
        Ok(folder) => Some(Folder { directory: folder.into_fd(), guest: grant.guest.to_string(), writable: grant.mode == Mode::ReadWrite }),
        Err(trouble) => {
            tracing::debug!(host = %grant.host.display(), "a granted folder cannot be shown: {trouble:?}");
            None
        }
    }
}
