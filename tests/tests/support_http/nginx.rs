//! nginx as a child process with a folder and ports of its own.

use std::fs;
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Command, Stdio};

use rustix::process::Pid;
use sickbay_tests::process::{Paused, free_port};
use tempfile::TempDir;

use super::{Started, eventually};

/// A port that was free may be taken before nginx has it.
const STARTS_MAX: usize = 5;

/// One process without workers, so that stopping it stops all of it.
pub(crate) struct Nginx {
    /// First, so that it ends before its folder does.
    process: Option<Started>,
    folder: TempDir,
    pub(crate) ports: Vec<u16>,
}

impl Nginx {
    /// `files` are beside the configuration, by their name; `servers` writes the server blocks for `ports_len` ports.
    pub(crate) fn start(files: &[(&str, &[u8])], ports_len: usize, servers: impl Fn(&[u16]) -> String) -> Nginx {
        let mut why = String::new();
        for _ in 0..STARTS_MAX {
            let folder = tempfile::tempdir().expect("a temporary folder");
            for (name, bytes) in files {
                fs::write(folder.path().join(name), bytes).expect("a file of nginx");
            }
            let ports: Vec<u16> = (0..ports_len).map(|_| free_port()).collect();
            fs::write(folder.path().join("nginx.conf"), configuration(&servers(&ports))).expect("the configuration of nginx");
            let mut nginx = Nginx { process: None, folder, ports };
            match nginx.begin() {
                Ok(()) => return nginx,
                Err(told) => why = told,
            }
        }
        panic!("nginx did not start {STARTS_MAX} times: {why}");
    }

    /// `http://127.0.0.1:PORT` and `path`, on the first port.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.ports[0])
    }

    /// Replaces a file beside the configuration, in one step.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let part = self.folder.path().join(format!("{name}.part"));
        fs::write(&part, bytes).expect("a file of nginx");
        fs::rename(part, self.folder.path().join(name)).expect("a file of nginx");
    }

    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.folder.path().join(name)).expect("a file of nginx");
    }

    /// It stands still until the answer is dropped.
    pub(crate) fn pause(&self) -> Paused {
        Paused::new(Pid::from_child(&self.process.as_ref().expect("it runs").0))
    }

    /// Nobody listens on the ports afterwards.
    pub(crate) fn stop(&mut self) {
        self.process = None;
    }

    /// On the same ports.
    pub(crate) fn start_again(&mut self) {
        self.stop();
        eventually("nginx to start again", || self.begin().ok());
    }

    /// Returns when every port is listened on, or with what nginx complained about.
    fn begin(&mut self) -> Result<(), String> {
        let errors = self.folder.path().join("error.log");
        let mut command = Command::new("nginx");
        // It is in a folder that only root has on its path.
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{path}:/usr/sbin:/usr/local/sbin")).arg("-p").arg(self.folder.path()).arg("-e").arg(&errors);
        command.args(["-c", "nginx.conf"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().unwrap_or_else(|error| panic!("nginx cannot be started: {error}; hint: apt-get install nginx-light"));
        let process = self.process.insert(Started(child));
        let ports = &self.ports;
        let ended = eventually("nginx to listen", || {
            if process.0.try_wait().expect("its status").is_some() {
                return Some(true);
            }
            ports.iter().all(|port| TcpStream::connect((Ipv4Addr::LOCALHOST, *port)).is_ok()).then_some(false)
        });
        if ended { Err(fs::read_to_string(errors).unwrap_or_default()) } else { Ok(()) }
    }
}

fn configuration(servers: &str) -> String {
    format!(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log error.log;\nevents {{ worker_connections 256; }}\n\
         http {{\naccess_log off;\ndefault_type text/plain;\nssl_protocols TLSv1.2 TLSv1.3;\n\
         client_body_temp_path body;\nproxy_temp_path proxy;\nfastcgi_temp_path fastcgi;\nuwsgi_temp_path uwsgi;\nscgi_temp_path scgi;\n\
         {servers}}}\n"
    )
}
