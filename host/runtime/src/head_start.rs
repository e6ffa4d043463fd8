//! A head start: what a language does before its first call is done once, while the component is compiled, and each instance begins behind it.
//!
//! Go's runtime starts for hundreds of microseconds, and does the same each time. So a component that asks for it (a module of it exports
//! [`MARK`], as those of the SDK for Go do) is instantiated in the compile worker, which is when its start runs, and what it has in memory
//! then becomes what it begins with: a component that is compiled in its place.
//!
//! What it read meanwhile is frozen in it, so a start may only read what is the same for all instances: no environment, no arguments, and a
//! monotonic clock that has just begun. Go's runtime also seeds itself, with at most [`RANDOM_BYTES_MAX`] random bytes. They are made of the file's
//! digest: the same file has the same head start everywhere, so that a recorded run is replayed anywhere. Whoever knows the file knows the
//! order of its hash tables, which is worth no more than computing time of the check that asks for it; `math/rand` is moved on by the SDK in
//! each instance. A start that does more (it reads the time of day, draws more random numbers, calls the contract, opens files, prints, keeps
//! a handle) is left where it is, and why is told.
//!
//! Limits: [`TIME_MAX`], [`MEMORY_BYTES_MAX`], and those of the worker.
//!
//! Invariant: nothing of the host but the processor is lent to a start; without a head start a component is compiled as it came.

use std::convert::Infallible;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use rand_core::TryRng;
use sha2::{Digest, Sha256};
use wasmparser::{Parser, Payload, Validator};
use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, Instance, Lift, Linker, ResourceTable, ResourceType, WasmList};
use wasmtime::{Engine, Error, Store};
use wasmtime_wasi::{HostMonotonicClock, HostWallClock, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wizer::{ComponentInstanceState, Wizer};

use crate::answer::one_line;
use crate::engine::{self, TICK};
use crate::loader::WASI_FILES;
use crate::memory::MemoryMeter;
use crate::output::Output;

/// Part of an artifact's name: changes with the crate that takes snapshots, and with what is done here.
pub(crate) const VERSION: &str = "2, wasmtime-wizer 48.0.8";

/// The export of a core module that asks for it. It is never called.
const MARK: &str = "sickbay_head_start";
/// Of a start, on the wall clock.
const TIME_MAX: Duration = Duration::from_secs(5);
/// Of all memories behind the start; what is in them becomes part of the artifact.
const MEMORY_BYTES_MAX: u64 = 32 << 20;
/// The reading of a memory grows it by a page, twice.
const READING_BYTES: u64 = 16 * (64 << 10);
/// Random bytes that a start may read.
const RANDOM_BYTES_MAX: usize = 256;
/// What a start may say before it is cut.
const OUTPUT_BYTES_MAX: u32 = 4 << 10;
const WHY_BYTES_MAX: usize = 512;
const GIVEN: &str = "given";
const REFUSED: &str = "refused: ";

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum HeadStart {
    /// The component does not ask for it.
    #[default]
    None,
    /// Its instances begin behind their start.
    Given,
    /// It asks for it, and each instance starts for itself all the same: why.
    Refused(String),
}

impl HeadStart {
    /// As the worker tells it, and as it is kept.
    pub(crate) fn line(&self) -> String {
        match self {
            HeadStart::None => String::new(),
            HeadStart::Given => GIVEN.to_owned(),
            HeadStart::Refused(why) => format!("{REFUSED}{why}"),
        }
    }

    pub(crate) fn of_line(line: &str) -> HeadStart {
        match (line, line.strip_prefix(REFUSED)) {
            (GIVEN, _) => HeadStart::Given,
            (_, Some(why)) => HeadStart::Refused(why.to_owned()),
            _ => HeadStart::None,
        }
    }
}

/// `component` behind its start, where it asks for that and can have it; else as it is. `file` is what it was made of.
pub(crate) fn given(component: Vec<u8>, file: &[u8]) -> (Vec<u8>, HeadStart) {
    if !asks(&component) {
        return (component, HeadStart::None);
    }
    // The crate that takes snapshots panics where a component is made in a way that it does not know.
    let tried = catch_unwind(AssertUnwindSafe(|| behind_start(&component, Sha256::digest(file).into())));
    match tried.unwrap_or_else(|_| Err("no snapshot of it can be taken".to_owned())) {
        Ok(started) => (started, HeadStart::Given),
        Err(why) => (component, HeadStart::Refused(one_line(&why, WHY_BYTES_MAX))),
    }
}

pub(crate) fn asks(component: &[u8]) -> bool {
    Parser::new(0).parse_all(component).any(|payload| {
        let Ok(Payload::ExportSection(exports)) = payload else { return false };
        exports.into_iter().flatten().any(|export| export.name == MARK)
    })
}

fn behind_start(component: &[u8], seed: [u8; 32]) -> Result<Vec<u8>, String> {
    let mut wizer = Wizer::new();
    wizer.keep_init_func(true);
    let (context, instrumented) = wizer.instrument_component(component).map_err(|error| format!("{error:#}"))?;
    let engine = engine::for_one_start().map_err(|error| format!("{error:#}"))?;
    let compiled = Component::from_binary(&engine, &instrumented).map_err(|error| format!("{error:#}"))?;
    if compiled.component_type().imports(&engine).any(|(name, _)| name.starts_with(WASI_FILES)) {
        return Err("it sees the folders that each run is granted".to_owned());
    }
    let linker = linker(&engine, &compiled).map_err(|error| format!("{error:#}"))?;

    let seen = Arc::new(Seen::new(seed));
    let mut store = Store::new(&engine, Starting::new(&seen));
    store.limiter(|starting| &mut starting.memory);
    store.set_epoch_deadline(u64::try_from(TIME_MAX.as_millis() / TICK.as_millis()).unwrap_or(1));
    // The start is what runs here.
    let instance = at_once(linker.instantiate_async(&mut store, &compiled)).unwrap_or_else(|| Err(Error::msg("it waits for something")));
    let instance = match (instance, store.data().why_not(&seen)) {
        (Ok(instance), None) => instance,
        (_, Some(why)) => return Err(why),
        (Err(error), None) => return Err(error.root_cause().to_string()),
    };

    // No code of its own runs any more. Its memory grows while it is read.
    store.set_epoch_deadline(u64::MAX / 2);
    store.data_mut().memory = MemoryMeter::new(MEMORY_BYTES_MAX + READING_BYTES);
    let mut started = Started { store, instance };
    let snapshot = at_once(wizer.snapshot_component(&context, &mut started)).unwrap_or_else(|| Err(Error::msg("it waits for something")));
    let snapshot = snapshot.map_err(|error| format!("{error:#}"))?;
    Validator::new().validate_all(&snapshot).map_err(|error| format!("its snapshot is no component: {error}"))?;
    Ok(snapshot)
}

/// What `future` comes to where nothing in it waits.
fn at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

/// WASI with nothing behind it; whatever else the component imports ends its start.
fn linker(engine: &Engine, component: &Component) -> wasmtime::Result<Linker<Starting>> {
    let mut linker = Linker::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    let kind = component.component_type();
    for (name, item) in kind.imports(engine).filter(|(name, _)| !name.starts_with("wasi:")) {
        let ComponentItem::ComponentInstance(interface) = item.ty else { continue };
        let mut instance = linker.instance(name)?;
        for (member, item) in interface.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => {
                    let why = format!("it calls `{name}.{member}`");
                    instance.func_new(member, move |_, _, _, _| Err(Error::msg(why.clone())))?;
                }
                ComponentItem::Resource(_) => instance.resource(member, ResourceType::host::<()>(), |_, _| Ok(()))?,
                _ => {}
            }
        }
    }
    Ok(linker)
}

/// The data of the store in which it starts.
struct Starting {
    wasi: WasiCtx,
    table: ResourceTable,
    output: Output,
    memory: MemoryMeter,
}

impl Starting {
    fn new(seen: &Arc<Seen>) -> Starting {
        let output = Output::new(OUTPUT_BYTES_MAX);
        let mut wasi = WasiCtxBuilder::new();
        wasi.stdout(output.clone())
            .stderr(output.clone())
            .wall_clock(Clock(Arc::clone(seen)))
            .monotonic_clock(Clock(Arc::clone(seen)))
            .secure_random(Numbers(Arc::clone(seen)))
            .insecure_random(Numbers(Arc::clone(seen)))
            .insecure_random_seed(0);
        Starting { wasi: wasi.build(), table: ResourceTable::new(), output, memory: MemoryMeter::new(MEMORY_BYTES_MAX) }
    }

    /// What the start did that cannot be done once for all instances.
    fn why_not(&self, seen: &Seen) -> Option<String> {
        let (said, _) = self.output.take();
        if self.memory.exceeded {
            return Some(format!("it needs more than {MEMORY_BYTES_MAX} bytes of memory"));
        }
        if seen.time_of_day.load(Relaxed) {
            return Some("it reads the time of day".to_owned());
        }
        if seen.random_bytes.load(Relaxed) > RANDOM_BYTES_MAX {
            return Some(format!("it reads more than {RANDOM_BYTES_MAX} random bytes"));
        }
        if let Some(line) = said.lines().rev().find(|line| !line.trim().is_empty()) {
            return Some(format!("it prints: {line}"));
        }
        (!self.table.is_empty()).then(|| "it keeps a handle open".to_owned())
    }
}

impl WasiView for Starting {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        WasiCtxView { ctx: &mut self.wasi, table: &mut self.table }
    }
}

/// What a start has asked of the host.
struct Seen {
    seed: [u8; 32],
    random_bytes: AtomicUsize,
    readings: AtomicU64,
    time_of_day: AtomicBool,
}

impl Seen {
    fn new(seed: [u8; 32]) -> Seen {
        Seen { seed, random_bytes: AtomicUsize::new(0), readings: AtomicU64::new(0), time_of_day: AtomicBool::new(false) }
    }

    /// Digests of the seed and a count, one after the other.
    fn random_byte(&self) -> u8 {
        let at = self.random_bytes.fetch_add(1, Relaxed);
        let (count, place) = (at / 32, at % 32);
        let digest = Sha256::new().chain_update(self.seed).chain_update(count.to_le_bytes()).finalize();
        digest[place]
    }
}

struct Clock(Arc<Seen>);

impl HostWallClock for Clock {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        self.0.time_of_day.store(true, Relaxed);
        Duration::ZERO
    }
}

/// The clock of a run begins at 0 too, so it never seems to go back: here a reading takes a nanosecond, and what lies between them no time.
impl HostMonotonicClock for Clock {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        self.0.readings.fetch_add(1, Relaxed) + 1
    }
}

struct Numbers(Arc<Seen>);

impl TryRng for Numbers {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        bytes.fill_with(|| self.0.random_byte());
        Ok(())
    }
}

/// An instance behind its start, whose memories and globals are read through what `wizer` has put into it.
struct Started {
    store: Store<Starting>,
    instance: Instance,
}

impl Started {
    async fn read<T: Lift + 'static>(&mut self, interface: &str, function: &str) -> T {
        // What is not there, or fails, is a fault of the crate that put it there: `given` catches it.
        const READER: &str = "what reads a memory is there and succeeds";
        let interface = self.instance.get_export_index(&mut self.store, None, interface).expect(READER);
        let function = self.instance.get_export_index(&mut self.store, Some(&interface), function).expect(READER);
        let function = self.instance.get_typed_func::<(), (T,)>(&mut self.store, &function).expect(READER);
        let (value,) = function.call_async(&mut self.store, ()).await.expect(READER);
        value
    }
}

impl ComponentInstanceState for Started {
    async fn call_func_ret_list_u8(&mut self, interface: &str, function: &str, contents: impl FnOnce(&[u8]) + Send) {
        let list: WasmList<u8> = self.read(interface, function).await;
        contents(list.as_le_slice(&self.store));
    }

    async fn call_func_ret_s32(&mut self, interface: &str, function: &str) -> i32 {
        self.read(interface, function).await
    }

    async fn call_func_ret_s64(&mut self, interface: &str, function: &str) -> i64 {
        self.read(interface, function).await
    }

    async fn call_func_ret_f32(&mut self, interface: &str, function: &str) -> u32 {
        self.read::<f32>(interface, function).await.to_bits()
    }

    async fn call_func_ret_f64(&mut self, interface: &str, function: &str) -> u64 {
        self.read::<f64>(interface, function).await.to_bits()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: (&str, &str) = ("wasi:random/random@0.2.0", "get-random-u64");
    const TIME: (&str, &str) = ("wasi:clocks/monotonic-clock@0.2.0", "now");
    const CONTRACT: (&str, &str) = ("sickbay:plugin/state@0.1.0", "number");

    /// A component that `asks` for a head start and gives `get`, a number that its start has increased by what `import` answers to each of
    /// `calls` calls, and by one.
    fn component(asks: bool, import: (&str, &str), calls: usize) -> Vec<u8> {
        let (interface, function) = import;
        let mark = if asks { MARK } else { "another" };
        let calls = "(i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (call $number)))".repeat(calls);
        let text = format!(
            r#"(component
                (import "{interface}" (instance $host (export "{function}" (func (result u64)))))
                (core func $number (canon lower (func $host "{function}")))
                (core module $main
                    (import "host" "number" (func $number (result i64)))
                    (memory 1)
                    (func (export "_initialize")
                        {calls}
                        (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (i64.const 1))))
                    (func (export "{mark}"))
                    (func (export "get") (result i64) (i64.load (i32.const 0))))
                (core module $start (import "" "start" (func $start)) (start $start))
                (core instance $main (instantiate $main (with "host" (instance (export "number" (func $number))))))
                (core instance (instantiate $start (with "" (instance (export "start" (func $main "_initialize"))))))
                (func (export "get") (result u64) (canon lift (core func $main "get"))))"#
        );
        wat::parse_str(text).expect("the text of a component")
    }

    fn refused(import: (&str, &str), calls: usize) -> String {
        let component = component(true, import, calls);
        match given(component.clone(), b"file") {
            (same, HeadStart::Refused(why)) => {
                assert_eq!(same, component);
                why
            }
            (_, other) => panic!("{other:?}"),
        }
    }

    /// What a fresh instance of it gives, where `host` is what its start is told.
    fn got(component: &[u8], import: (&'static str, &'static str)) -> u64 {
        let engine = engine::for_one_start().expect("an engine");
        let component = Component::from_binary(&engine, component).expect("a component");
        let mut linker = Linker::<()>::new(&engine);
        linker.instance(import.0).and_then(|mut host| host.func_wrap(import.1, |_, (): ()| Ok((1_000_u64,)))).expect("a function");
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(u64::MAX / 2);
        let instance = linker.instantiate(&mut store, &component).expect("an instance");
        let get = instance.get_typed_func::<(), (u64,)>(&mut store, "get").expect("a function");
        get.call(&mut store, ()).expect("a number").0
    }

    #[test]
    fn an_instance_begins_behind_its_start_and_does_not_start_again() {
        let plain = component(true, TIME, 2);
        assert_eq!(got(&plain, TIME), 2_001);
        let (started, head_start) = given(plain.clone(), b"file");
        assert_eq!(head_start, HeadStart::Given);
        assert_eq!(got(&started, TIME), 1 + 2 + 1, "the first two readings of a clock that has just begun, and one");
    }

    #[test]
    fn what_does_not_ask_for_it_is_left_as_it_is() {
        let plain = component(false, TIME, 1);
        assert_eq!(given(plain.clone(), b"file"), (plain, HeadStart::None));
        assert_eq!(given(b"no component".to_vec(), b"file"), (b"no component".to_vec(), HeadStart::None));
    }

    #[test]
    fn the_seed_is_that_of_the_file() {
        let seeded = |file: &[u8]| {
            let (started, head_start) = given(component(true, NUMBERS, 4), file);
            assert_eq!(head_start, HeadStart::Given);
            got(&started, NUMBERS)
        };
        assert_eq!(seeded(b"file"), seeded(b"file"));
        assert_ne!(seeded(b"file"), seeded(b"another file"));
    }

    #[test]
    fn a_start_that_does_more_is_left_to_each_instance_and_says_why() {
        assert_eq!(refused(NUMBERS, 33), "it reads more than 256 random bytes");
        assert_eq!(refused(CONTRACT, 1), "it calls `sickbay:plugin/state@0.1.0.number`");
        assert!(!refused(("wasi:unknown/thing@0.2.0", "number"), 0).is_empty());
    }

    #[test]
    fn what_came_of_it_is_one_line() {
        for head_start in [HeadStart::None, HeadStart::Given, HeadStart::Refused("it prints: a".to_owned())] {
            assert_eq!(HeadStart::of_line(&head_start.line()), head_start);
        }
        assert_eq!(HeadStart::of_line("something else"), HeadStart::None);
    }
}
