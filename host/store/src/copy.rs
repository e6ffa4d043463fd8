//! Moving from one store to another, for example from SQLite to PostgreSQL.
//!
//! Invariant: results keep their numbers, so whoever follows the events, or holds a cursor, sees no difference.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use crate::{Committed, PluginStates, ResultRecord, Store, StoreError};

/// Results in one transaction.
const PAGE_LEN: u32 = 1_000;

/// Copies all that `from` keeps to `to`, which must never have had a result; gives how many results that were. Nobody writes to either
/// meanwhile. A copy that ended with an error is begun again with an empty store.
pub async fn copy(from: &dyn Store, to: &dyn Store) -> Result<u64, StoreError> {
    if to.bounds().await? != (None, 0) {
        return Err(StoreError::NotEmpty);
    }
    let newest: HashSet<u64> = from.last().await?.iter().map(|last| last.seq).collect();
    let mut states = from.plugin_states().await?;
    let (mut copied, mut after) = (0, 0);
    loop {
        let mut page = from.events(after, PAGE_LEN).await?;
        let Some(last) = page.last() else { return Ok(copied) };
        after = last.seq;
        copied += page.len() as u64;
        for committed in &mut page {
            // What a plugin keeps is written with a result: with the newest of its check.
            if newest.contains(&committed.seq) {
                keep_state(committed, &mut states);
            }
        }
        to.restore(&page).await?;
    }
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
    async fn a_store_that_ever_had_a_result_is_not_copied_to() {
        let (from, to) = (sqlite::open_memory().await.unwrap(), sqlite::open_memory().await.unwrap());
        to.write(&shared(vec![record("api", 1)])).await.unwrap();
        let error = copy(&from, &to).await.unwrap_err();
        assert!(matches!(error, StoreError::NotEmpty), "{error:?}");
        assert!(error.to_string().contains("hint: "), "{error}");
        assert_eq!(to.bounds().await.unwrap(), (Some(1), 1));
    }
}
