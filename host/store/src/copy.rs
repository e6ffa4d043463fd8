//! Moving from one store to another, for example from SQLite to PostgreSQL.
//!
//! Invariant: results, and documents that were announced, keep their numbers, so whoever follows the events, or holds a cursor, sees no difference.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use sickbay_core::Timestamp;

use crate::{Change, Committed, Kind, Page, PluginStates, ResultRecord, Store, StoreError};

/// Results in one transaction.
const PAGE_LEN: u32 = 1_000;

/// How far a copy has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CopyProgress {
    /// Results so far.
    pub copied: u64,
    /// Of the numbers that are kept; those of results that were pruned are passed over.
    pub percent: u64,
}

/// Whether a store never had a result, and has no document.
pub async fn is_empty(store: &dyn Store) -> Result<bool, StoreError> {
    if store.bounds().await? != (None, 0) {
        return Ok(false);
    }
    for kind in Kind::ALL {
        if !store.documents(Page { kind, parent: None, before: None, limit: 1 }).await?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Copies all that `from` keeps to `to`, which must be empty ([`is_empty`]); gives how many results that were. Nobody writes to either
/// meanwhile. A copy that ended with an error is begun again with an empty store. `told` is called after each transaction.
pub async fn copy(from: &dyn Store, to: &dyn Store, told: &mut (dyn FnMut(CopyProgress) + Send)) -> Result<u64, StoreError> {
    if !is_empty(to).await? {
        return Err(StoreError::NotEmpty);
    }
    let (first, end) = from.bounds().await?;
    let before = first.unwrap_or(1).saturating_sub(1);
    let newest: HashSet<u64> = from.last().await?.iter().map(|last| last.seq).collect();
    let mut states = from.plugin_states().await?;
    let (mut copied, mut after) = (0, 0);
    loop {
        let mut page = from.events(after, PAGE_LEN).await?;
        let Some(last) = page.last() else { break };
        after = last.seq;
        copied += page.len() as u64;
        for committed in &mut page {
            // What a plugin keeps is written with a result: with the newest of its check.
            if newest.contains(&committed.seq) {
                keep_state(committed, &mut states);
            }
        }
        to.restore(&page).await?;
        told(CopyProgress { copied, percent: percent(after.saturating_sub(before), end.saturating_sub(before)) });
    }
    copy_documents(from, to).await?;
    copy_announced(from, to, end).await?;
    Ok(copied)
}

async fn copy_documents(from: &dyn Store, to: &dyn Store) -> Result<(), StoreError> {
    for kind in Kind::ALL {
        let mut before: Option<(Timestamp, String)> = None;
        loop {
            let behind = before.as_ref().map(|(at, id)| (*at, id.as_str()));
            let page = from.documents(Page { kind, parent: None, before: behind, limit: PAGE_LEN }).await?;
            let Some(last) = page.last() else { break };
            before = Some((last.at, last.id.clone()));
            let changes: Vec<Change> = page.into_iter().map(Change::Put).collect();
            to.commit(&[], &changes).await?;
        }
    }
    Ok(())
}

/// The numbers of documents, and the highest that was given, whatever has become of it.
async fn copy_announced(from: &dyn Store, to: &dyn Store, highest: u64) -> Result<(), StoreError> {
    let mut after = 0;
    loop {
        let page = from.announced(after, PAGE_LEN).await?;
        to.restore_announced(&page, highest).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = last.seq;
    }
}

fn percent(part: u64, whole: u64) -> u64 {
    u64::try_from(u128::from(part) * 100 / u128::from(whole.max(1))).map_or(100, |percent| percent.min(100))
}

fn keep_state(committed: &mut Committed, states: &mut PluginStates) {
    let state: Option<BTreeMap<String, Vec<u8>>> = states.remove(&*committed.record.check);
    if let Some(state) = state {
        let record = ResultRecord { plugin_state: Some(Arc::new(state)), ..ResultRecord::clone(&committed.record) };
        committed.record = Arc::new(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        conformance::{self, record, shared},
        sqlite,
    };

    #[tokio::test]
    async fn a_store_can_be_copied() {
        let (from, to) = (sqlite::open_memory().await.unwrap(), sqlite::open_memory().await.unwrap());
        conformance::a_copy_has_the_same_results_numbers_and_values(&from, &to).await;
    }

    #[tokio::test]
    async fn a_store_of_documents_alone_can_be_copied() {
        let (from, to) = (sqlite::open_memory().await.unwrap(), sqlite::open_memory().await.unwrap());
        conformance::a_copy_of_documents_alone_has_all_of_them(&from, &to).await;
    }

    #[tokio::test]
    async fn how_far_it_is_is_told_after_each_transaction() {
        let (from, to) = (sqlite::open_memory().await.unwrap(), sqlite::open_memory().await.unwrap());
        let len = u64::from(PAGE_LEN) + 500;
        let records = (1..=len).map(|number| record("api", number)).collect();
        from.write(&shared(records)).await.unwrap();
        let mut told = Vec::new();
        assert_eq!(copy(&from, &to, &mut |progress| told.push((progress.copied, progress.percent))).await.unwrap(), len);
        assert_eq!(told, [(1_000, 66), (1_500, 100)]);
        let empty = (sqlite::open_memory().await.unwrap(), sqlite::open_memory().await.unwrap());
        assert_eq!(copy(&empty.0, &empty.1, &mut |_| panic!("nothing was copied")).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn a_file_that_is_missing_is_not_made_to_copy_from() {
        let folder = tempfile::tempdir().unwrap();
        let open = || crate::open_existing("sqlite:sickbay.db", folder.path());
        let error = open().await.err().unwrap();
        assert!(error.to_string().contains("there is no such file; hint: "), "{error}");
        assert!(!folder.path().join("sickbay.db").exists());
        crate::open("sqlite:sickbay.db", folder.path()).await.unwrap().close().await;
        assert_eq!(open().await.unwrap().bounds().await.unwrap(), (None, 0));
    }

    #[tokio::test]
    async fn a_store_that_ever_had_a_result_is_not_copied_to() {
        let (from, to) = (sqlite::open_memory().await.unwrap(), sqlite::open_memory().await.unwrap());
        to.write(&shared(vec![record("api", 1)])).await.unwrap();
        let error = copy(&from, &to, &mut |_| {}).await.unwrap_err();
        assert!(matches!(error, StoreError::NotEmpty), "{error:?}");
        assert!(error.to_string().contains("hint: "), "{error}");
        assert_eq!(to.bounds().await.unwrap(), (Some(1), 1));
        // Nor one that has documents alone.
        let to = sqlite::open_memory().await.unwrap();
        let (kind, id, parent, at) = (Kind::Silence, "a".to_owned(), String::new(), Timestamp(1));
        let silence = Change::Put(crate::Document { kind, id, parent, at, open: true, body: "{}".to_owned() });
        to.commit(&[], &[silence]).await.unwrap();
        assert!(matches!(copy(&from, &to, &mut |_| {}).await.unwrap_err(), StoreError::NotEmpty));
    }
}
