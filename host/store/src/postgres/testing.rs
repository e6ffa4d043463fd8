//! A PostgreSQL server for tests: the real programs, a folder and a Unix socket of its own, no port that others could take. And what
//! stands between a store and its server, to lose an answer at the worst moment.
//!
//! Invariant: a server does not outlive the process that started it, however that ends; where the programs are missing a test fails.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        Arc, LazyLock,
        atomic::{AtomicU8, Ordering},
    },
};

use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection, postgres::PgConnectOptions, raw_sql};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
};

use super::server::Server;

pub(super) const PASSWORD: &str = "of-the-tests";
const INSTALLED: &str = "/usr/lib/postgresql";
const MISSING: &str = "PostgreSQL is not installed; hint: apt-get install -y --no-install-recommends postgresql";

/// The one that tests share which do not stop it.
pub(super) static SHARED: LazyLock<TestServer> = LazyLock::new(TestServer::start);

pub(super) struct TestServer {
    folder: PathBuf,
    programs: PathBuf,
    /// Ends the server and removes the folder when its standard input ends: when this is dropped, or with this process.
    _watcher: Child,
}

/// How a server is stopped.
pub(super) enum Stop {
    InOrder,
    /// Every process ends this moment; the next start recovers.
    AsACrash,
}

impl TestServer {
    /// # Panics
    /// When the programs are not installed, or the server does not start.
    pub(super) fn start() -> TestServer {
        let programs = programs();
        let folder = run(command("mktemp").args(["-d", "/tmp/sickbay-postgres-XXXXXX"]));
        let folder = PathBuf::from(folder.trim());
        let server = TestServer { _watcher: watcher(&programs, &folder), folder, programs };
        server.shell(&format!("printf %s {PASSWORD} >password"));
        server.shell(
            "\"$programs/initdb\" -D data -U postgres -A scram-sha-256 --pwfile=password -E UTF8 --locale=C -N && \
             printf '%s\\n' \"listen_addresses = ''\" \"unix_socket_directories = '$PWD'\" 'max_connections = 300' 'fsync = off' \
             'full_page_writes = off' >>data/postgresql.conf",
        );
        server.start_again();
        server
    }

    pub(super) fn start_again(&self) {
        self.shell("\"$programs/pg_ctl\" -D data -l log -w start || { cat log >&2; exit 1; }");
    }

    pub(super) fn stop(&self, how: Stop) {
        let mode = match how {
            Stop::InOrder => "fast",
            Stop::AsACrash => "immediate",
        };
        self.shell(&format!("\"$programs/pg_ctl\" -D data -m {mode} -w stop"));
    }

    /// The URL of a database, which is made when it is not there.
    pub(super) async fn url(&self, database: &str) -> String {
        let mut admin = self.session("postgres").await;
        let found = sqlx::query("SELECT 1 FROM pg_database WHERE datname = $1").bind(database).fetch_optional(&mut admin).await.unwrap();
        if found.is_none() {
            execute(&mut admin, format!("CREATE DATABASE \"{database}\" TEMPLATE template0")).await;
        }
        self.url_as("postgres", PASSWORD, database)
    }

    pub(super) async fn database(&self, database: &str) -> Server {
        Server::parse(&self.url(database).await).unwrap()
    }

    pub(super) fn url_as(&self, user: &str, password: &str, database: &str) -> String {
        let host = self.folder.display().to_string().replace('/', "%2F");
        format!("postgres://{user}:{password}@{host}/{database}")
    }

    /// A session of the administrator, with nothing set.
    pub(super) async fn session(&self, database: &str) -> PgConnection {
        let url: PgConnectOptions = self.url_as("postgres", PASSWORD, database).parse().unwrap();
        url.disable_statement_logging().connect().await.unwrap()
    }

    /// Something to stand between a store and a database of this server; gives the way through it.
    pub(super) async fn behind(&self, database: &str) -> (Server, Arc<Between>) {
        self.url(database).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("postgres://postgres:{PASSWORD}@{}/{database}?sslmode=disable", listener.local_addr().unwrap());
        let between = Arc::new(Between(AtomicU8::new(NOTHING)));
        tokio::spawn(accept(listener, self.folder.join(".s.PGSQL.5432"), Arc::clone(&between)));
        (Server::parse(&url).unwrap(), between)
    }

    fn shell(&self, script: &str) {
        // Not every folder that a test is started in is open to the user of the server.
        let mut command = command("sh");
        run(command.args(["-euc", &format!("cd \"$1\"; programs=$2; {script}"), "sh"]).arg(&self.folder).arg(&self.programs));
    }
}

pub(super) async fn execute(connection: &mut PgConnection, sql: impl Into<String>) {
    let sql: String = sql.into();
    raw_sql(AssertSqlSafe(sql.clone())).execute(connection).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
}

/// The newest version that Debian's packages installed, or what `SICKBAY_TEST_POSTGRES` names.
fn programs() -> PathBuf {
    if let Some(folder) = std::env::var_os("SICKBAY_TEST_POSTGRES") {
        return PathBuf::from(folder);
    }
    let installed = fs::read_dir(INSTALLED).into_iter().flatten().flatten().map(|version| version.path());
    let version = |path: &PathBuf| path.file_name().and_then(|name| name.to_str()?.parse::<u32>().ok());
    let newest = installed.filter(|path| path.join("bin/initdb").is_file()).max_by_key(version);
    newest.expect(MISSING).join("bin")
}

/// As the user that runs the server: it refuses to be root's.
fn command(program: &str) -> Command {
    let root = fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0);
    let mut command = Command::new(if root { "runuser" } else { program });
    if root {
        command.args(["-u", "postgres", "--", program]);
    }
    command.current_dir("/").stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn watcher(programs: &Path, folder: &Path) -> Child {
    let script = "read -r line; cd \"$1\"; \"$2/pg_ctl\" -D data -m immediate -w stop; cd /; rm -rf \"$1\"";
    let mut command = command("sh");
    command.args(["-c", script, "sh"]).arg(folder).arg(programs);
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// What becomes of the next `COMMIT` that passes.
pub(super) struct Between(AtomicU8);

const NOTHING: u8 = 0;
const LOSE_QUESTION: u8 = 1;
const LOSE_ANSWER: u8 = 2;

impl Between {
    /// It does not reach the server, and the connection ends.
    pub(super) fn lose_the_next_commit(&self) {
        self.0.store(LOSE_QUESTION, Ordering::SeqCst);
    }

    /// The server commits, and the connection ends before it can say so.
    pub(super) fn lose_the_next_answer_to_a_commit(&self) {
        self.0.store(LOSE_ANSWER, Ordering::SeqCst);
    }
}

async fn accept(listener: TcpListener, socket: PathBuf, between: Arc<Between>) {
    while let Ok((client, _)) = listener.accept().await {
        let (socket, between) = (socket.clone(), Arc::clone(&between));
        tokio::spawn(async move {
            if let Ok(server) = UnixStream::connect(socket).await {
                // A side that has gone is not this one's matter.
                let _ = forward(client, server, &between).await;
            }
        });
    }
}

async fn forward(mut client: TcpStream, mut server: UnixStream, between: &Between) -> std::io::Result<()> {
    let (mut question, mut answer) = (vec![0_u8; 1 << 16], vec![0_u8; 1 << 16]);
    loop {
        tokio::select! {
            read = client.read(&mut question) => {
                let question = &question[..read?];
                let what = if question.ends_with(b"COMMIT\0") { between.0.swap(NOTHING, Ordering::SeqCst) } else { NOTHING };
                if question.is_empty() || what == LOSE_QUESTION {
                    return Ok(());
                }
                server.write_all(question).await?;
                if what == LOSE_ANSWER {
                    return server.read(&mut answer).await.map(drop);
                }
            }
            read = server.read(&mut answer) => {
                let answer = &answer[..read?];
                if answer.is_empty() {
                    return Ok(());
                }
                client.write_all(answer).await?;
            }
        }
    }
}
