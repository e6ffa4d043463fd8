//! Which interfaces of the contract a component exports: looked up once for each version, typed for each instance.

use wasmtime::AsContextMut;
use wasmtime::component::{Instance, InstancePre};

use crate::bindings::exports::sickbay::plugin::{check, plugin, recovery, sink};
use crate::loader::Surface;
use crate::trap;

pub(crate) struct Exports {
    plugin: plugin::GuestIndices,
    check: Option<check::GuestIndices>,
    recovery: Option<recovery::GuestIndices>,
    sink: Option<sink::GuestIndices>,
}

impl Exports {
    pub(crate) fn of<T: 'static>(pre: &InstancePre<T>, surface: &Surface) -> wasmtime::Result<Exports> {
        Ok(Exports {
            plugin: plugin::GuestIndices::new(pre)?,
            check: surface.exports_interface("check").then(|| check::GuestIndices::new(pre)).transpose()?,
            recovery: surface.exports_interface("recovery").then(|| recovery::GuestIndices::new(pre)).transpose()?,
            sink: surface.exports_interface("sink").then(|| sink::GuestIndices::new(pre)).transpose()?,
        })
    }

    /// What describes it, and with it all that it exports held against the contract's types.
    pub(crate) fn plugin(&self, mut store: impl AsContextMut, instance: &Instance) -> wasmtime::Result<plugin::Guest> {
        if let Some(check) = &self.check {
            check.load(&mut store, instance)?;
        }
        if let Some(recovery) = &self.recovery {
            recovery.load(&mut store, instance)?;
        }
        if let Some(sink) = &self.sink {
            sink.load(&mut store, instance)?;
        }
        self.plugin.load(&mut store, instance)
    }

    pub(crate) fn check(&self, store: impl AsContextMut, instance: &Instance) -> wasmtime::Result<check::Guest> {
        self.check.as_ref().ok_or_else(|| trap("the plugin exports no `check`"))?.load(store, instance)
    }

    pub(crate) fn recovery(&self, store: impl AsContextMut, instance: &Instance) -> wasmtime::Result<recovery::Guest> {
        self.recovery.as_ref().ok_or_else(|| trap("the plugin exports no `recovery`"))?.load(store, instance)
    }

    pub(crate) fn sink(&self, store: impl AsContextMut, instance: &Instance) -> wasmtime::Result<sink::Guest> {
        self.sink.as_ref().ok_or_else(|| trap("the plugin exports no `sink`"))?.load(store, instance)
    }
}
