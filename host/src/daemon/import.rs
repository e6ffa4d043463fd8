//! `serve --import-from URL` or `--import-from-file FILE`: all results of another store, its incidents, silences and counts of objectives come into the configured one, before anything runs.
//!
//! Both are opened as by any Sickbay, so none that runs has either. The other one keeps what it has. How far it is is told every
//! [`TOLD_EVERY`], also while a store does not answer.
//!
//! Invariant: results keep their numbers, so states, cursors and streams go on; nothing is imported into a store that ever had a result, or has documents.

use std::time::Duration;

use anyhow::Context;
use sickbay_store::{CopyProgress, Store, StoreError};
use tokio::sync::watch;
use tokio::time::{Instant, interval_at};

use crate::config::{Config, StoreArgument};
use crate::failure::Failure;

const TOLD_EVERY: Duration = Duration::from_secs(5);

const BEGIN_ANEW: &str =
    "empty the store that `[store]` names (`DROP SCHEMA sickbay CASCADE` in PostgreSQL), then start again with `--import-from`";

/// Copies what the store `from` has into that of `config`. A relative path in its URL is one of the configuration's folder, as in `[store]`.
pub async fn import(config: &Config, from: StoreArgument<'_>) -> anyhow::Result<()> {
    if from.shows_password() {
        tracing::warn!(
            "the password in `--import-from` is seen by everybody on this machine; hint: write `${{NAME}}` in its place, or `--import-from-file`"
        );
    }
    let url = from.url()?;
    if url == config.store.url {
        let failure = Failure::usage("`--import-from` names the store that `[store]` names");
        return Err(failure.with_hint("name the one that `[store]` named before").into());
    }
    let from = sickbay_store::open_existing(&url, &config.dir).await.map_err(unopened)?;
    let to = match sickbay_store::open(&config.store.url, &config.dir).await {
        Ok(to) => to,
        Err(error) => {
            from.close().await;
            return Err(error).context("the store cannot be opened");
        }
    };
    let imported = imported(&*from, &*to).await;
    from.close().await;
    to.close().await;
    imported
}

/// What to say where it was stopped on the way.
pub fn interrupted() -> Failure {
    Failure::new("stopped before all results were imported").with_hint(BEGIN_ANEW)
}

fn unopened(error: StoreError) -> anyhow::Error {
    match error {
        StoreError::Address { reason, .. } => {
            Failure::usage(format!("`--import-from` {reason}")).with_hint("for example: --import-from sqlite:sickbay.db").into()
        }
        error => anyhow::Error::from(error).context("the store of `--import-from` cannot be opened"),
    }
}

async fn imported(from: &dyn Store, to: &dyn Store) -> anyhow::Result<()> {
    if sickbay_store::is_empty(from).await.context("the store of `--import-from` cannot be read")? {
        let failure = Failure::usage("the store of `--import-from` has no results, and nothing else");
        return Err(failure.with_hint("name the one that `[store]` named before, or leave `--import-from` out").into());
    }
    tracing::info!("importing results");
    match copied(from, to).await {
        Ok(results) => {
            tracing::info!(results, "all results were imported");
            Ok(())
        }
        Err(StoreError::NotEmpty) => {
            let hint = format!("leave `--import-from` out where they were imported before; else {BEGIN_ANEW}");
            Err(Failure::new("the store that `[store]` names has results or incidents already").with_hint(hint).into())
        }
        Err(error) => Err(anyhow::Error::from(error).context(Failure::new("not all results were imported").with_hint(BEGIN_ANEW))),
    }
}

/// Gives how many results that were.
async fn copied(from: &dyn Store, to: &dyn Store) -> Result<u64, StoreError> {
    let (sender, progress) = watch::channel(CopyProgress::default());
    let mut note = |progress| {
        sender.send_replace(progress);
    };
    let copying = sickbay_store::copy(from, to, &mut note);
    tokio::pin!(copying);
    let mut due = interval_at(Instant::now() + TOLD_EVERY, TOLD_EVERY);
    loop {
        tokio::select! {
            copied = &mut copying => return copied,
            _ = due.tick() => {
                let CopyProgress { copied, percent } = *progress.borrow();
                tracing::info!(results = copied, percent, "importing results");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use sickbay_core::Timestamp;
    use sickbay_store::{Change, Document, Kind};

    use super::*;

    fn config(dir: &std::path::Path) -> Config {
        let path = dir.join("sickbay.toml");
        std::fs::write(&path, "[store]\nurl = \"sqlite:new.db\"\n").expect("the folder is writable");
        crate::config::load(&path).unwrap_or_else(|errors| panic!("{errors}"))
    }

    #[tokio::test]
    async fn a_store_without_results_is_imported_with_what_it_has() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let config = config(dir.path());
        let (kind, id, parent, at) = (Kind::Silence, "a".to_owned(), String::new(), Timestamp(1));
        let silence = Document { kind, id, parent, at, open: true, body: "{}".to_owned() };
        let old = sickbay_store::open("sqlite:old.db", dir.path()).await.expect("a store");
        old.commit(&[], &[Change::Put(silence.clone())]).await.expect("it is written");
        old.close().await;
        let from = || StoreArgument::Url { option: "--import-from", url: "sqlite:old.db" };
        import(&config, from()).await.expect("it is imported");
        let new = sickbay_store::open("sqlite:new.db", dir.path()).await.expect("a store");
        assert_eq!(new.document(Kind::Silence, "a").await.expect("it can be read"), Some(silence));
        new.close().await;
        let error = import(&config, from()).await.expect_err("once is enough");
        assert!(format!("{error:#}").contains("has results or incidents already"), "{error:#}");
    }

    #[tokio::test]
    async fn what_cannot_be_imported_is_told_with_the_fix_and_changes_nothing() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let config = config(dir.path());
        let empty = sickbay_store::open("sqlite:empty.db", dir.path()).await.expect("a store");
        empty.close().await;
        for (url, told) in [
            ("sqlite:new.db", "names the store that `[store]` names"),
            ("sqlite:absent.db", "there is no such file"),
            ("sqlite:empty.db", "has no results"),
            ("mysql://me:hunter2@db/x", "`--import-from` is neither"),
        ] {
            let from = StoreArgument::Url { option: "--import-from", url };
            let error = import(&config, from).await.expect_err(url);
            let hint = error.downcast_ref::<Failure>().and_then(Failure::hint).map(|hint| format!("; hint: {hint}"));
            let text = format!("{error:#}{}", hint.unwrap_or_default());
            assert!(text.contains(told) && text.contains("hint: ") && !text.contains("hunter2"), "{text}");
        }
        assert!(!dir.path().join("absent.db").exists());
    }
}
