//! What a file says of the tools that made it: languages, SDKs, compilers.
//!
//! A claim of the file: bounded, shown, and used for nothing.

use wasmparser::{KnownCustom, Parser, Payload};

use crate::answer::one_line;

const PRODUCERS_MAX: usize = 32;
const TEXT_BYTES_MAX: usize = 128;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producer {
    /// `language`, `sdk` or `processed-by`.
    pub role: String,
    pub name: String,
    /// Empty where the tool does not tell.
    pub version: String,
}

/// Those of a component and of the modules in it, each once, in their order.
pub(crate) fn producers(bytes: &[u8]) -> Vec<Producer> {
    let mut producers = Vec::new();
    for payload in Parser::new(0).parse_all(bytes) {
        let Ok(Payload::CustomSection(section)) = payload else { continue };
        let KnownCustom::Producers(fields) = section.as_known() else { continue };
        for field in fields.into_iter().flatten() {
            for value in field.values.into_iter().flatten() {
                let text = |text| one_line(text, TEXT_BYTES_MAX);
                let producer = Producer { role: field.name.to_owned(), name: text(value.name), version: text(value.version) };
                if !producers.contains(&producer) {
                    producers.push(producer);
                }
                if producers.len() == PRODUCERS_MAX {
                    return producers;
                }
            }
        }
    }
    producers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Vec<u8> {
        [&[u8::try_from(text.len()).expect("a short text")], text.as_bytes()].concat()
    }

    /// A module whose one section says that `names`, each of version 1, are its languages.
    fn module(names: &[&str]) -> Vec<u8> {
        let mut section = [text("producers"), vec![1], text("language"), vec![u8::try_from(names.len()).expect("few")]].concat();
        for name in names {
            section.extend([text(name), text("1")].concat());
        }
        let len = section.len();
        // Two bytes hold the length, as LEB128.
        let len = [(len & 0x7f) as u8 | 0x80, (len >> 7) as u8];
        [b"\0asm\x01\0\0\0".as_slice(), &[0], len.as_slice(), section.as_slice()].concat()
    }

    #[test]
    fn a_module_tells_what_made_it_and_each_once() {
        let told = producers(&module(&["Rust", "C", "Rust"]));
        let names: Vec<(&str, &str, &str)> =
            told.iter().map(|producer| (producer.role.as_str(), producer.name.as_str(), producer.version.as_str())).collect();
        assert_eq!(names, [("language", "Rust", "1"), ("language", "C", "1")]);
    }

    #[test]
    fn what_it_tells_is_bounded_and_fit_for_a_terminal() {
        let names: Vec<String> = (0..60).map(|number| format!("tool {number}\u{1b}[2J")).collect();
        let told = producers(&module(&names.iter().map(String::as_str).collect::<Vec<_>>()));
        assert_eq!(told.len(), PRODUCERS_MAX);
        assert!(told.iter().all(|producer| !producer.name.contains('\u{1b}')), "{told:?}");
    }

    #[test]
    fn bytes_that_are_no_module_tell_nothing() {
        let module = module(&["Rust"]);
        for bytes in [b"".as_slice(), b"no module", &module[..14]] {
            assert!(producers(bytes).is_empty());
        }
    }
}
