//! One nginx with a path for each way in which a server may answer.

use std::process::Command;

use super::nginx::Nginx;

pub(crate) const PAGES: &str = r#"
    location = /ok { return 200 "all is well\n"; }
    location = /missing { return 404 "nothing here\n"; }
    location = /broken { return 500 "broken\n"; }
    location = /json { default_type application/json; return 200 '{"queue":{"length":3},"state":"ready"}'; }
    location = /big { root .; limit_rate 1k; }
    location = /bomb { root .; add_header content-encoding gzip; }
    location = /see { return 302 /ok; }
    location = /loop { return 302 /loop; }
    location = /elsewhere { return 302 http://localhost:$server_port/ok; }
    location = /metadata { return 302 http://169.254.169.254/latest/meta-data/; }
    location = /private { return 307 http://10.0.0.1/; }
    location = /files { return 302 ftp://localhost/x; }
    location = /user { return 302 http://user:secret@127.0.0.1:$server_port/ok; }
"#;

/// `big` takes longer than any run, `bomb` is small only as long as it is packed.
pub(crate) fn pages() -> Nginx {
    let (big, bomb) = (vec![b'x'; 200_000], bomb());
    Nginx::start(&[("big", big.as_slice()), ("bomb", bomb.as_slice())], 1, |ports| {
        format!("server {{ listen 127.0.0.1:{}; {PAGES} }}\n", ports[0])
    })
}

/// 50 MiB of zeros, packed by gzip to 50 KB.
pub(crate) fn bomb() -> Vec<u8> {
    let packed = Command::new("sh").args(["-c", "head -c 52428800 /dev/zero | gzip -9 -c"]).output().expect("gzip");
    assert!(packed.stdout.len() > 10_000 && packed.stdout.len() < 65_536, "gzip made {} bytes", packed.stdout.len());
    packed.stdout
}
