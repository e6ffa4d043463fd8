//! What belongs to one run inside its store.
//!
//! Invariant: all of it is made anew for each run, also where the instance is kept; between two runs a kept store holds nothing but the
//! number of bytes that its guest has.

use std::os::fd::AsRawFd;
use std::time::Duration;

use serde::Serialize;
use sickbay_core::Quota;
use wasmtime::component::{HasData, ResourceTable};
use wasmtime_wasi::clocks::{HostWallClock, WallClock, WasiClocksCtxView, WasiClocksView};
use wasmtime_wasi::p2::bindings::clocks::wall_clock::{self, Datetime};
use wasmtime_wasi::{FsPerms, WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};
use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::memory::MemoryMeter;
use crate::output::Output;
use crate::taped::Taped;
use crate::transcript::{Beyond, Clock, Tape};
use crate::wasi_http::Door;
use crate::{Folder, HostResult, Lend, Limits};

/// WASI handles that a guest may hold at once.
const HANDLES_MAX: usize = 256;
/// Header fields of one `wasi:http` message.
const FIELDS_BYTES_MAX: usize = 32 << 10;
/// Random bytes that a guest may ask for in one call.
const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// A guest runs, and so calls, only between `new` or `begin_again` and `take_lent`.
pub(crate) const LENT: &str = "something is lent while a run goes on";

/// The data of a run's store: what is lent, what is metered, and a WASI that gives nothing but what is lent.
pub struct RunContext<L> {
    door: Door<L>,
    /// Where the calls of the run are kept, or taken from.
    tape: Option<Box<Tape>>,
    pub(crate) memory: MemoryMeter,
    output: Option<Output>,
    output_bytes_max: u32,
    table: ResourceTable,
    /// Built when the guest first asks: most runs never do.
    wasi: Option<WasiCtx>,
    /// What WASI shows of the host's files, until WASI is built.
    folders: Vec<Folder>,
    http: WasiHttpCtx,
}

impl<L: Lend> RunContext<L> {
    pub(crate) fn new(lent: L, limits: &Limits) -> RunContext<L> {
        RunContext::of(Some(lent), MemoryMeter::new(limits.memory_bytes), limits.log_bytes)
    }

    fn of(mut lent: Option<L>, memory: MemoryMeter, output_bytes_max: u32) -> RunContext<L> {
        let tape = lent.as_mut().and_then(L::tape);
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS_BYTES_MAX);
        let door = Door { lent, is_used: false };
        RunContext { door, tape, memory, output: None, output_bytes_max, table, wasi: None, folders: Vec::new(), http }
    }

    /// For the next run of the instance.
    pub(crate) fn begin_again(&mut self, lent: L, limits: &Limits) {
        *self = RunContext::of(Some(lent), self.memory.renewed(limits.memory_bytes), limits.log_bytes);
    }

    /// The run is over: what was lent goes back.
    pub(crate) fn take_lent(&mut self) -> L {
        self.door.lent.take().expect(LENT)
    }

    /// The run is over: its tape goes back too.
    pub(crate) fn take_tape(&mut self) -> Option<Box<Tape>> {
        let is_used = self.door.is_used;
        let mut tape = self.tape.take()?;
        if is_used {
            tape.note(Beyond::WasiHttp);
        }
        Some(tape)
    }

    /// Puts what the guest is asked on the tape.
    pub(crate) fn tape_request<R: Serialize>(&mut self, request: &R, is_kept: bool) {
        if let (Some(tape), Some(lent)) = (&mut self.tape, &self.door.lent) {
            tape.request(lent, request);
            if is_kept {
                tape.note(Beyond::KeptInstance);
            }
        }
    }

    /// The first quota that the guest ran into through calls of the host.
    pub(crate) fn exceeded(&self) -> Option<(Quota, u64)> {
        self.tape.as_ref().and_then(|tape| tape.exceeded()).or_else(|| self.lent().exceeded())
    }

    /// Leaves nothing of the run that is over in an instance that is kept.
    pub(crate) fn rest(&mut self) {
        *self = RunContext::of(None, self.memory.renewed(0), 0);
    }

    pub(crate) fn lent(&self) -> &L {
        self.door.lent.as_ref().expect(LENT)
    }

    /// What answers the guest's calls.
    pub(crate) fn taped(&mut self) -> Taped<'_, L> {
        Taped { lent: self.door.lent(), tape: self.tape.as_deref_mut() }
    }

    /// What the guest waits on.
    pub(crate) fn clock(&mut self) -> Clock<'_> {
        let virtual_time = self.tape.as_ref().and_then(|tape| tape.virtual_time());
        Clock::new(self.clocks(), virtual_time)
    }

    /// Many a run asks WASI for nothing else.
    pub(crate) fn time_of_day(&mut self) -> TimeOfDay<'_> {
        if self.tape.is_none() && self.wasi.is_none() { TimeOfDay::Hosts } else { TimeOfDay::Wasis(self.clocks()) }
    }

    /// Whether the guest still holds a handle: it would mean nothing, or something else, in another run.
    pub(crate) fn holds_handles(&self) -> bool {
        !self.table.is_empty() || self.lent().holds_handles()
    }

    /// What the guest wrote to stdout and stderr, and how many bytes were dropped.
    pub(crate) fn take_output(&self) -> (String, u64) {
        self.output.as_ref().map(Output::take).unwrap_or_default()
    }

    /// Before the guest begins: WASI cannot wait for a folder. A run that is replayed is shown none.
    pub(crate) async fn enter_folders(&mut self) {
        if self.tape.as_ref().is_some_and(|tape| tape.plays()) {
            return;
        }
        self.folders = self.door.lent().folders().await;
        if let Some(tape) = self.tape.as_mut().filter(|_| !self.folders.is_empty()) {
            tape.note(Beyond::Folders);
        }
    }
}

/// What tells a run the time of day.
pub(crate) enum TimeOfDay<'run> {
    /// The host's own clock: WASI would give the same, and is not built yet.
    Hosts,
    /// What WASI was given: on a tape that is another.
    Wasis(WasiClocksCtxView<'run>),
}

/// For the linker.
pub(crate) struct TimeOfDayOfRun;

impl HasData for TimeOfDayOfRun {
    type Data<'run> = TimeOfDay<'run>;
}

impl wall_clock::Host for TimeOfDay<'_> {
    fn now(&mut self) -> HostResult<Datetime> {
        match self {
            TimeOfDay::Hosts => Ok(datetime(WallClock.now())),
            TimeOfDay::Wasis(wasi) => wall_clock::Host::now(wasi),
        }
    }

    fn resolution(&mut self) -> HostResult<Datetime> {
        match self {
            TimeOfDay::Hosts => Ok(datetime(WallClock.resolution())),
            TimeOfDay::Wasis(wasi) => wall_clock::Host::resolution(wasi),
        }
    }
}

fn datetime(time: Duration) -> Datetime {
    Datetime { seconds: time.as_secs(), nanoseconds: time.subsec_nanos() }
}

/// One that was closed to the host in the meantime is left out.
fn show(builder: &mut WasiCtxBuilder, folder: &Folder) {
    let perms = if folder.writable { FsPerms::ReadWrite } else { FsPerms::ReadOnly };
    let _ = builder.preopened_dir(format!("/proc/self/fd/{}", folder.directory.as_raw_fd()), &folder.guest, perms);
}

impl<L: Send> WasiView for RunContext<L> {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi.get_or_insert_with(|| {
            let output = Output::new(self.output_bytes_max);
            self.output = Some(output.clone());
            let mut builder = WasiCtxBuilder::new();
            builder.stdout(output.clone()).stderr(output).max_random_size(RANDOM_BYTES_MAX);
            if let Some(tape) = &self.tape {
                tape.give(&mut builder);
            }
            self.folders.drain(..).for_each(|folder| show(&mut builder, &folder));
            builder.build()
        });
        WasiCtxView { ctx: wasi, table: &mut self.table }
    }
}

impl<L: Lend> WasiHttpView for RunContext<L> {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.door, table: &mut self.table, ctx: &mut self.http }
    }
}
