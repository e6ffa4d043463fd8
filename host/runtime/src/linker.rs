//! What a guest may import: the contract, answered by what is lent or from a tape, and WASI 0.2 with nothing behind it but what is lent.

use wasmtime::Engine;
use wasmtime::component::{HasData, Linker};
use wasmtime_wasi::p2::bindings::clocks::{monotonic_clock, wall_clock};

use crate::bindings::sickbay::plugin as contract;
use crate::context::TimeOfDayOfRun;
use crate::taped::Taped;
use crate::transcript::ClockOfRun;
use crate::{Lend, RunContext};

struct Lent<L>(std::marker::PhantomData<L>);

impl<L: Lend> HasData for Lent<L> {
    type Data<'a> = Taped<'a, L>;
}

pub(crate) fn linker<L: Lend>(engine: &Engine) -> wasmtime::Result<Linker<RunContext<L>>> {
    let mut linker = Linker::<RunContext<L>>::new(engine);
    wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    // Ours in the engine's place: a run on a transcript waits for nothing, and the time of day is told without building WASI.
    linker.allow_shadowing(true);
    wall_clock::add_to_linker::<_, TimeOfDayOfRun>(&mut linker, |context| context.time_of_day())?;
    monotonic_clock::add_to_linker::<_, ClockOfRun>(&mut linker, |context| context.clock())?;
    linker.allow_shadowing(false);
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(&mut linker)?;
    contract::types::add_to_linker::<_, Lent<L>>(&mut linker, |context| context.taped())?;
    contract::http::add_to_linker::<_, Lent<L>>(&mut linker, |context| context.taped())?;
    contract::postgres::add_to_linker::<_, Lent<L>>(&mut linker, |context| context.taped())?;
    contract::redis::add_to_linker::<_, Lent<L>>(&mut linker, |context| context.taped())?;
    contract::net::add_to_linker::<_, Lent<L>>(&mut linker, |context| context.taped())?;
    contract::secrets::add_to_linker::<_, Lent<L>>(&mut linker, |context| context.taped())?;
    contract::files::add_to_linker::<_, Lent<L>>(&mut linker, |context| context.taped())?;
    contract::system::add_to_linker::<_, Lent<L>>(&mut linker, |context| context.taped())?;
    contract::state::add_to_linker::<_, Lent<L>>(&mut linker, |context| context.taped())?;
    contract::log::add_to_linker::<_, Lent<L>>(&mut linker, |context| context.taped())?;
    Ok(linker)
}
