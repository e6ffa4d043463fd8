//! Host names for one program: it runs in a mount namespace of its own, in which `/etc/hosts` and `/etc/resolv.conf` are the test's, and
//! the only DNS server is a thread of the test.
//!
//! The machine's own files are not touched. Needs root, or a kernel that lets everyone have a namespace.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, UdpSocket};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;

use tempfile::TempDir;

use super::with_clean_environment;

const BIND_AND_RUN: &str = "set -e; mount --bind \"$1\" /etc/hosts; mount --bind \"$2\" /etc/resolv.conf; shift 2; exec \"$@\"";

/// Of a message in DNS: before the question, and its type and class behind the name.
const HEADER_BYTES: usize = 12;
const TYPE_AND_CLASS_BYTES: usize = 4;

type Names = Arc<Mutex<Vec<(IpAddr, String)>>>;

pub(crate) struct Resolver {
    folder: TempDir,
    names: Names,
}

impl Resolver {
    /// `names` are pairs of address and name that the DNS server knows; a name may have several.
    pub(crate) fn new(names: &[(&str, &str)]) -> Resolver {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let resolver = Resolver { folder, names: Names::default() };
        resolver.set(names);
        resolver.write_hosts(&[]);
        let port = serve(Arc::clone(&resolver.names));
        fs::write(resolver.folder.path().join("resolv.conf"), format!("nameserver [127.0.0.1]:{port}\n")).expect("a file");
        let tried = resolver.wrap("true").output().expect("unshare; hint: apt-get install util-linux");
        let told = String::from_utf8_lossy(&tried.stderr).into_owned();
        assert!(tried.status.success(), "no mount namespace: {told}; hint: run as root, or allow unprivileged user namespaces");
        resolver
    }

    /// From the next lookup on.
    pub(crate) fn set(&self, names: &[(&str, &str)]) {
        let names = names.iter().map(|(address, name)| (address.parse::<IpAddr>().expect("an address"), (*name).to_owned()));
        *self.names.lock().expect("the names") = names.collect();
    }

    /// Names that are in `/etc/hosts`, and that the DNS server does not know. Written in place: what is bound is the file, not its name.
    pub(crate) fn write_hosts(&self, names: &[(&str, &str)]) {
        let lines: String = names.iter().map(|(address, name)| format!("{address} {name}\n")).collect();
        fs::write(self.folder.path().join("hosts"), lines).expect("the names");
    }

    /// The program, which knows these names and no other.
    pub(crate) fn program(&self) -> Command {
        with_clean_environment(self.wrap(super::from_environment("SICKBAY_BIN")))
    }

    fn wrap(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new("unshare");
        command.arg("--mount");
        if !rustix::process::geteuid().is_root() {
            command.arg("--map-root-user");
        }
        let folder = self.folder.path();
        command.args(["sh", "-c", BIND_AND_RUN, "sh"]).arg(folder.join("hosts")).arg(folder.join("resolv.conf")).arg(program);
        command
    }
}

/// A DNS server on 127.0.0.1 that ends with the test program; gives its port.
fn serve(names: Names) -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let port = socket.local_addr().expect("its address").port();
    thread::spawn(move || {
        let mut question = [0; 512];
        while let Ok((length, client)) = socket.recv_from(&mut question) {
            if let Some(answer) = answer(&question[..length], &names.lock().expect("the names")) {
                // Whoever asked may have gone away.
                let _ = socket.send_to(&answer, client);
            }
        }
    });
    port
}

/// The addresses of the name in the family that is asked for; that there is no such name where it has none at all.
fn answer(question: &[u8], names: &[(IpAddr, String)]) -> Option<Vec<u8>> {
    let (name, name_bytes) = read_name(question.get(HEADER_BYTES..)?)?;
    let question = question.get(..HEADER_BYTES + name_bytes + TYPE_AND_CLASS_BYTES)?;
    let record_type = &question[HEADER_BYTES + name_bytes..][..2];
    let addresses: Vec<IpAddr> = names.iter().filter(|(_, known)| *known == name).map(|(address, _)| *address).collect();
    let records: Vec<Vec<u8>> = addresses.iter().map(record).filter(|record| record[2..4] == *record_type).collect();
    // An answer, recursion wanted and available; 3 is that there is no such name.
    let code = if addresses.is_empty() { 3 } else { 0 };
    let count = u8::try_from(records.len()).expect("few addresses");
    let mut answer = question.to_vec();
    answer[2..HEADER_BYTES].copy_from_slice(&[0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0]);
    answer.extend(records.concat());
    Some(answer)
}

/// The name that a message begins with behind its header, in lower case, and how many bytes it takes there.
fn read_name(bytes: &[u8]) -> Option<(String, usize)> {
    let mut labels: Vec<String> = Vec::new();
    let mut at = 0;
    loop {
        let length = usize::from(*bytes.get(at)?);
        at += 1;
        if length == 0 {
            return Some((labels.join("."), at));
        }
        labels.push(String::from_utf8_lossy(bytes.get(at..at + length)?).to_ascii_lowercase());
        at += length;
    }
}

/// An A or AAAA record of the name in the question, which nobody may keep.
fn record(address: &IpAddr) -> Vec<u8> {
    let (record_type, data) = match address {
        IpAddr::V4(address) => (1, address.octets().to_vec()),
        IpAddr::V6(address) => (28, address.octets().to_vec()),
    };
    let length = u8::try_from(data.len()).expect("4 or 16");
    let name_class_and_time = [0xc0, 12, 0, record_type, 0, 1, 0, 0, 0, 0, 0, length];
    [&name_class_and_time[..], &data].concat()
}
