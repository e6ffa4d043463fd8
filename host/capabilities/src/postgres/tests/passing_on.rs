//! A connection that goes from one check to another: what goes out together, and what becomes of one that did not forget. The server is
//! made up here, since a real one always forgets.

use std::sync::Mutex;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::*;
use crate::source::lock;

/// What was said up to one `Sync` or in one query, with the number of the connection.
type Heard = Arc<Mutex<Vec<(usize, String)>>>;

/// Lets everybody in, answers every statement with one row, and refuses to forget. Gives its port.
async fn forgetful_of_nothing(heard: &Heard) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let heard = Arc::clone(heard);
    tokio::spawn(async move {
        let mut connections = 0;
        while let Ok((stream, _)) = listener.accept().await {
            connections += 1;
            tokio::spawn(serve(stream, connections, Arc::clone(&heard)));
        }
    });
    port
}

/// Ends with the connection.
async fn serve(mut stream: TcpStream, connection: usize, heard: Heard) -> Option<()> {
    let length = stream.read_u32().await.ok()?;
    read(&mut stream, length).await?;
    stream.write_all(&[message(b'R', &[0; 4]), ready(b'I')].concat()).await.ok()?;
    let (mut group, mut said) = (Vec::new(), String::new());
    loop {
        let tag = stream.read_u8().await.ok()?;
        let length = stream.read_u32().await.ok()?;
        let body = read(&mut stream, length).await?;
        said += &String::from_utf8_lossy(&body);
        match tag {
            b'Q' | b'S' => {
                let answer = if said.contains("DISCARD ALL") {
                    [message(b'E', b"SERROR\0VERROR\0C57014\0Mno\0\0"), ready(b'I')].concat()
                } else if tag == b'Q' {
                    [message(b'C', b"SET\0"), ready(b'I')].concat()
                } else {
                    answered(&group)
                };
                lock(&heard).push((connection, std::mem::take(&mut said)));
                group.clear();
                stream.write_all(&answer).await.ok()?;
            }
            _ => group.push(tag),
        }
    }
}

/// To the messages of a group.
fn answered(group: &[u8]) -> Vec<u8> {
    // One column `a` of type int4, and one row with 7.
    let columns = message(b'T', b"\0\x01a\0\0\0\0\0\0\0\0\0\0\x17\0\x04\xff\xff\xff\xff\0\0");
    let row = [message(b'D', b"\0\x01\0\0\0\x017"), message(b'C', b"SELECT 1\0")].concat();
    let mut is_described = false;
    let mut answer = Vec::new();
    for tag in group {
        answer.extend(match tag {
            b'P' => message(b'1', b""),
            b'B' => message(b'2', b""),
            b'D' => {
                is_described = true;
                columns.clone()
            }
            b'E' if is_described => row.clone(),
            _ => message(b'C', b"SET\0"),
        });
    }
    answer.extend(ready(b'T'));
    answer
}

/// The rest of a message; its length counts itself.
async fn read(stream: &mut TcpStream, length: u32) -> Option<Vec<u8>> {
    let mut body = vec![0; usize::try_from(length).ok()?.checked_sub(4)?];
    stream.read_exact(&mut body).await.ok()?;
    Some(body)
}

fn message(tag: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 4).expect("a short message");
    [&[tag][..], &length.to_be_bytes(), body].concat()
}

fn ready(status: u8) -> Vec<u8> {
    message(b'Z', &[status])
}

fn setup(port: u16) -> Setup {
    let mut setup = Setup::of(&format!("postgres://u@127.0.0.1:{port}/d?sslmode=disable"));
    setup.settings.connections_max = 1;
    setup
}

#[tokio::test]
async fn forgetting_goes_out_with_the_statement_and_where_it_fails_the_statement_is_run_elsewhere() {
    let heard = Heard::default();
    let setup = setup(forgetful_of_nothing(&heard).await);
    let services = Arc::clone(&setup.lent().services);
    assert_eq!(row(&mut setup.lent_to("one", &services), "select 1 as one").await, "int 7");
    assert_eq!(row(&mut setup.lent_to("one", &services), "select 1 as one").await, "int 7");
    assert_eq!(row(&mut setup.lent_to("other", &services), "select 2 as two").await, "int 7");
    let heard = lock(&heard).clone();
    let with = |part: &str| heard.iter().filter(|(_, said)| said.contains(part)).cloned().collect::<Vec<_>>();
    assert!(with("select 1 as one").iter().all(|(connection, _)| *connection == 1), "it was kept: {heard:?}");
    let forgetting = with("DISCARD ALL");
    let [(1, together)] = &forgetting[..] else { panic!("once, on the first connection: {heard:?}") };
    assert!(together.contains("BEGIN READ ONLY") && together.contains("select 2 as two"), "in one group: {together}");
    let asked: Vec<usize> = with("select 2 as two").iter().map(|(connection, _)| *connection).collect();
    assert_eq!(asked, [1, 2], "skipped on the first connection, run on the second");
}

#[tokio::test]
async fn nothing_is_changed_over_a_connection_that_did_not_forget() {
    let heard = Heard::default();
    let mut setup = setup(forgetful_of_nothing(&heard).await);
    setup.settings.access = Access::ReadWrite;
    let services = Arc::clone(&setup.lent().services);
    assert_eq!(row(&mut setup.lent_to("reads", &services), "select 1 as one").await, "int 7");
    setup.grant = setup.grant.with_access("read-write").expect("a grant");
    ask(&mut setup.lent_to("writes", &services), query("insert into t values (2)")).await.expect("inserted");
    let heard = lock(&heard).clone();
    let first = |part: &str| heard.iter().find(|(_, said)| said.contains(part)).map(|(connection, _)| *connection);
    assert_eq!(first("DISCARD ALL"), Some(1), "{heard:?}");
    let inserted: Vec<usize> = heard.iter().filter(|(_, said)| said.contains("insert")).map(|(connection, _)| *connection).collect();
    assert_eq!(inserted, [2], "{heard:?}");
}
