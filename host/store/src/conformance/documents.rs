//! What every store must do with documents.

use sickbay_core::Timestamp;

use super::{HOUR_MS, NOW, all, record, seqs, shared, write};
use crate::{Announced, Change, Document, Kind, Page, Retention, Store};

pub(super) fn document(kind: Kind, id: &str, at: u64) -> Document {
    let body = format!("{{\"id\":\"{id}\",\"text\":\"' \\\" \\u0000 \u{1b} 漢字 🩺\"}}");
    Document { kind, id: id.to_owned(), parent: "größe '\"; --".to_owned(), at: Timestamp(at), open: true, body }
}

async fn all_documents(store: &dyn Store, kind: Kind, parent: Option<&str>) -> Vec<Document> {
    let (mut all, mut before) = (Vec::new(), None::<(Timestamp, String)>);
    loop {
        let behind = before.as_ref().map(|(at, id)| (*at, id.as_str()));
        let page = store.documents(Page { kind, parent, before: behind, limit: 2 }).await.unwrap();
        let Some(last) = page.last() else { return all };
        before = Some((last.at, last.id.clone()));
        all.extend(page);
    }
}

pub async fn documents_change_with_results(store: &dyn Store) {
    let (first, second) = (document(Kind::Silence, "a", 1), document(Kind::Silence, "b", 2));
    let changes = [Change::Put(first.clone()), Change::Put(second.clone())];
    assert_eq!(store.commit(&shared(vec![record("api", 1)]), &changes).await.unwrap(), [Some(1)]);
    assert_eq!(store.open_documents(Kind::Silence, "", 10).await.unwrap(), [first.clone(), second.clone()]);
    assert_eq!(store.open_documents(Kind::Silence, "a", 10).await.unwrap(), std::slice::from_ref(&second));
    assert_eq!(store.open_documents(Kind::Silence, "", 1).await.unwrap(), std::slice::from_ref(&first));
    let ended = Document { open: false, at: Timestamp(3), parent: String::new(), body: "{}".to_owned(), ..first };
    let changes = [Change::Put(document(Kind::Silence, "a", 9)), Change::Put(ended.clone()), Change::Remove(Kind::Silence, "b".to_owned())];
    assert_eq!(store.commit(&[], &changes).await.unwrap(), []);
    assert_eq!(store.open_documents(Kind::Silence, "", 10).await.unwrap(), []);
    assert_eq!(store.document(Kind::Silence, "a").await.unwrap(), Some(ended));
    assert_eq!(store.document(Kind::Silence, "b").await.unwrap(), None);
    assert_eq!(store.document(Kind::Group, "a").await.unwrap(), None);
    // A result that is there already is ignored, what goes with it is not.
    let changes = [Change::Put(second.clone())];
    assert_eq!(store.commit(&shared(vec![record("api", 1)]), &changes).await.unwrap(), [None]);
    assert_eq!(store.document(Kind::Silence, "b").await.unwrap(), Some(second));
    let many: Vec<Change> = (0..2_500).map(|number| Change::Put(document(Kind::Group, &format!("{number:05}"), number))).collect();
    store.commit(&[], &many).await.unwrap();
    assert_eq!(store.open_documents(Kind::Group, "02497", 10).await.unwrap().len(), 2);
}

pub async fn documents_are_paged_newest_first(store: &dyn Store) {
    let at = [("a", 5), ("b", 7), ("c", 5), ("d", 1), ("e", 7)];
    let mut documents: Vec<Document> = at.iter().map(|(id, at)| document(Kind::Event, id, *at)).collect();
    documents[1].parent = "other".to_owned();
    let changes: Vec<Change> = documents.iter().cloned().map(Change::Put).collect();
    store.commit(&[], &changes).await.unwrap();
    let ids = |documents: Vec<Document>| documents.into_iter().map(|document| document.id).collect::<Vec<String>>().join("");
    assert_eq!(ids(all_documents(store, Kind::Event, None).await), "ebcad");
    assert_eq!(ids(all_documents(store, Kind::Event, Some("other")).await), "b");
    assert_eq!(ids(all_documents(store, Kind::Event, Some("größe '\"; --")).await), "ecad");
    assert_eq!(ids(all_documents(store, Kind::Event, Some("nul \0")).await), "");
    assert_eq!(ids(all_documents(store, Kind::Delivery, None).await), "");
}

pub async fn closed_documents_go_by_age(store: &dyn Store) {
    let before = |hours: u64| NOW.0 - hours * HOUR_MS;
    let closed = |id: &str, at| Document { open: false, ..document(Kind::Incident, id, at) };
    let mut changes: Vec<Change> = (0..2_100).map(|number| Change::Put(closed(&format!("old-{number}"), before(800)))).collect();
    changes.push(Change::Put(document(Kind::Incident, "open", before(800))));
    changes.push(Change::Put(closed("young", before(700))));
    store.commit(&[], &changes).await.unwrap();
    let pruned = store.prune(&Retention::default(), NOW).await.unwrap();
    assert_eq!((pruned.by_age, pruned.by_bytes), (2_100, 0));
    let left: Vec<String> = all_documents(store, Kind::Incident, None).await.into_iter().map(|document| document.id).collect();
    assert_eq!(left, ["young", "open"]);
}

pub async fn announced_documents_are_numbered_with_results(store: &dyn Store) {
    let (line, other) = (document(Kind::Event, "a", 1), document(Kind::Event, "b", 2));
    let numbered = |seq: u64, document: &Document| Announced { seq, document: document.clone() };
    let changes = [Change::Announce(line.clone()), Change::Put(document(Kind::Event, "quiet", 1)), Change::Announce(other.clone())];
    assert_eq!(store.commit(&[], &changes).await.unwrap(), [Some(1), Some(2)]);
    assert_eq!(store.bounds().await.unwrap(), (None, 2));
    let delivery = document(Kind::Delivery, "a", 3);
    let records = shared(vec![record("api", 1), record("api", 1), record("db", 1)]);
    let seqs = store.commit(&records, &[Change::Announce(delivery.clone())]).await.unwrap();
    assert_eq!(seqs, [Some(3), None, Some(4), Some(5)]);
    assert_eq!(write(store, vec![record("api", 2)]).await, [Some(6)]);
    assert_eq!(store.announced(0, 10).await.unwrap(), [numbered(1, &line), numbered(2, &other), numbered(5, &delivery)]);
    assert_eq!(store.announced(1, 1).await.unwrap(), [numbered(2, &other)]);
    assert_eq!(store.announced(5, 10).await.unwrap(), []);
    // Written again it keeps its number; announced again it gets another.
    let ended = Document { open: false, ..delivery };
    assert_eq!(store.commit(&[], &[Change::Put(ended.clone())]).await.unwrap(), []);
    assert_eq!(store.announced(2, 10).await.unwrap(), [numbered(5, &ended)]);
    assert_eq!(store.commit(&[], &[Change::Announce(ended.clone())]).await.unwrap(), [Some(7)]);
    assert_eq!(store.announced(2, 10).await.unwrap(), [numbered(7, &ended)]);
    assert_eq!((seqs_of_events(store).await, store.bounds().await.unwrap()), (vec![3, 4, 6], (Some(3), 7)));
}

async fn seqs_of_events(store: &dyn Store) -> Vec<u64> {
    seqs(&all(store).await)
}

pub async fn documents_count_for_the_bytes_that_are_kept(store: &dyn Store) {
    const LEN: u64 = 3_000;
    let large = |id: String, open: bool, at: u64| Document { body: "x".repeat(8 * 1024), open, ..document(Kind::Delivery, &id, at) };
    let put = async || {
        let closed = (0..LEN).map(|number| Change::Put(large(format!("{number:05}"), false, NOW.0 + number)));
        let changes: Vec<Change> = closed.chain([Change::Put(large("open".to_owned(), true, 1))]).collect();
        store.commit(&[], &changes).await.unwrap();
    };
    write(store, vec![record("api", NOW.0)]).await;
    let before = store.bytes().await.unwrap();
    put().await;
    let with = store.bytes().await.unwrap();
    assert!(with > before + LEN * 8 * 1024, "{before}, then {with}");
    // What takes the place of itself counts once.
    put().await;
    let again = store.bytes().await.unwrap();
    assert!(again < with + with / 2, "{with}, then {again}");

    let retention = Retention { bytes_max: with / 2, ..Retention::default() };
    let pruned = store.prune(&retention, NOW).await.unwrap();
    assert_eq!(pruned.by_age, 0);
    assert!(pruned.by_bytes > 0 && pruned.by_bytes < LEN, "{pruned:?}");
    assert!(store.bytes().await.unwrap() <= retention.bytes_max);
    // The oldest went.
    assert_eq!(store.document(Kind::Delivery, "00000").await.unwrap(), None);
    assert!(store.document(Kind::Delivery, &format!("{:05}", LEN - 1)).await.unwrap().is_some());

    store.prune(&Retention { bytes_max: 0, ..Retention::default() }, NOW).await.unwrap();
    let left: Vec<String> = all_documents(store, Kind::Delivery, None).await.into_iter().map(|document| document.id).collect();
    assert_eq!(
        (left, seqs_of_events(store).await),
        (vec!["open".to_owned()], vec![1]),
        "what is still needed, and the newest result, stay"
    );
    store.commit(&[], &[Change::Remove(Kind::Delivery, "open".to_owned())]).await.unwrap();
    assert!(store.bytes().await.unwrap() < before + 64 * 1024);
}

/// Two stores, of one kind or of two; the second is empty.
pub async fn a_copy_of_documents_alone_has_all_of_them(from: &dyn Store, to: &dyn Store) {
    let changes: Vec<Change> = Kind::ALL
        .into_iter()
        .flat_map(|kind| (0..3).map(move |number| document(kind, &number.to_string(), number)))
        .map(|document| if document.kind == Kind::Event { Change::Announce(document) } else { Change::Put(document) })
        .collect();
    from.commit(&[], &changes).await.unwrap();
    // The highest number belongs to one that is gone.
    from.commit(&[], &[Change::Announce(document(Kind::Event, "gone", 1))]).await.unwrap();
    from.commit(&[], &[Change::Remove(Kind::Event, "gone".to_owned())]).await.unwrap();

    assert!(crate::is_empty(to).await.unwrap() && !crate::is_empty(from).await.unwrap());
    assert_eq!(crate::copy(from, to, &mut |_| panic!("there are no results")).await.expect("it is copied"), 0);
    for kind in Kind::ALL {
        let copied = all_documents(to, kind, None).await;
        assert_eq!((copied.len(), &copied), (3, &all_documents(from, kind, None).await), "{kind:?}");
    }
    assert_eq!(to.announced(0, 10).await.unwrap(), from.announced(0, 10).await.unwrap());
    assert_eq!(to.bounds().await.unwrap(), (None, 4));
    assert_eq!(write(to, vec![record("api", 1)]).await, [Some(5)], "numbers go on");
}
