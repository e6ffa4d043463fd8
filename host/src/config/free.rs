//! The table of a plugin: from TOML with places to JSON, and the places by JSON pointer for whoever judges the JSON.

use serde_json::{Map, Value};

use super::place::Span;
use super::text::{Free, Placed};

/// Where the keys and values of one check's `config` stand. Sorted by pointer.
#[derive(Clone, Debug, Default)]
pub(super) struct ConfigPlaces(Box<[ConfigPlace]>);

#[derive(Clone, Debug)]
struct ConfigPlace {
    /// RFC 6901; empty for the table itself.
    pointer: Box<str>,
    /// Items of a list have none.
    key: Option<Span>,
    value: Span,
}

impl ConfigPlaces {
    /// Where the key at `pointer` is written, or else its value, or the nearest table round it.
    pub(super) fn key(&self, pointer: &str) -> Option<Span> {
        match self.find(pointer) {
            Some(place) => Some(place.key.unwrap_or(place.value)),
            None => self.value(pointer),
        }
    }

    /// Where the value at `pointer` is written, or else the nearest table round it.
    pub(super) fn value(&self, pointer: &str) -> Option<Span> {
        let mut pointer = pointer;
        loop {
            if let Some(place) = self.find(pointer) {
                return Some(place.value);
            }
            (pointer, _) = pointer.rsplit_once('/')?;
        }
    }

    fn find(&self, pointer: &str) -> Option<&ConfigPlace> {
        let index = self.0.binary_search_by(|place| (*place.pointer).cmp(pointer)).ok()?;
        self.0.get(index)
    }
}

/// `config` as JSON, and its places.
pub(super) fn to_json(config: &Placed<Free>) -> (Value, ConfigPlaces) {
    let mut places = Vec::new();
    let value = convert(config, None, "", &mut places);
    places.sort_by(|left, right| left.pointer.cmp(&right.pointer));
    (value, ConfigPlaces(places.into_boxed_slice()))
}

fn convert(written: &Placed<Free>, key: Option<Span>, pointer: &str, places: &mut Vec<ConfigPlace>) -> Value {
    places.push(ConfigPlace { pointer: pointer.into(), key, value: written.span() });
    match written.value() {
        Free::Boolean(value) => Value::Bool(*value),
        Free::Integer(value) => Value::from(*value),
        Free::Float(value) => Value::from(*value),
        Free::Text(value) => Value::String(value.clone()),
        Free::List(items) => {
            Value::Array(items.iter().enumerate().map(|(index, item)| convert(item, None, &format!("{pointer}/{index}"), places)).collect())
        }
        Free::Table(entries) => {
            let mut object = Map::new();
            for (key, value) in entries {
                let inner = format!("{pointer}/{}", escaped(key.value()));
                object.insert(key.value().clone(), convert(value, Some(key.span()), &inner, places));
            }
            Value::Object(object)
        }
    }
}

/// One segment of a JSON pointer.
pub(super) fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use toml::de::ValueDeserializer;

    fn read(text: &str) -> (Value, ConfigPlaces) {
        let deserializer = ValueDeserializer::parse(text).expect("the text is a value");
        to_json(&Placed::<Free>::deserialize(deserializer).expect("any value is right"))
    }

    #[test]
    fn every_type_of_toml_has_its_json() {
        let (value, _) = read("{ a = 1, b = 1.5, c = true, d = \"x\", e = [1, \"y\"], f = { g = {} } }");
        assert_eq!(value, serde_json::json!({ "a": 1, "b": 1.5, "c": true, "d": "x", "e": [1, "y"], "f": { "g": {} } }));
    }

    #[test]
    fn places_are_found_by_pointer_or_by_what_is_round_them() {
        let text = "{ headers = [{ name = \"a/b\" }], \"x/y\" = 1 }";
        let (_, places) = read(text);
        let at = |word: &str| text.find(word).map(|start| Span::from(start..start + word.len()));
        assert_eq!(places.key("/headers"), at("headers"));
        assert_eq!(places.value("/headers/0/name"), at("\"a/b\""));
        assert_eq!(places.key("/x~1y"), at("\"x/y\""));
        assert_eq!(places.key("/missing"), Some(Span::from(0..text.len())));
        assert_eq!(places.value("/headers/0/missing"), at("{ name = \"a/b\" }"));
    }
}
