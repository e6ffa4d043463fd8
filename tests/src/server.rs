//! A server program as a child process, on a port of 127.0.0.1 of its own.
//!
//! Invariant: a server does not outlive its test; where the program is missing a test fails and names the package.

use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Instant;

use rustix::process::Pid;

use crate::process::{Paused, free_port};
use crate::wait::{PATIENCE, PAUSE};

/// Another program may take a port before the server does.
const ATTEMPTS_MAX: usize = 5;

/// One server; killed when it is dropped.
#[derive(Debug)]
pub struct Server {
    /// What to install where the program is missing.
    package: &'static str,
    port: u16,
    /// None while it is stopped.
    child: Option<Child>,
}

impl Server {
    /// `command` is the program for a port; it stays in the foreground.
    ///
    /// # Panics
    /// When it is not installed or does not start.
    pub fn start(package: &'static str, command: impl Fn(u16) -> Command) -> Server {
        for _ in 0..ATTEMPTS_MAX {
            let port = free_port();
            let mut server = Server { package, port, child: None };
            if server.launch(command(port)) {
                return server;
            }
        }
        panic!("the server of `{package}` ended {ATTEMPTS_MAX} times while it started");
    }

    /// On 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Starts it anew, on the same port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self, command: Command) {
        self.stop();
        assert!(self.launch(command), "the server of `{}` does not start again on port {}", self.package, self.port);
    }

    /// Nobody listens on its port afterwards.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.child.take() {
            // One that has ended already cannot be killed.
            let _ = child.kill();
            child.wait().expect("the server ends");
        }
    }

    /// It stands still until the answer is dropped.
    pub fn pause(&self) -> Paused {
        Paused::new(Pid::from_child(self.child.as_ref().expect("it runs")))
    }

    /// False where it ended before it took a connection.
    fn launch(&mut self, mut command: Command) -> bool {
        // Some servers are in a folder that only root has on its path.
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let package = self.package;
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("{command:?} cannot be started: {error}; hint: install the Debian package `{package}`");
        });
        let child = self.child.insert(child);
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_err() {
            if child.try_wait().expect("a child can be asked").is_some() {
                return false;
            }
            assert!(began.elapsed() < PATIENCE, "{command:?} takes no connection after {} s", PATIENCE.as_secs());
            sleep(PAUSE);
        }
        true
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
