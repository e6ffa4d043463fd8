//! The contract's `system` on a run.

use sickbay_runtime::{HostResult, trap};
use tokio::time::Instant;

use super::client::{self, Machine, ReadError};
use super::grant::Topic;
use super::policy::{Wanted, authorise};
use crate::contract::system::{Cpu, Disk, DiskIo, Host, Listener, Load, Memory, OpenFiles, Process, SystemError};
use crate::denial::Capability;
use crate::lent::Lent;

impl Host for Lent {
    async fn read_cpu(&mut self) -> HostResult<Result<Cpu, SystemError>> {
        let outcome = match self.enter(Wanted::Topic(Topic::Cpu))? {
            Ok((machine, deadline)) => machine.cpu(deadline).await,
            Err(denied) => return Ok(Err(denied)),
        };
        Ok(outcome.map_err(SystemError::from).map(|reading| Cpu {
            busy_ratio: reading.busy_ratio,
            iowait_ratio: reading.iowait_ratio,
            cores: reading.cores,
            window_ms: reading.window_ms,
        }))
    }

    async fn read_memory(&mut self) -> HostResult<Result<Memory, SystemError>> {
        let outcome = match self.enter(Wanted::Topic(Topic::Memory))? {
            Ok((machine, deadline)) => machine.memory(deadline).await,
            Err(denied) => return Ok(Err(denied)),
        };
        Ok(outcome.map_err(SystemError::from).map(|memory| Memory {
            total_bytes: memory.total_bytes,
            available_bytes: memory.available_bytes,
            swap_total_bytes: memory.swap_total_bytes,
            swap_used_bytes: memory.swap_used_bytes,
        }))
    }

    async fn read_load(&mut self) -> HostResult<Result<Load, SystemError>> {
        let outcome = match self.enter(Wanted::Topic(Topic::Load))? {
            Ok((machine, deadline)) => machine.load(deadline).await,
            Err(denied) => return Ok(Err(denied)),
        };
        Ok(outcome.map_err(SystemError::from).map(|[one, five, fifteen]| Load { one, five, fifteen }))
    }

    async fn read_disks(&mut self) -> HostResult<Result<Vec<Disk>, SystemError>> {
        let outcome = match self.enter(Wanted::Topic(Topic::Disk))? {
            Ok((machine, deadline)) => machine.disks(deadline).await,
            Err(denied) => return Ok(Err(denied)),
        };
        Ok(outcome.map_err(SystemError::from).map(|disks| disks.into_iter().map(Disk::from).collect()))
    }

    async fn read_disk_io(&mut self) -> HostResult<Result<Vec<DiskIo>, SystemError>> {
        let outcome = match self.enter(Wanted::Topic(Topic::Io))? {
            Ok((machine, deadline)) => machine.disk_io(deadline).await,
            Err(denied) => return Ok(Err(denied)),
        };
        let to_contract = |disk: super::parse::DiskIo| DiskIo {
            device: disk.device,
            read_bytes: disk.read_bytes,
            written_bytes: disk.written_bytes,
            busy_seconds: disk.busy_seconds,
        };
        Ok(outcome.map_err(SystemError::from).map(|disks| disks.into_iter().map(to_contract).collect()))
    }

    async fn read_processes(&mut self, name: String) -> HostResult<Result<Vec<Process>, SystemError>> {
        let outcome = match self.enter(Wanted::Processes(&name))? {
            Ok((machine, deadline)) => machine.processes(deadline, name.clone()).await,
            Err(denied) => return Ok(Err(denied)),
        };
        let to_contract = |process: client::Process| Process {
            pid: process.pid,
            name: name.clone(),
            resident_bytes: process.resident_bytes,
            cpu_seconds: process.cpu_seconds,
            started_at: process.started_ms,
        };
        Ok(outcome.map_err(SystemError::from).map(|processes| processes.into_iter().map(to_contract).collect()))
    }

    async fn read_listeners(&mut self) -> HostResult<Result<Vec<Listener>, SystemError>> {
        let outcome = match self.enter(Wanted::Topic(Topic::Listeners))? {
            Ok((machine, deadline)) => machine.listeners(deadline).await,
            Err(denied) => return Ok(Err(denied)),
        };
        let to_contract = |listener: client::Listener| Listener {
            protocol: listener.protocol.to_owned(),
            address: listener.socket.address.to_string(),
            port: listener.socket.port,
            process: None,
        };
        Ok(outcome.map_err(SystemError::from).map(|listeners| listeners.into_iter().map(to_contract).collect()))
    }

    async fn read_open_files(&mut self) -> HostResult<Result<OpenFiles, SystemError>> {
        let outcome = match self.enter(Wanted::Topic(Topic::Files))? {
            Ok((machine, deadline)) => machine.open_files(deadline).await,
            Err(denied) => return Ok(Err(denied)),
        };
        Ok(outcome.map_err(SystemError::from).map(|[open, maximum]| OpenFiles { open, maximum }))
    }
}

impl Lent {
    /// Counts and authorises one reading. A run without calls left is ended: the interface has no arm for it.
    fn enter(&mut self, wanted: Wanted<'_>) -> HostResult<Result<(&Machine, Instant), SystemError>> {
        self.meter.call(Capability::System).map_err(trap)?;
        if let Err(denial) = authorise(&self.grants.system, wanted) {
            return Ok(Err(SystemError::Denied(self.deny(denial))));
        }
        Ok(Ok((&self.services.machine, self.scope.deadline)))
    }
}

impl From<ReadError> for SystemError {
    fn from(error: ReadError) -> SystemError {
        match error {
            ReadError::Unsupported(message) => SystemError::Unsupported(message),
            ReadError::Other(message) => SystemError::Other(message),
        }
    }
}

impl From<client::Disk> for Disk {
    fn from(disk: client::Disk) -> Disk {
        Disk {
            mount: disk.mount.point,
            device: disk.mount.device,
            file_system: disk.mount.file_system,
            total_bytes: disk.total_bytes,
            available_bytes: disk.available_bytes,
            inodes_total: disk.inodes_total,
            inodes_free: disk.inodes_free,
            read_only: disk.read_only,
        }
    }
}
