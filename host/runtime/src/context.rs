//! What belongs to one run inside its store.

use wasmtime::component::ResourceTable;
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder, WasiCtxView, WasiView};

use wasmtime_wasi_http::{WasiHttpCtx, WasiHttpCtxView, WasiHttpView};

use crate::Limits;
use crate::closed_http::ClosedHttp;
use crate::memory::MemoryMeter;
use crate::output::Output;

/// WASI handles that a guest may hold at once.
const HANDLES_MAX: usize = 256;
/// Header fields of one `wasi:http` message.
const FIELDS_BYTES_MAX: usize = 32 << 10;
/// Random bytes that a guest may ask for in one call.
const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// The data of a run's store: what is lent, what is metered, and a WASI that has nothing to give.
pub struct RunContext<L> {
    pub(crate) lent: L,
    pub(crate) memory: MemoryMeter,
    output: Option<Output>,
    output_bytes_max: u32,
    table: ResourceTable,
    /// Built when the guest first asks: most runs never do.
    wasi: Option<WasiCtx>,
    http: WasiHttpCtx,
    closed_http: ClosedHttp,
}

impl<L> RunContext<L> {
    pub(crate) fn new(lent: L, limits: &Limits) -> RunContext<L> {
        let mut table = ResourceTable::new();
        table.set_max_capacity(HANDLES_MAX);
        let mut http = WasiHttpCtx::new();
        http.set_field_size_limit(FIELDS_BYTES_MAX);
        RunContext {
            lent,
            memory: MemoryMeter::new(limits.memory_bytes),
            output: None,
            output_bytes_max: limits.log_bytes,
            table,
            wasi: None,
            http,
            closed_http: ClosedHttp,
        }
    }

    /// What the guest wrote to stdout and stderr, and how many bytes were dropped.
    pub(crate) fn take_output(&self) -> (String, u64) {
        self.output.as_ref().map(Output::take).unwrap_or_default()
    }
}

impl<L: Send> WasiView for RunContext<L> {
    fn ctx(&mut self) -> WasiCtxView<'_> {
        let wasi = self.wasi.get_or_insert_with(|| {
            let output = Output::new(self.output_bytes_max);
            self.output = Some(output.clone());
            WasiCtxBuilder::new().stdout(output.clone()).stderr(output).max_random_size(RANDOM_BYTES_MAX).build()
        });
        WasiCtxView { ctx: wasi, table: &mut self.table }
    }
}

impl<L: Send> WasiHttpView for RunContext<L> {
    fn http(&mut self) -> WasiHttpCtxView<'_> {
        WasiHttpCtxView { hooks: &mut self.closed_http, table: &mut self.table, ctx: &mut self.http }
    }
}
