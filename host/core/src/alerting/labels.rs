//! Labels of an alert, and the fingerprint that Prometheus and Alertmanager know it by.
//!
//! Limits: [`LABELS_MAX`], [`LABEL_NAME_BYTES_MAX`], [`LABEL_VALUE_BYTES_MAX`].
//! Invariant: a set is sorted by name, each name stands once, and no value is empty (an empty value is no label, as in Prometheus).

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Label;
use crate::schedule::{FNV_OFFSET_BASIS, fnv1a_64_on};

pub const LABELS_MAX: usize = 64;
pub const LABEL_NAME_BYTES_MAX: usize = 128;
pub const LABEL_VALUE_BYTES_MAX: usize = 1024;

/// What stands between names and values in a fingerprint: a byte that no UTF-8 text has.
const SEPARATOR: [u8; 1] = [0xff];

/// Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LabelSet(Arc<[Label]>);

/// Why labels cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LabelError {
    #[error("a label has no name")]
    NameEmpty,
    #[error("the label name `{start}...` has {bytes} bytes, the limit is {}", LABEL_NAME_BYTES_MAX)]
    NameTooLong { start: String, bytes: usize },
    #[error("the value of the label `{name}` has {bytes} bytes, the limit is {}", LABEL_VALUE_BYTES_MAX)]
    ValueTooLong { name: String, bytes: usize },
    #[error("the label `{name}` stands twice")]
    Twice { name: String },
    #[error("there are more than {} labels", LABELS_MAX)]
    TooMany,
}

impl LabelSet {
    pub fn new<Name, Value>(labels: impl IntoIterator<Item = (Name, Value)>) -> Result<LabelSet, LabelError>
    where
        Name: Into<String>,
        Value: Into<String>,
    {
        let mut sorted = BTreeMap::new();
        for (name, value) in labels {
            let (name, value): (String, String) = (name.into(), value.into());
            if name.is_empty() {
                return Err(LabelError::NameEmpty);
            }
            if name.len() > LABEL_NAME_BYTES_MAX {
                let bytes = name.len();
                return Err(LabelError::NameTooLong { start: crate::text::cut(name, 32), bytes });
            }
            if value.len() > LABEL_VALUE_BYTES_MAX {
                return Err(LabelError::ValueTooLong { name, bytes: value.len() });
            }
            if value.is_empty() {
                continue;
            }
            if sorted.contains_key(&name) {
                return Err(LabelError::Twice { name });
            }
            sorted.insert(name, value);
            if sorted.len() > LABELS_MAX {
                return Err(LabelError::TooMany);
            }
        }
        Ok(LabelSet(sorted.into_iter().map(|(name, value)| Label { name, value }).collect()))
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        let index = self.0.binary_search_by(|label| label.name.as_str().cmp(name)).ok()?;
        self.0.get(index).map(|label| label.value.as_str())
    }

    pub fn iter(&self) -> impl Iterator<Item = &Label> {
        self.0.iter()
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Those of `names` that are there.
    pub fn only(&self, names: &[String]) -> LabelSet {
        LabelSet(self.0.iter().filter(|label| names.contains(&label.name)).cloned().collect())
    }

    /// As Prometheus computes it: FNV-1a with 64 bits over `name 0xff value 0xff` in the order of the names.
    pub fn fingerprint(&self) -> Fingerprint {
        let hash = self.0.iter().fold(FNV_OFFSET_BASIS, |hash, label| {
            let hash = fnv1a_64_on(fnv1a_64_on(hash, label.name.as_bytes()), &SEPARATOR);
            fnv1a_64_on(fnv1a_64_on(hash, label.value.as_bytes()), &SEPARATOR)
        });
        Fingerprint(hash)
    }
}

/// As Alertmanager writes it in a group key: `{a="b", c="d"}`.
impl fmt::Display for LabelSet {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("{")?;
        for (index, label) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(formatter, "{comma}{}={:?}", label.name, label.value)?;
        }
        formatter.write_str("}")
    }
}

/// A JSON object.
impl Serialize for LabelSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|label| (&label.name, &label.value)))
    }
}

impl<'de> Deserialize<'de> for LabelSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LabelSet, D::Error> {
        LabelSet::new(BTreeMap::<String, String>::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

/// The identity of a label set; 16 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint(pub u64);

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:016x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl FromStr for Fingerprint {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Fingerprint, Self::Err> {
        u64::from_str_radix(text, 16).map(Fingerprint)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fingerprint, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn labels<const N: usize>(labels: [(&str, &str); N]) -> LabelSet {
        LabelSet::new(labels).expect("valid labels")
    }

    /// FNV-1a as it is published, over the bytes that Prometheus hashes.
    fn expected(sorted: &[(&str, &str)]) -> u64 {
        let mut hash: u64 = 14_695_981_039_346_656_037;
        let mut add = |byte: u8| {
            hash ^= u64::from(byte);
            hash = hash.wrapping_mul(1_099_511_628_211);
        };
        for (name, value) in sorted {
            name.bytes().for_each(&mut add);
            add(255);
            value.bytes().for_each(&mut add);
            add(255);
        }
        hash
    }

    #[test]
    fn a_fingerprint_is_the_one_of_prometheus() {
        assert_eq!(LabelSet::default().fingerprint(), Fingerprint(14_695_981_039_346_656_037));
        let set = labels([("severity", "P1"), ("alertname", "api"), ("service", "größe")]);
        assert_eq!(set.fingerprint().0, expected(&[("alertname", "api"), ("service", "größe"), ("severity", "P1")]));
        assert_eq!(LabelSet::default().fingerprint().to_string(), "cbf29ce484222325");
        assert_eq!(Fingerprint(1).to_string(), "0000000000000001");
    }

    #[test]
    fn names_and_values_do_not_run_into_each_other() {
        let (one, other) = (labels([("ab", "c")]), labels([("a", "bc")]));
        assert_ne!(one.fingerprint(), other.fingerprint());
    }

    #[test]
    fn an_empty_value_is_no_label() {
        let set = labels([("a", ""), ("b", "1")]);
        assert_eq!((set.len(), set.get("a"), set.get("b")), (1, None, Some("1")));
        assert_eq!(set.fingerprint(), labels([("b", "1")]).fingerprint());
    }

    #[test]
    fn labels_are_bounded_and_named_once() {
        assert_eq!(LabelSet::new([("", "x")]), Err(LabelError::NameEmpty));
        assert_eq!(LabelSet::new([("a", "x"), ("a", "y")]), Err(LabelError::Twice { name: "a".into() }));
        assert!(matches!(LabelSet::new([("a".repeat(129), "x")]), Err(LabelError::NameTooLong { bytes: 129, .. })));
        assert!(matches!(LabelSet::new([("a", "x".repeat(1025))]), Err(LabelError::ValueTooLong { bytes: 1025, .. })));
        let many = |count: usize| LabelSet::new((0..count).map(|number| (format!("l{number}"), "x")));
        assert!(many(LABELS_MAX).is_ok());
        assert_eq!(many(LABELS_MAX + 1), Err(LabelError::TooMany));
    }

    #[test]
    fn a_set_is_written_as_an_object_and_shown_as_a_group_key() {
        let set = labels([("b", "x\"y"), ("a", "1")]);
        assert_eq!(set.to_string(), r#"{a="1", b="x\"y"}"#);
        let json = serde_json::to_string(&set).expect("labels are JSON");
        assert_eq!(json, r#"{"a":"1","b":"x\"y"}"#);
        assert_eq!(serde_json::from_str::<LabelSet>(&json).expect("the same labels"), set);
        assert_eq!(set.only(&["b".to_owned(), "c".to_owned()]), labels([("b", "x\"y")]));
    }

    proptest! {
        #[test]
        fn the_order_in_which_labels_come_does_not_matter(
            sorted in prop::collection::btree_map("[a-z]{1,4}", "[a-zäé]{1,4}", 0..8),
        ) {
            let there: Vec<(&str, &str)> = sorted.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            let back: Vec<(&str, &str)> = there.iter().rev().copied().collect();
            let set = LabelSet::new(back).expect("valid labels");
            prop_assert_eq!(set.fingerprint().0, expected(&there));
            for (name, value) in &there {
                prop_assert_eq!(set.get(name), Some(*value));
            }
        }
    }
}
