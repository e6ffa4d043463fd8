//! What tests do to processes from outside, and ports for them.
//!
//! It needs nothing of this crate, so that the tests beside the code can take this file as a module of theirs.

use std::net::{Ipv4Addr, TcpListener};

use rustix::process::{Pid, Signal, kill_process};

/// A process that stands still until this is dropped: it keeps its ports and connections, and answers nothing.
#[derive(Debug)]
#[must_use = "dropped at once the process goes on at once"]
pub struct Paused(Pid);

impl Paused {
    /// # Panics
    /// Where there is no such process.
    pub fn new(process: Pid) -> Paused {
        kill_process(process, Signal::STOP).expect("a process of the tests can be sent a signal");
        Paused(process)
    }
}

impl Drop for Paused {
    fn drop(&mut self) {
        // It may have been killed meanwhile.
        let _ = kill_process(self.0, Signal::CONT);
    }
}

/// A port of 127.0.0.1 that nobody listens on just now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("an address").port()
}
