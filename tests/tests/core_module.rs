//! A core module that carries its component type is a plugin too: what compilers give that know nothing of components. And what such a module
//! asks of WASI preview 1 goes through the adapter.

use sickbay_tests::{Sickbay, check, program, until};
use wasmparser::{Parser, Payload};
use wit_component::{DecodedWasm, StringEncoding};

/// The main module of a guest, with the guest's world as its component type: the guest as it was before it became a component.
fn as_core_module(component: &[u8]) -> Vec<u8> {
    let Ok(DecodedWasm::Component(resolve, world)) = wit_component::decode(component) else { panic!("a guest is a component") };
    let main = Parser::new(0).parse_all(component).find_map(|payload| match payload.expect("a guest can be parsed") {
        Payload::ModuleSection { unchecked_range, .. } => Some(component[unchecked_range].to_vec()),
        _ => None,
    });
    let mut module = main.expect("a guest has a module");
    wit_component::embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("its type can be embedded");
    module
}

#[tokio::test]
async fn a_core_module_with_a_component_type_is_a_plugin() {
    let component = program::guest_bytes("swap-v2");
    let sickbay = Sickbay::started(&check("swap", "swap", "200ms", ""), &["swap=swap-v1"]).await;
    until("version 1 serves", async || sickbay.check("swap").await["summary"] == "version 1").await;
    sickbay.install_bytes("swap", &as_core_module(&component));
    until("the core module serves", async || sickbay.check("swap").await["summary"] == "version 2").await;
    assert_eq!(sickbay.plugin("swap").await["state"], "loaded");
}

const CONTRACT: [(&str, &str); 4] = [
    ("capabilities.wit", include_str!("../../wit/capabilities.wit")),
    ("exports.wit", include_str!("../../wit/exports.wit")),
    ("types.wit", include_str!("../../wit/types.wit")),
    ("world.wit", include_str!("../../wit/world.wit")),
];

/// Where things lie in the memory of [`printer`]; what is not written there is zero: an empty list, an absent option.
const NAME: (u32, &str) = (1024, "printer");
const VERSION: (u32, &str) = (1040, "1.0.0");
const SUMMARY: (u32, &str) = (1056, "printed");
const OBJECT: (u32, &str) = (1072, "{}");
const LINE: (u32, &str) = (1088, "printed by preview 1");
const IOVEC: u32 = 1136;
const WRITTEN: u32 = 1144;
const DESCRIPTOR: u32 = 1152;
const KIND: u32 = 1280;
const ANSWER: u32 = 1408;

/// A string as the canonical ABI has it: where it is, how long it is.
fn string((at, text): (u32, &str)) -> [u32; 2] {
    [at, u32::try_from(text.len()).expect("short")]
}

fn data(at: u32, bytes: &[u8]) -> String {
    let escaped: String = bytes.iter().map(|byte| format!("\\{byte:02x}")).collect();
    format!("(data (i32.const {at}) \"{escaped}\")\n")
}

fn words(at: u32, words: &[[u32; 2]]) -> String {
    data(at, &words.concat().iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>())
}

/// A module as a compiler for WASI preview 1 makes it, written by hand: it exports a check, whose run prints a line.
fn printer() -> String {
    let texts = [NAME, VERSION, SUMMARY, OBJECT, LINE].map(|(at, text)| data(at, text.as_bytes())).concat();
    let placed = [
        words(IOVEC, &[string(LINE)]),
        words(DESCRIPTOR, &[string(NAME), string(VERSION), string(SUMMARY), [KIND, 1]]),
        words(KIND, &[string(NAME), string(SUMMARY), string(OBJECT), string(OBJECT)]),
        // No failure; the status is ok.
        words(ANSWER, &[[0, 1], string(SUMMARY)]),
    ];
    format!(
        r#"(module
            (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
            (memory (export "memory") 16)
            (global $free (mut i32) (i32.const 65536))
            {texts}{placed}
            (func (export "cabi_realloc") (param $old i32) (param $old_size i32) (param $align i32) (param $size i32) (result i32)
                (local $at i32)
                (local.set $at (i32.and
                    (i32.add (global.get $free) (i32.sub (local.get $align) (i32.const 1)))
                    (i32.sub (i32.const 0) (local.get $align))))
                (global.set $free (i32.add (local.get $at) (local.get $size)))
                (memory.copy (local.get $at) (local.get $old) (local.get $old_size))
                (local.get $at))
            (func (export "sickbay:plugin/plugin@0.1.0#describe") (result i32) (i32.const {DESCRIPTOR}))
            (func (export "sickbay:plugin/check@0.1.0#run") (param i32) (result i32)
                (if (call $fd_write (i32.const 1) (i32.const {IOVEC}) (i32.const 1) (i32.const {WRITTEN})) (then unreachable))
                (i32.const {ANSWER})))"#,
        placed = placed.concat()
    )
}

#[tokio::test]
async fn what_a_core_module_prints_through_preview_1_is_in_the_log() {
    let module = wat::parse_str(printer()).expect("the text of a module");
    let typed = sickbay_runtime::with_component_type(&module, &CONTRACT).expect("it exports a check");
    let mut sickbay = Sickbay::prepared(&check("prints", "printer", "24h", ""), &[]);
    sickbay.install_bytes("printer", &typed);
    sickbay.start().await;
    let run = sickbay.run_now("prints").await;
    assert_eq!((&run["status"], &run["summary"]), (&"ok".into(), &"printed".into()), "{run}");
    let (_, line) = LINE;
    until("the log has its line", async || sickbay.log().contains(line)).await;
    assert_eq!(sickbay.plugin("printer").await["state"], "loaded");
}
