//! The one place where a guest's calls pass from the engine to what is lent, and by a tape where there is one.
//!
//! Every function of the contract is written here once: without one of them nothing compiles, so none is forgotten when the contract grows.
//! With no tape a call costs one branch more.

use serde::Serialize;
use serde::de::DeserializeOwned;
use wasmtime::component::Resource;

use crate::bindings::sickbay::plugin as contract;
use crate::transcript::{Next, Tape};
use crate::{HostResult, Lend};

/// What is lent to one run, with its tape.
pub(crate) struct Taped<'run, L> {
    pub(crate) lent: &'run mut L,
    pub(crate) tape: Option<&'run mut Tape>,
}

impl<L: Lend> Taped<'_, L> {
    fn ask<A: Serialize, T: DeserializeOwned>(&mut self, call: &str, names: &[&str], arguments: &A) -> HostResult<Next<T>> {
        match &mut self.tape {
            None => Ok(Next::Lent(None)),
            Some(tape) => tape.ask(&*self.lent, call, names, arguments),
        }
    }

    fn answered<T: Serialize>(&mut self, index: Option<usize>, answer: &HostResult<T>) {
        if let Some(tape) = &mut self.tape {
            tape.answered(&*self.lent, index, answer);
        }
    }
}

/// The trait of one interface: each function asks the tape, else what is lent.
macro_rules! taped {
    ($interface:ident: $(fn $function:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        impl<L: Lend> contract::$interface::Host for Taped<'_, L> {
            $(async fn $function(&mut self, $($argument: $kind),*) -> HostResult<$answer> {
                const CALL: &str = concat!(stringify!($interface), ".", stringify!($function));
                let next = self.ask(CALL, &[$(stringify!($argument)),*], &($(&$argument,)*))?;
                match next {
                    Next::Told(answer) => Ok(answer),
                    Next::Lent(index) => {
                        let answer = contract::$interface::Host::$function(&mut *self.lent, $($argument),*).await;
                        self.answered(index, &answer);
                        answer
                    }
                }
            })*
        }
    };
}

/// The vocabulary has no functions.
impl<L: Lend> contract::types::Host for Taped<'_, L> {}

taped! { http:
    fn send(request: contract::http::Request, options: contract::http::Options)
        -> Result<contract::http::Response, contract::http::HttpError>;
    fn send_many(requests: Vec<contract::http::Request>, options: contract::http::Options)
        -> Vec<Result<contract::http::Response, contract::http::HttpError>>;
}

taped! { postgres:
    fn run(source: String, query: contract::postgres::Query)
        -> Result<contract::postgres::RowSet, contract::postgres::PostgresError>;
    fn run_many(source: String, queries: Vec<contract::postgres::Query>)
        -> Result<Vec<contract::postgres::RowSet>, contract::postgres::PostgresError>;
    fn run_simple(source: String, sql: String, timeout_ms: Option<u32>)
        -> Result<contract::postgres::RowSet, contract::postgres::PostgresError>;
}

taped! { redis:
    fn run(source: String, command: contract::redis::Command, timeout_ms: Option<u32>)
        -> Result<contract::redis::Reply, contract::redis::RedisError>;
    fn run_many(source: String, commands: Vec<contract::redis::Command>, timeout_ms: Option<u32>)
        -> Result<Vec<contract::redis::Reply>, contract::redis::RedisError>;
}

taped! { secrets:
    fn inspect(secret: String) -> Result<contract::secrets::SecretInfo, contract::secrets::SecretError>;
    fn sign(secret: String, algorithm: String, prefix: String, data: Vec<u8>) -> Result<Vec<Vec<u8>>, contract::secrets::SecretError>;
    fn encode(text: String, encoding: String) -> Result<String, contract::secrets::SecretError>;
}

taped! { files:
    fn read_info(path: String) -> Result<contract::files::FileInfo, contract::files::FileError>;
    fn read_directory(path: String, after: Option<String>) -> Result<Vec<contract::files::FileInfo>, contract::files::FileError>;
    fn read_bytes(path: String, offset: u64, bytes_max: u32) -> Result<Vec<u8>, contract::files::FileError>;
    fn read_space(path: String) -> Result<contract::files::Space, contract::files::FileError>;
    fn create_directory(path: String) -> Result<(), contract::files::FileError>;
    fn remove(path: String) -> Result<(), contract::files::FileError>;
    fn set_mode(path: String, mode: u32) -> Result<(), contract::files::FileError>;
}

taped! { system:
    fn read_cpu() -> Result<contract::system::Cpu, contract::system::SystemError>;
    fn read_memory() -> Result<contract::system::Memory, contract::system::SystemError>;
    fn read_load() -> Result<contract::system::Load, contract::system::SystemError>;
    fn read_disks() -> Result<Vec<contract::system::Disk>, contract::system::SystemError>;
    fn read_disk_io() -> Result<Vec<contract::system::DiskIo>, contract::system::SystemError>;
    fn read_processes(name: String) -> Result<Vec<contract::system::Process>, contract::system::SystemError>;
    fn read_listeners() -> Result<Vec<contract::system::Listener>, contract::system::SystemError>;
    fn read_open_files() -> Result<contract::system::OpenFiles, contract::system::SystemError>;
}

taped! { state:
    fn get(key: String) -> Option<Vec<u8>>;
    fn put(key: String, value: Vec<u8>) -> Result<(), String>;
    fn remove(key: String) -> ();
}

taped! { log:
    fn write(level: contract::log::Level, message: String, fields: Vec<contract::types::Label>) -> ();
}

/// Connections are handles, which are numbers on a tape.
impl<L: Lend> contract::net::Host for Taped<'_, L> {
    async fn connect(
        &mut self,
        target: contract::net::Target,
    ) -> HostResult<Result<Resource<contract::net::Connection>, contract::net::NetError>> {
        let next: Next<Result<u32, contract::net::NetError>> = self.ask("net.connect", &["target"], &(&target,))?;
        match next {
            Next::Told(answer) => Ok(answer.map(Resource::new_own)),
            Next::Lent(index) => {
                let answer = contract::net::Host::connect(&mut *self.lent, target).await;
                if index.is_some() {
                    let number = match &answer {
                        Ok(opened) => Ok(opened.as_ref().map(Resource::rep)),
                        Err(error) => Err(wasmtime::Error::msg(error.to_string())),
                    };
                    self.answered(index, &number);
                }
                answer
            }
        }
    }

    async fn dns_resolve(&mut self, name: String, kind: String) -> HostResult<Result<contract::net::DnsAnswer, contract::net::NetError>> {
        let next = self.ask("net.dns_resolve", &["name", "kind"], &(&name, &kind))?;
        match next {
            Next::Told(answer) => Ok(answer),
            Next::Lent(index) => {
                let answer = contract::net::Host::dns_resolve(&mut *self.lent, name, kind).await;
                self.answered(index, &answer);
                answer
            }
        }
    }
}

type Connection = Resource<contract::net::Connection>;

impl<L: Lend> contract::net::HostConnection for Taped<'_, L> {
    async fn opened(&mut self, connection: Connection) -> HostResult<contract::net::Opened> {
        let next = self.ask("net.opened", &["connection"], &(connection.rep(),))?;
        match next {
            Next::Told(answer) => Ok(answer),
            Next::Lent(index) => {
                let answer = contract::net::HostConnection::opened(&mut *self.lent, connection).await;
                self.answered(index, &answer);
                answer
            }
        }
    }

    async fn send(&mut self, connection: Connection, bytes: Vec<u8>) -> HostResult<Result<(), contract::net::NetError>> {
        let next = self.ask("net.send", &["connection", "bytes"], &(connection.rep(), &bytes))?;
        match next {
            Next::Told(answer) => Ok(answer),
            Next::Lent(index) => {
                let answer = contract::net::HostConnection::send(&mut *self.lent, connection, bytes).await;
                self.answered(index, &answer);
                answer
            }
        }
    }

    async fn receive(
        &mut self,
        connection: Connection,
        until: Vec<u8>,
        bytes_max: u32,
        timeout_ms: Option<u32>,
    ) -> HostResult<Result<Vec<u8>, contract::net::NetError>> {
        let names = ["connection", "until", "bytes_max", "timeout_ms"];
        let next = self.ask("net.receive", &names, &(connection.rep(), &until, bytes_max, timeout_ms))?;
        match next {
            Next::Told(answer) => Ok(answer),
            Next::Lent(index) => {
                let answer = contract::net::HostConnection::receive(&mut *self.lent, connection, until, bytes_max, timeout_ms).await;
                self.answered(index, &answer);
                answer
            }
        }
    }

    async fn start_tls(&mut self, connection: Connection) -> HostResult<Result<contract::types::TlsSession, contract::net::NetError>> {
        let next = self.ask("net.start_tls", &["connection"], &(connection.rep(),))?;
        match next {
            Next::Told(answer) => Ok(answer),
            Next::Lent(index) => {
                let answer = contract::net::HostConnection::start_tls(&mut *self.lent, connection).await;
                self.answered(index, &answer);
                answer
            }
        }
    }

    /// No call of the guest. Where a tape plays there is nothing to close.
    async fn drop(&mut self, connection: Connection) -> HostResult<()> {
        if self.tape.as_ref().is_some_and(|tape| tape.plays()) {
            return Ok(());
        }
        contract::net::HostConnection::drop(&mut *self.lent, connection).await
    }
}
