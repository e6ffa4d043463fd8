//! What may be kept: 64 keys of 128 bytes, 16 KiB in all, keys and values together.

use std::collections::BTreeMap;
use std::sync::Arc;

pub const KEYS_MAX: usize = 64;
pub const KEY_BYTES_MAX: usize = 128;
/// Of all keys and values together.
pub const TOTAL_BYTES_MAX: usize = 16 << 10;

type Map = BTreeMap<String, Vec<u8>>;

/// The values as one run sees them: those from before, until the run changes one.
#[derive(Debug)]
pub(crate) struct Values {
    before: Arc<Map>,
    changed: Option<Map>,
}

impl Values {
    pub(crate) fn new(before: Arc<Map>) -> Values {
        Values { before, changed: None }
    }

    pub(crate) fn get(&self, key: &str) -> Option<&[u8]> {
        self.now().get(key).map(Vec::as_slice)
    }

    /// An error names the bound that was passed; nothing is changed then.
    pub(crate) fn put(&mut self, key: String, value: Vec<u8>) -> Result<(), String> {
        if key.is_empty() || key.len() > KEY_BYTES_MAX {
            return Err(format!("a key has 1 to {KEY_BYTES_MAX} bytes, this one {}", key.len()));
        }
        let now = self.now();
        let old = now.get(&key);
        if old == Some(&value) {
            return Ok(());
        }
        if old.is_none() && now.len() >= KEYS_MAX {
            return Err(format!("at most {KEYS_MAX} keys are kept"));
        }
        let others: usize = now.iter().filter(|(other, _)| **other != key).map(|(other, value)| other.len() + value.len()).sum();
        let total = others + key.len() + value.len();
        if total > TOTAL_BYTES_MAX {
            return Err(format!("at most {TOTAL_BYTES_MAX} bytes are kept in all, this would make {total}"));
        }
        self.change().insert(key, value);
        Ok(())
    }

    pub(crate) fn remove(&mut self, key: &str) {
        if self.now().contains_key(key) {
            self.change().remove(key);
        }
    }

    /// All values, where they are others than before.
    pub(crate) fn into_changed(self) -> Option<Map> {
        self.changed.filter(|changed| *changed != *self.before)
    }

    fn now(&self) -> &Map {
        self.changed.as_ref().unwrap_or(&self.before)
    }

    fn change(&mut self) -> &mut Map {
        self.changed.get_or_insert_with(|| Map::clone(&self.before))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(before: &[(&str, &[u8])]) -> Values {
        Values::new(Arc::new(before.iter().map(|(key, value)| ((*key).to_owned(), value.to_vec())).collect()))
    }

    #[test]
    fn a_run_reads_its_own_writes_and_what_was_before() {
        let mut values = values(&[("a", b"1"), ("b", b"2")]);
        values.put("b".into(), b"3".to_vec()).expect("within bounds");
        values.put("c".into(), Vec::new()).expect("within bounds");
        values.remove("a");
        assert_eq!((values.get("a"), values.get("b"), values.get("c")), (None, Some(&b"3"[..]), Some(&b""[..])));
        let changed = values.into_changed().expect("changed");
        assert_eq!(changed.keys().collect::<Vec<_>>(), ["b", "c"]);
    }

    #[test]
    fn what_was_not_changed_is_not_written() {
        let mut values = values(&[("a", b"1")]);
        values.put("a".into(), b"1".to_vec()).expect("within bounds");
        values.remove("b");
        assert!(values.changed.is_none(), "nothing was copied");
        values.put("a".into(), b"2".to_vec()).expect("within bounds");
        values.put("a".into(), b"1".to_vec()).expect("within bounds");
        assert_eq!(values.into_changed(), None);
    }

    #[test]
    fn the_number_of_keys_is_bounded() {
        let mut values = values(&[]);
        for index in 0..KEYS_MAX {
            values.put(index.to_string(), vec![0]).expect("within bounds");
        }
        let error = values.put("one-more".into(), vec![0]).expect_err("too many");
        assert!(error.contains("64 keys"), "{error}");
        values.put("0".into(), vec![1]).expect("a key that is there may change");
        values.remove("0");
        values.put("one-more".into(), vec![0]).expect("there is room again");
    }

    #[test]
    fn the_bytes_are_bounded_with_their_keys() {
        let mut values = values(&[]);
        values.put("ab".into(), vec![0; TOTAL_BYTES_MAX - 2]).expect("exactly full");
        let error = values.put("c".into(), Vec::new()).expect_err("too much");
        assert!(error.contains("16384 bytes"), "{error}");
        values.put("ab".into(), vec![1; TOTAL_BYTES_MAX - 2]).expect("replaced, not added");
    }

    #[test]
    fn a_key_has_bounds_of_its_own() {
        let mut values = values(&[]);
        for key in [String::new(), "k".repeat(KEY_BYTES_MAX + 1)] {
            assert!(values.put(key, Vec::new()).is_err());
        }
        assert!(values.put("k".repeat(KEY_BYTES_MAX), Vec::new()).is_ok());
    }
}
