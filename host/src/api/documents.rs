//! Parts of lists of what the store keeps beside results, newest first.
//!
//! The store knows the kind and the parent of a document; every other condition is asked of what it reads, page by page. So a part may have
//! fewer items than asked for, and still a `next`.
//!
//! Limits: [`DOCUMENTS_READ_MAX`] documents, or [`DOCUMENTS_READ_BYTES_MAX`] of them and one more, are read for one part; of large ones few are
//! asked for at once.

use sickbay_core::Timestamp;
use sickbay_store::{Document, Kind, Page as StorePage, Store};

use super::model::Page;
use super::parameters::{invalid, whole_number};
use super::problem::Problem;

/// Some tens of milliseconds.
const DOCUMENTS_READ_MAX: usize = 5_000;
/// Of their bodies.
const DOCUMENTS_READ_BYTES_MAX: usize = 16 << 20;
/// Documents that are asked for at once, and at first, when it is not known how large they are.
const PAGE_LEN_MAX: usize = 500;
const PAGE_LEN_FIRST: usize = 16;
/// Bodies that one page is to hold, by the size of those before.
const PAGE_BYTES: usize = 2 << 20;

/// Where in a list a part begins: behind a document with this time and id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cursor {
    at: Timestamp,
    id: String,
}

impl Cursor {
    /// `TIME.ID`, as [`Cursor::text`] writes it.
    pub(super) fn read(text: &str) -> Result<Cursor, Problem> {
        let read = text.split_once('.').and_then(|(at, id)| Some(Cursor { at: Timestamp(whole_number(at)?), id: id.to_owned() }));
        read.filter(|cursor| cursor.id.len() <= 64 && !cursor.id.contains('\0'))
            .ok_or_else(|| invalid("`cursor` is none of ours").hint("pass `next` as it came"))
    }

    fn text(&self) -> String {
        format!("{}.{}", self.at.0, self.id)
    }
}

/// Which documents are asked for.
pub(super) struct Wanted<'a> {
    pub(super) kind: Kind,
    pub(super) parent: Option<&'a str>,
    pub(super) behind: Option<Cursor>,
    /// The list ends before those that are older.
    pub(super) since: Option<Timestamp>,
    pub(super) limit: usize,
}

/// The next part of a list. `item` gives what is shown of a document that is asked for.
pub(super) async fn part<T>(
    store: &dyn Store,
    wanted: Wanted<'_>,
    mut item: impl FnMut(&Document) -> Option<T>,
) -> Result<Page<T>, Problem> {
    let Wanted { kind, parent, mut behind, since, limit } = wanted;
    let mut items = Vec::new();
    let (mut read, mut read_bytes, mut page_len) = (0_usize, 0_usize, PAGE_LEN_FIRST);
    loop {
        let before = behind.as_ref().map(|cursor| (cursor.at, cursor.id.as_str()));
        let page = store.documents(StorePage { kind, parent, before, limit: page_len as u32 }).await.map_err(Problem::store)?;
        let is_last = page.len() < page_len;
        for document in &page {
            if since.is_some_and(|since| document.at < since) {
                return Ok(Page { items, next: None });
            }
            if items.len() == limit || read == DOCUMENTS_READ_MAX || read_bytes >= DOCUMENTS_READ_BYTES_MAX {
                let next = behind.as_ref().map(Cursor::text);
                return Ok(Page { items, next });
            }
            read += 1;
            read_bytes += document.body.len();
            items.extend(item(document));
            behind = Some(Cursor { at: document.at, id: document.id.clone() });
        }
        if is_last {
            return Ok(Page { items, next: None });
        }
        page_len = (PAGE_BYTES / (read_bytes / read.max(1)).max(1)).clamp(1, PAGE_LEN_MAX);
    }
}

#[cfg(test)]
mod tests {
    use sickbay_store::Change;

    use super::*;

    fn document(number: u64) -> Change {
        let (kind, parent) = (Kind::Incident, String::new());
        let (id, body) = (format!("{number:05}"), String::new());
        Change::Put(Document { kind, id, parent, at: Timestamp(number / 2), open: false, body })
    }

    async fn numbers(store: &dyn Store, behind: Option<Cursor>, limit: usize, divisor: u64) -> Page<u64> {
        let wanted = Wanted { kind: Kind::Incident, parent: None, behind, since: None, limit };
        let asked = |document: &Document| document.id.parse::<u64>().ok().filter(|number| number.is_multiple_of(divisor));
        part(store, wanted, asked).await.unwrap()
    }

    #[tokio::test]
    async fn parts_follow_each_other_without_repeating_or_leaving_out() {
        let store = sickbay_store::open("sqlite::memory:", std::path::Path::new("/")).await.unwrap();
        let documents: Vec<Change> = (0..7_000).map(document).collect();
        store.commit(&[], &documents).await.unwrap();
        let (mut seen, mut behind, mut parts) = (Vec::new(), None, 0);
        loop {
            let page = numbers(&*store, behind, 1_000, 3).await;
            assert!(page.items.len() <= 1_000);
            seen.extend(page.items);
            parts += 1;
            let Some(next) = page.next else { break };
            behind = Some(Cursor::read(&next).unwrap());
        }
        let expected: Vec<u64> = (0..7_000_u64).rev().filter(|number| number.is_multiple_of(3)).collect();
        assert_eq!((seen == expected, parts), (true, 3), "{} of {}", seen.len(), expected.len());
        let none = numbers(&*store, None, 10, 100_000).await;
        assert_eq!((none.items, none.next.is_some()), (Vec::new(), true), "it has read enough for one part");
    }

    #[tokio::test]
    async fn a_part_of_large_documents_has_few_of_them_and_the_next_goes_on() {
        const LEN: usize = 30;
        let store = sickbay_store::open("sqlite::memory:", std::path::Path::new("/")).await.unwrap();
        let large = |number: usize| {
            let (kind, id, parent) = (Kind::Incident, format!("{number:05}"), String::new());
            Change::Put(Document { kind, id, parent, at: Timestamp(1), open: false, body: "x".repeat(1 << 20) })
        };
        for number in 0..LEN {
            store.commit(&[], &[large(number)]).await.unwrap();
        }
        let first = numbers(&*store, None, 1_000, 1).await;
        assert_eq!(first.items.len(), DOCUMENTS_READ_BYTES_MAX >> 20);
        let behind = Cursor::read(&first.next.expect("there are more")).unwrap();
        let second = numbers(&*store, Some(behind), 1_000, 1).await;
        assert_eq!((first.items.len() + second.items.len(), second.next), (LEN, None));
    }

    #[tokio::test]
    async fn a_list_ends_before_what_is_too_old() {
        let store = sickbay_store::open("sqlite::memory:", std::path::Path::new("/")).await.unwrap();
        let documents: Vec<Change> = (0..100).map(document).collect();
        store.commit(&[], &documents).await.unwrap();
        let wanted = Wanted { kind: Kind::Incident, parent: None, behind: None, since: Some(Timestamp(48)), limit: 1_000 };
        let page = part(&*store, wanted, |document: &Document| document.id.parse::<u64>().ok()).await.unwrap();
        assert_eq!((page.items, page.next), (vec![99, 98, 97, 96], None));
    }

    #[test]
    fn a_cursor_that_is_none_of_ours_is_refused() {
        let cursor = Cursor { at: Timestamp(17), id: "01ABC".to_owned() };
        assert_eq!(Cursor::read(&cursor.text()).unwrap(), cursor);
        for wrong in ["", "01ABC", "x.01ABC", "-1.01ABC", ".01ABC", &format!("1.{}", "x".repeat(65))] {
            assert!(Cursor::read(wrong).is_err(), "{wrong}");
        }
    }
}
