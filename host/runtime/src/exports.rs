//! Which interfaces of the contract a component exports: looked up once for each version, and held against the contract's types once, when
//! it is described. `check.run`, which is what runs all the time, is not held against them again for each instance.

use wasmtime::component::{ComponentExportIndex, Func, Instance, InstancePre, TypedFunc};
use wasmtime::{AsContextMut, Store};

use crate::bindings::exports::sickbay::plugin::{check, plugin, recovery, sink};
use crate::loader::Surface;
use crate::trap;

/// The engine takes another version of it for the same, where that fits.
const CHECK: &str = "sickbay:plugin/check@0.1.0";

pub(crate) struct Exports {
    plugin: plugin::GuestIndices,
    check: Option<CheckIndices>,
    recovery: Option<recovery::GuestIndices>,
    sink: Option<sink::GuestIndices>,
}

struct CheckIndices {
    /// What holds it against the contract's types.
    typed: check::GuestIndices,
    run: ComponentExportIndex,
}

impl CheckIndices {
    fn of<T: 'static>(pre: &InstancePre<T>) -> wasmtime::Result<CheckIndices> {
        let typed = check::GuestIndices::new(pre)?;
        let component = pre.component();
        let run = component.get_export_index(None, CHECK).and_then(|check| component.get_export_index(Some(&check), "run"));
        Ok(CheckIndices { typed, run: run.ok_or_else(|| trap("`check` has no `run`"))? })
    }
}

/// `check.run` of one instance.
#[derive(Clone, Copy)]
pub(crate) struct CheckRun(Func);

impl CheckRun {
    pub(crate) async fn call<T: Send + 'static>(
        &self,
        store: &mut Store<T>,
        request: &check::Request,
    ) -> wasmtime::Result<Result<check::Report, check::Failure>> {
        // SAFETY: the function is `check.run` of an instance of a version that was described: `Exports::plugin` has held this export of
        // the same component, linked the same way, against these types.
        let run = unsafe { TypedFunc::<(&check::Request,), (Result<check::Report, check::Failure>,)>::new_unchecked(self.0) };
        let (answer,) = run.call_async(store, (request,)).await?;
        Ok(answer)
    }
}

impl Exports {
    pub(crate) fn of<T: 'static>(pre: &InstancePre<T>, surface: &Surface) -> wasmtime::Result<Exports> {
        Ok(Exports {
            plugin: plugin::GuestIndices::new(pre)?,
            check: surface.exports_interface("check").then(|| CheckIndices::of(pre)).transpose()?,
            recovery: surface.exports_interface("recovery").then(|| recovery::GuestIndices::new(pre)).transpose()?,
            sink: surface.exports_interface("sink").then(|| sink::GuestIndices::new(pre)).transpose()?,
        })
    }

    /// What describes it, and with it all that it exports held against the contract's types.
    pub(crate) fn plugin(&self, mut store: impl AsContextMut, instance: &Instance) -> wasmtime::Result<plugin::Guest> {
        if let Some(check) = &self.check {
            check.typed.load(&mut store, instance)?;
        }
        if let Some(recovery) = &self.recovery {
            recovery.load(&mut store, instance)?;
        }
        if let Some(sink) = &self.sink {
            sink.load(&mut store, instance)?;
        }
        self.plugin.load(&mut store, instance)
    }

    /// Of an instance of a version that was described.
    pub(crate) fn check(&self, store: impl AsContextMut, instance: &Instance) -> wasmtime::Result<CheckRun> {
        let check = self.check.as_ref().ok_or_else(|| trap("the plugin exports no `check`"))?;
        instance.get_func(store, check.run).map(CheckRun).ok_or_else(|| trap("`check` has no `run`"))
    }

    pub(crate) fn recovery(&self, store: impl AsContextMut, instance: &Instance) -> wasmtime::Result<recovery::Guest> {
        self.recovery.as_ref().ok_or_else(|| trap("the plugin exports no `recovery`"))?.load(store, instance)
    }

    pub(crate) fn sink(&self, store: impl AsContextMut, instance: &Instance) -> wasmtime::Result<sink::Guest> {
        self.sink.as_ref().ok_or_else(|| trap("the plugin exports no `sink`"))?.load(store, instance)
    }
}
