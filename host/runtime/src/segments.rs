//! What a memory begins with, told in few pieces.
//!
//! A toolchain leaves zeros out of what a memory begins with: a module of Go tells it in 46,000 segments, one of JavaScript in 9,000. The
//! engine makes one image of them all the same, but it keeps a place for each in every instance and goes through all of them whenever one is
//! made. So segments with few zeros between them become one before the component is compiled.
//!
//! How: sections are copied as they are, but for those of data. A module stays as it is where that could change what it does: its memory is
//! another's, its code names segments, they overlap, or one has no fixed place.
//!
//! Limits: [`GAP_BYTES_MAX`] between two segments, [`FILLED_BYTES_MAX`] of zeros in a module, [`DEPTH_MAX`].

use wasm_encoder::{ConstExpr, DataCountSection, DataSection, RawSection, Section as _};
use wasmparser::{
    BinaryReader, CodeSectionReader, ConstExpr as Place, DataKind, DataSectionReader, ImportSectionReader, MemorySectionReader, Operator,
    Parser, TypeRef,
};

/// Part of an artifact's name.
pub(crate) const VERSION: &str = "segments 3";

/// Fewer are left as they are.
const SEGMENTS_MIN: u32 = 32;
/// A page of the system: a longer gap may be one that is never read.
const GAP_BYTES_MAX: u32 = 4 << 10;
const FILLED_BYTES_MAX: usize = 16 << 20;
/// Components within components.
const DEPTH_MAX: u32 = 8;

/// Magic number and version.
const HEADER_BYTES: usize = 8;
/// Sections of a component.
const CORE_MODULE: u8 = 1;
const COMPONENT: u8 = 4;
/// Sections of a module.
const IMPORTS: u8 = 2;
const MEMORIES: u8 = 5;
const CODE: u8 = 10;
const DATA: u8 = 11;
const DATA_COUNT: u8 = 12;

/// `component` with few segments. What is not understood is left: compiling it says what is wrong.
pub(crate) fn merged(component: Vec<u8>) -> Vec<u8> {
    component_merged(&component, 0).unwrap_or(component)
}

/// None where nothing is merged.
fn component_merged(binary: &[u8], depth: u32) -> Option<Vec<u8>> {
    if depth > DEPTH_MAX || !Parser::is_component(binary) {
        return None;
    }
    let merged = |section: &Section<'_>| match section.id {
        CORE_MODULE => module_merged(section.body),
        COMPONENT => component_merged(section.body, depth + 1),
        _ => None,
    };
    rewritten(binary, &sections(binary)?, merged)
}

fn module_merged(binary: &[u8]) -> Option<Vec<u8>> {
    if !Parser::is_core_wasm(binary) {
        return None;
    }
    let sections = sections(binary)?;
    let of = |id: u8| sections.iter().find(|section| section.id == id).map(|section| section.body);
    let data = DataSectionReader::new(BinaryReader::new(of(DATA)?, 0)).ok().filter(|data| data.count() >= SEGMENTS_MIN)?;
    let has_own_memory = !imports_memory(of(IMPORTS)) && MemorySectionReader::new(BinaryReader::new(of(MEMORIES)?, 0)).ok()?.count() == 1;
    // Without a count no code may name a segment.
    if !has_own_memory || (of(DATA_COUNT).is_some() && names_segments(of(CODE)?)) {
        return None;
    }
    let pieces = pieces(data)?;
    let mut encoded = DataSection::new();
    for piece in &pieces {
        encoded.active(0, &ConstExpr::i32_const(piece.begin.cast_signed()), piece.bytes.iter().copied());
    }
    let count = DataCountSection { count: u32::try_from(pieces.len()).ok()? };
    rewritten(binary, &sections, |section| match section.id {
        DATA => body_of(&encoded),
        DATA_COUNT => body_of(&count),
        _ => None,
    })
}

struct Section<'b> {
    id: u8,
    body: &'b [u8],
}

fn sections(binary: &[u8]) -> Option<Vec<Section<'_>>> {
    let mut reader = BinaryReader::new(binary.get(HEADER_BYTES..)?, 0);
    let mut sections = Vec::new();
    while !reader.eof() {
        let (id, length) = (reader.read_u8().ok()?, reader.read_var_u32().ok()?);
        sections.push(Section { id, body: reader.read_bytes(usize::try_from(length).ok()?).ok()? });
    }
    Some(sections)
}

/// The same with other bodies of some sections; None where there are none.
fn rewritten(binary: &[u8], sections: &[Section<'_>], other: impl Fn(&Section<'_>) -> Option<Vec<u8>>) -> Option<Vec<u8>> {
    let mut is_other = false;
    let mut made = binary.get(..HEADER_BYTES)?.to_vec();
    for section in sections {
        let body = other(section);
        is_other |= body.is_some();
        RawSection { id: section.id, data: body.as_deref().unwrap_or(section.body) }.append_to(&mut made);
    }
    is_other.then_some(made)
}

fn body_of(section: &impl wasm_encoder::Section) -> Option<Vec<u8>> {
    let mut encoded = Vec::new();
    section.encode(&mut encoded);
    // Its length stands before it.
    let mut reader = BinaryReader::new(&encoded, 0);
    reader.read_var_u32().ok()?;
    Some(encoded.split_off(reader.original_position()))
}

/// Also where that cannot be told.
fn imports_memory(imports: Option<&[u8]>) -> bool {
    let Some(imports) = imports else { return false };
    let Ok(imports) = ImportSectionReader::new(BinaryReader::new(imports, 0)) else { return true };
    imports.into_imports().any(|import| !import.is_ok_and(|import| !matches!(import.ty, TypeRef::Memory(_))))
}

/// Also where that cannot be told.
fn names_segments(code: &[u8]) -> bool {
    let Ok(code) = CodeSectionReader::new(BinaryReader::new(code, 0)) else { return true };
    code.into_iter().any(|function| {
        let Ok(operators) = function.and_then(|function| function.get_operators_reader()) else { return true };
        operators.into_iter().any(|operator| {
            !operator.is_ok_and(|operator| {
                !matches!(
                    operator,
                    Operator::MemoryInit { .. }
                        | Operator::DataDrop { .. }
                        | Operator::ArrayNewData { .. }
                        | Operator::ArrayInitData { .. }
                )
            })
        })
    })
}

struct Piece {
    begin: u32,
    bytes: Vec<u8>,
}

impl Piece {
    fn end(&self) -> Option<u32> {
        self.begin.checked_add(u32::try_from(self.bytes.len()).ok()?)
    }
}

/// None where segments overlap, or do not stand at fixed places of the first memory.
fn pieces(data: DataSectionReader<'_>) -> Option<Vec<Piece>> {
    let mut segments = Vec::new();
    for segment in data {
        let segment = segment.ok()?;
        match &segment.kind {
            DataKind::Active { memory_index: 0, offset_expr } => segments.push((fixed(offset_expr)?, segment.data)),
            DataKind::Active { .. } => return None,
            // No code names it: what takes snapshots leaves one for each segment that there was.
            DataKind::Passive => {}
        }
    }
    segments.sort_by_key(|(begin, _)| *begin);
    let mut pieces: Vec<Piece> = Vec::new();
    let mut filled_bytes = 0;
    for (begin, bytes) in segments {
        let gap = match pieces.last() {
            Some(last) => Some(begin.checked_sub(last.end()?)?),
            None => None,
        };
        match (pieces.last_mut(), gap) {
            (Some(last), Some(gap)) if gap <= GAP_BYTES_MAX => {
                let gap = usize::try_from(gap).ok()?;
                filled_bytes += gap;
                if filled_bytes > FILLED_BYTES_MAX {
                    return None;
                }
                last.bytes.resize(last.bytes.len() + gap, 0);
                last.bytes.extend_from_slice(bytes);
            }
            _ => pieces.push(Piece { begin, bytes: bytes.to_vec() }),
        }
    }
    Some(pieces)
}

/// Where a segment stands, when that is a number.
fn fixed(place: &Place<'_>) -> Option<u32> {
    let mut operators = place.get_operators_reader();
    let Operator::I32Const { value } = operators.read().ok()? else { return None };
    matches!(operators.read(), Ok(Operator::End)).then(|| value.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use wasmparser::{Payload, Validator};

    use super::*;

    /// A component of one module with these fields and so many segments: each holds its number, and has `gap` bytes before it.
    fn component(fields: &str, segments: u32, gap: u32) -> Vec<u8> {
        let mut text = format!("(component (core module {fields} ");
        for number in 0..segments {
            let _ = write!(text, "(data (i32.const {}) \"\\{:02x}\")", number * (gap + 1), number % 256);
        }
        wat::parse_str(text + "))").unwrap()
    }

    /// Where the segments begin, and what they hold.
    fn told(component: &[u8]) -> Vec<(u32, Vec<u8>)> {
        Validator::new().validate_all(component).unwrap();
        let segments = Parser::new(0).parse_all(component).filter_map(|payload| match payload.unwrap() {
            Payload::DataSection(data) => Some(data),
            _ => None,
        });
        let place = |segment: &wasmparser::Data<'_>| match &segment.kind {
            DataKind::Active { offset_expr, .. } => fixed(offset_expr).unwrap(),
            DataKind::Passive => unreachable!("none is made here"),
        };
        segments.flatten().map(|segment| segment.unwrap()).map(|segment| (place(&segment), segment.data.to_vec())).collect()
    }

    #[test]
    fn segments_with_few_zeros_between_them_become_one() {
        let merged = merged(component("(memory 1)", 100, 3));
        let expected: Vec<u8> = (0..100_u8).flat_map(|number| [number, 0, 0, 0]).take(397).collect();
        assert_eq!(told(&merged), [(0, expected)]);
    }

    #[test]
    fn they_are_put_in_order_first() {
        let text = |places: &mut dyn Iterator<Item = u32>| {
            let segments: String = places.map(|place| format!("(data (i32.const {place}) \"\\{place:02x}\")")).collect();
            merged(wat::parse_str(format!("(component (core module (memory 1) {segments}))")).unwrap())
        };
        let expected = told(&text(&mut (0..100)));
        assert_eq!(expected.len(), 1);
        assert_eq!(told(&text(&mut (0..100).rev())), expected);
        assert_eq!(told(&text(&mut (50..100).chain(0..50))), expected);
    }

    #[test]
    fn one_that_nobody_can_name_is_left_out() {
        let passive = "(data \"never copied\")".repeat(50);
        assert_eq!(told(&merged(component(&format!("(memory 1) {passive}"), 2, 1))), [(0, vec![0, 0, 1])]);
    }

    #[test]
    fn a_long_gap_stays_one() {
        let merged = told(&merged(component("(memory 4)", 40, GAP_BYTES_MAX + 1)));
        assert_eq!(merged.len(), 40);
        assert_eq!(merged[39], (39 * (GAP_BYTES_MAX + 2), vec![39]));
    }

    #[test]
    fn the_count_of_segments_is_that_of_those_that_are_left() {
        let fields = "(memory 1) (func (memory.copy (i32.const 0) (i32.const 0) (i32.const 0)))";
        let plain = component(fields, 100, 3);
        let core = Parser::new(0).parse_all(&plain).find_map(|payload| match payload.unwrap() {
            Payload::ModuleSection { unchecked_range, .. } => Some(plain[unchecked_range].to_vec()),
            _ => None,
        });
        let mut sections = sections(core.as_deref().unwrap()).unwrap();
        let count = [100];
        let at = sections.iter().position(|section| section.id == CODE).unwrap();
        sections.retain(|section| section.id != DATA_COUNT);
        sections.insert(at, Section { id: DATA_COUNT, body: &count });
        let counted = rewritten(core.as_deref().unwrap(), &sections, |section| Some(section.body.to_vec())).unwrap();
        let merged = module_merged(&counted).unwrap();
        Validator::new().validate_all(&merged).unwrap();
        assert_eq!(told(&merged).len(), 1);
    }

    #[test]
    fn a_module_stays_as_it_is_where_merging_could_change_what_it_does() {
        let names = "(memory 1) (func (memory.init 0 (i32.const 0) (i32.const 0) (i32.const 0)))";
        let few = component("(memory 1)", SEGMENTS_MIN - 1, 3);
        let borrowed = component("(import \"a\" \"b\" (memory 1))", 100, 3);
        let overlap =
            wat::parse_str(format!("(component (core module (memory 1) {}))", "(data (i32.const 9) \"aa\")".repeat(100))).unwrap();
        let moved =
            format!("(component (core module (global i32 (i32.const 9)) (memory 1) {}))", "(data (global.get 0) \"a\")".repeat(100));
        for plain in [few, borrowed, component(names, 100, 3), overlap, wat::parse_str(moved).unwrap(), b"rubbish".to_vec(), Vec::new()] {
            assert_eq!(merged(plain.clone()), plain);
        }
    }

    #[test]
    fn modules_of_components_within_are_merged_too_and_nothing_else_is_touched() {
        let inner = "(core module (memory 1) (@custom \"kept\" \"as it is\") (data (i32.const 0) \"a\") \
                     (data (i32.const 2) \"b\"))";
        let many = inner.replace("(data (i32.const 2)", &("(data (i32.const 1) \"\")".repeat(50) + "(data (i32.const 2)"));
        let plain = wat::parse_str(format!("(component (component {many}))")).unwrap();
        let merged = merged(plain);
        assert_eq!(told(&merged), [(0, b"a\0b".to_vec())]);
        assert!(merged.windows(8).any(|bytes| bytes == b"as it is"));
    }

    #[test]
    fn what_is_cut_short_is_left_to_the_compiler() {
        let whole = component("(memory 1)", 100, 3);
        for length in 0..whole.len() {
            let cut = whole[..length].to_vec();
            assert_eq!(merged(cut.clone()), cut, "{length}");
        }
    }
}
