//! A PostgreSQL server for tests: real, with a data folder of its own that is thrown away, on a free port of 127.0.0.1. And a PgBouncer
//! before it.
//!
//! How: the newest PostgreSQL of the machine (`SICKBAY_TEST_POSTGRES` names another folder of programs). As root everything runs as the
//! user `postgres`, because the server refuses root. Tests change the server with `psql`, over its UNIX socket, as the superuser.
//!
//! It needs nothing of this crate but `process.rs`, so that the tests beside the code can take both files as modules of theirs.
//!
//! Invariant: a server does not outlive the process that started it, however that ends: a shell waits at the end of a pipe for it.
//! Invariant: where the programs are missing a test fails and names the package; it is never skipped.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::process::{Paused, free_port};

/// Who the tests are, where nothing else is said; may look at statistics, and owns the database.
pub const USER: &str = "monitor";
pub const PASSWORD: &str = "monitor-secret";
pub const DATABASE: &str = "orders";

const PATIENCE: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(20);
/// A port that was free can be taken before the server has it.
const ATTEMPTS_MAX: usize = 5;

/// A server that is up.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    pub port: u16,
    /// Stops the server and removes its folder when the pipe to it is closed.
    guard: Child,
}

impl Postgres {
    /// One for all tests of this process: they share its tables, not its settings.
    pub fn shared() -> &'static Postgres {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(Postgres::start)
    }

    /// One for a test that stops it or changes its settings.
    ///
    /// # Panics
    /// Where it cannot be started, with what to install or what its log says.
    pub fn start() -> Postgres {
        let programs = programs();
        let folder = new_folder();
        let initdb = as_owner(programs.join("initdb"))
            .arg("-D")
            .arg(folder.join("data"))
            .args(["-U", "postgres", "-E", "UTF8", "--locale=C", "--auth-local=trust", "--auth-host=scram-sha-256", "--no-sync"])
            .output()
            .expect("`initdb` runs");
        assert!(initdb.status.success(), "initdb: {}", text(&initdb));
        let server = Postgres::in_folder(programs, folder);
        server.sql_of("postgres", &format!("CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}' IN ROLE pg_monitor"));
        server.sql_of("postgres", &format!("CREATE DATABASE {DATABASE} OWNER {USER}"));
        server
    }

    /// A standby that streams from this server, as it is now; it has the same users and data.
    ///
    /// # Panics
    /// Where it cannot be copied or started.
    pub fn standby(&self) -> Postgres {
        let folder = new_folder();
        let mut copy = as_owner(self.program("pg_basebackup"));
        copy.arg("-D").arg(folder.join("data")).arg("-h").arg(&self.folder).args(["-p", &self.port.to_string(), "-U", "postgres"]);
        run(copy.args(["-R", "-X", "stream", "-c", "fast", "--no-sync"]));
        Postgres::in_folder(self.programs.clone(), folder)
    }

    /// Starts what is in the folder.
    fn in_folder(programs: PathBuf, folder: PathBuf) -> Postgres {
        let guard = guard(&programs, &folder);
        let port = start_on_a_free_port(&programs, &folder);
        Postgres { programs, folder, port, guard }
    }

    /// Over TCP, with the password.
    pub fn url(&self) -> String {
        self.url_of(USER, PASSWORD, DATABASE)
    }

    pub fn url_of(&self, user: &str, password: &str, database: &str) -> String {
        format!("postgres://{user}:{password}@127.0.0.1:{}/{database}", self.port)
    }

    /// Over the UNIX socket, without a password.
    pub fn socket_url(&self) -> String {
        format!("postgres:///{DATABASE}?host={}&port={}&user={USER}", self.folder.display(), self.port)
    }

    /// One of the programs that came with the server: `psql` itself, not what stands for it on the path.
    pub fn program(&self, name: &str) -> PathBuf {
        self.programs.join(name)
    }

    /// What the superuser's `psql` prints: a line for each row, `|` between its values.
    pub fn sql(&self, sql: &str) -> String {
        self.sql_of(DATABASE, sql)
    }

    /// The same in another database.
    pub fn sql_of(&self, database: &str, sql: &str) -> String {
        let output = self.psql("postgres", database).args(["-v", "ON_ERROR_STOP=1", "-c", sql]).output().expect("`psql` runs");
        assert!(output.status.success(), "{sql}: {}", text(&output));
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// Over the UNIX socket.
    fn psql(&self, user: &str, database: &str) -> Command {
        let mut command = Command::new(self.program("psql"));
        command.args(["-X", "-q", "-A", "-t", "-U", user, "-d", database, "-p", &self.port.to_string(), "-h"]).arg(&self.folder);
        command
    }

    /// A session of this user that says `sql` and stays as it then is, until the answer is dropped. It is connected when this returns.
    ///
    /// # Panics
    /// When it does not connect.
    pub fn hold(&self, user: &str, sql: &str) -> Held<'_> {
        static HELD: AtomicUsize = AtomicUsize::new(0);
        let name = format!("held-{}", HELD.fetch_add(1, Ordering::Relaxed));
        let mut command = self.psql(user, DATABASE);
        command.env("PGAPPNAME", &name).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("`psql` runs");
        let input = child.stdin.as_mut().expect("a pipe");
        input.write_all(format!("{sql};\n").as_bytes()).expect("it is said");
        let began = Instant::now();
        let seen = format!("SELECT count(*) FROM pg_stat_activity WHERE application_name = '{name}'");
        while self.sql_of("postgres", &seen) == "0" {
            assert!(began.elapsed() < PATIENCE, "no session for `{sql}`");
            sleep(PAUSE);
        }
        Held { server: self, name, child }
    }

    /// Ends the connections of [`USER`].
    pub fn disconnect(&self) {
        self.sql_of("postgres", &format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{USER}'"));
    }

    /// From here on it has TLS, with this certificate and its key in PEM, and may ask clients for one of `client_ca`. Over TCP it takes whom
    /// the `lines` of its `pg_hba.conf` let in. Ends every connection.
    pub fn encrypt(&self, certificate: &str, key: &str, client_ca: &str, lines: &str) {
        let data = self.folder.join("data");
        for (name, text) in [("server.crt", certificate), ("server.key", key), ("root.crt", client_ca)] {
            write_as_owner(&data.join(name), text);
        }
        // It refuses a key that others may read.
        run(as_owner("chmod").arg("600").arg(data.join("server.key")));
        write_as_owner(&data.join("pg_hba.conf"), &format!("local all all trust\n{lines}\n"));
        self.sql("ALTER SYSTEM SET ssl = on");
        self.sql("ALTER SYSTEM SET ssl_ca_file = 'root.crt'");
        self.restart();
    }

    /// Ends every connection; the same port answers again when this returns.
    pub fn restart(&self) {
        self.control(&["-m", "fast", "-w", "restart"]);
    }

    /// As [`Postgres::restart`], with more settings: `-c max_connections=4`. One that was stopped is started.
    pub fn restart_with(&self, settings: &str) {
        let options = format!("{} {settings}", options(&self.folder, self.port));
        self.control(&["-m", "fast", "-w", "-o", &options, "restart"]);
    }

    /// From its next start on it follows nobody and writes nothing.
    pub fn become_standby(&self) {
        run(as_owner("touch").arg(self.folder.join("data/standby.signal")));
    }

    /// The process that takes connections.
    pub fn postmaster(&self) -> String {
        let file = fs::read_to_string(self.folder.join("data/postmaster.pid")).expect("the server runs");
        file.lines().next().unwrap_or_default().to_owned()
    }

    /// One of its processes stands still until the answer is dropped.
    pub fn pause(&self, process: &str) -> Paused {
        Paused::new(pid(process))
    }

    /// Ends one of its processes without a word; it takes all others down and comes again.
    pub fn kill(&self, process: &str) {
        kill_process(pid(process), Signal::KILL).expect("a process of the server can be sent a signal");
    }

    /// Nobody answers on the port from here on.
    pub fn stop(&self) {
        self.control(&["-m", "fast", "-w", "stop"]);
    }

    fn control(&self, arguments: &[&str]) {
        let output = pg_ctl(&self.programs, &self.folder).args(arguments).output().expect("`pg_ctl` runs");
        assert!(output.status.success(), "pg_ctl {arguments:?}: {}", text(&output));
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        end(&mut self.guard);
    }
}

/// A session that stays as it is.
#[derive(Debug)]
pub struct Held<'server> {
    server: &'server Postgres,
    name: String,
    child: Child,
}

impl Held<'_> {
    /// Says more.
    pub fn say(&mut self, sql: &str) {
        let input = self.child.stdin.as_mut().expect("a pipe");
        input.write_all(format!("{sql};\n").as_bytes()).expect("it is said");
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let sql = format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = '{}'", self.name);
        // The server may be away, and the session with it.
        let _ = self.server.psql("postgres", "postgres").args(["-c", &sql]).output();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A PgBouncer that hands out connections of one [`Postgres`] for a transaction each. Its console is the database `pgbouncer`.
#[derive(Debug)]
pub struct PgBouncer {
    psql: PathBuf,
    program: PathBuf,
    folder: PathBuf,
    pub port: u16,
    guard: Child,
}

impl PgBouncer {
    /// # Panics
    /// Where it cannot be started, with what to install or what its log says.
    pub fn start(server: &Postgres) -> PgBouncer {
        let program = find("pgbouncer").expect("`pgbouncer` is not installed; hint: install the Debian package `pgbouncer`");
        let folder = server.folder.join(format!("pgbouncer-{}", free_port()));
        run(as_owner("mkdir").arg(&folder));
        for _ in 0..ATTEMPTS_MAX {
            let port = free_port();
            let settings = format!(
                "[databases]\n{DATABASE} = host={} port={} user={USER}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                 unix_socket_dir =\nauth_type = any\nadmin_users = {USER}\npool_mode = transaction\ndefault_pool_size = 2\n\
                 pidfile = {folder}/pid\nlogfile = {folder}/log\n",
                server.folder.display(),
                server.port,
                folder = folder.display(),
            );
            write_as_owner(&folder.join("pgbouncer.ini"), &settings);
            let mut guard = pgbouncer(&program, &folder);
            if answers(port) {
                return PgBouncer { psql: server.program("psql"), program, folder, port, guard };
            }
            end(&mut guard);
        }
        panic!("PgBouncer does not start: {}", fs::read_to_string(folder.join("log")).unwrap_or_default());
    }

    pub fn url_of(&self, database: &str) -> String {
        format!("postgres://{USER}:{PASSWORD}@127.0.0.1:{}/{database}", self.port)
    }

    /// Says a command to its console: `PAUSE orders`.
    ///
    /// # Panics
    /// When it refuses the command.
    pub fn say(&self, command: &str) {
        run(Command::new(&self.psql).args(["-X", "-q", "-d", &self.url_of("pgbouncer"), "-c", command]).stdin(Stdio::null()));
    }

    /// A client that says `sql` and stays as it then is, until the answer is killed.
    pub fn client(&self, sql: &str) -> Child {
        let mut command = Command::new(&self.psql);
        command.args(["-X", "-q", "-d", &self.url_of(DATABASE)]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = command.spawn().expect("`psql` runs");
        let input = child.stdin.as_mut().expect("a pipe");
        input.write_all(format!("{sql};\n").as_bytes()).expect("it is said");
        child
    }

    /// It stands still until the answer is dropped.
    pub fn pause(&self) -> Paused {
        Paused::new(pid(fs::read_to_string(self.folder.join("pid")).expect("it runs").trim()))
    }

    /// Kills it; nobody answers on the port from here on.
    pub fn stop(&mut self) {
        end(&mut self.guard);
    }

    /// Starts it anew on its port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.stop();
        self.guard = pgbouncer(&self.program, &self.folder);
        assert!(answers(self.port), "PgBouncer does not start again on port {}", self.port);
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        end(&mut self.guard);
    }
}

fn programs() -> PathBuf {
    if let Some(named) = std::env::var_os("SICKBAY_TEST_POSTGRES") {
        return named.into();
    }
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|version| Some((version.file_name().to_str()?.parse().ok()?, version.path().join("bin"))))
        .filter(|(_, programs)| programs.join("initdb").exists())
        .collect();
    found.sort_unstable();
    let (_, newest) = found.pop().expect("PostgreSQL is not installed; hint: install the Debian package `postgresql`");
    newest
}

fn new_folder() -> PathBuf {
    let made = as_owner("mktemp").args(["-d", "/tmp/sickbay-postgres-XXXXXX"]).output().expect("`mktemp` runs");
    PathBuf::from(text(&made).trim())
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders = std::env::split_paths(&path).chain(["/usr/sbin".into(), "/usr/local/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(|program| program.exists())
}

fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

/// As the user who owns the data.
fn as_owner(program: impl AsRef<Path>) -> Command {
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program.as_ref());
        command
    } else {
        Command::new(program.as_ref())
    };
    // The owner may not be allowed into the folder of the tests.
    command.current_dir("/").stdin(Stdio::null());
    command
}

/// Runs `script` until the pipe is closed; arguments are added as `$1`, `$2`, ...
fn shell(script: &str) -> Command {
    let mut command = as_owner("sh");
    command.args(["-c", script, "sh"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C ends the tests; the shell has its work to do after them.
    command.process_group(0);
    command
}

fn guard(programs: &Path, folder: &Path) -> Child {
    let script = "read -r _; \"$1/pg_ctl\" -D \"$2/data\" -m immediate -w stop; rm -rf \"$2\"";
    shell(script).arg(programs).arg(folder).spawn().expect("`sh` runs")
}

fn pgbouncer(program: &Path, folder: &Path) -> Child {
    // One that was killed has left its process id behind.
    let script = "rm -f \"$2/pid\"; \"$1\" -q \"$2/pgbouncer.ini\" & read -r _; kill -9 $!";
    shell(script).arg(program).arg(folder).spawn().expect("`sh` runs")
}

/// Closes the pipe and waits until the shell has done its work.
fn end(guard: &mut Child) {
    drop(guard.stdin.take());
    // What it could not end is nothing that a test could mend.
    let _ = guard.wait();
}

fn pg_ctl(programs: &Path, folder: &Path) -> Command {
    let mut command = as_owner(programs.join("pg_ctl"));
    command.arg("-D").arg(folder.join("data")).arg("-l").arg(folder.join("log"));
    command
}

fn start_on_a_free_port(programs: &Path, folder: &Path) -> u16 {
    for _ in 0..ATTEMPTS_MAX {
        let port = free_port();
        let options = options(folder, port);
        // What it prints goes to its log: a pipe would be held open by the server.
        let mut start = pg_ctl(programs, folder);
        start.args(["-w", "-t", "60", "-o", &options, "start"]).stdout(Stdio::null()).stderr(Stdio::null());
        if start.status().expect("`pg_ctl` runs").success() {
            return port;
        }
    }
    panic!("PostgreSQL does not start: {}", fs::read_to_string(folder.join("log")).unwrap_or_default());
}

fn options(folder: &Path, port: u16) -> String {
    format!(
        "-c port={port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={} -c fsync=off -c shared_buffers=16MB \
         -c max_connections=40",
        folder.display()
    )
}

fn pid(written: &str) -> Pid {
    written.parse().ok().and_then(Pid::from_raw).unwrap_or_else(|| panic!("`{written}` is no process"))
}

fn answers(port: u16) -> bool {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return true;
        }
        sleep(PAUSE);
    }
    false
}

fn write_as_owner(path: &Path, content: &str) {
    let mut child = as_owner("sh").args(["-c", "cat >\"$1\"", "sh"]).arg(path).stdin(Stdio::piped()).spawn().expect("`sh` runs");
    let mut input = child.stdin.take().expect("a pipe");
    input.write_all(content.as_bytes()).expect("it is written");
    drop(input);
    assert!(child.wait().expect("`sh` ends").success(), "{} cannot be written", path.display());
}

fn run(command: &mut Command) {
    let output = command.output().expect("the program runs");
    assert!(output.status.success(), "{}", text(&output));
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}
