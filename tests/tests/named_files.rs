//! What the configuration names as a file and is none: a pipe that nobody writes to, a device without an end. It is told with its place, and
//! holds up neither a reload nor the end.

use std::fs;

use rcgen::{CertificateParams, KeyPair};
use rustix::fs::{CWD, Mode, mkfifoat};
use sickbay_tests::{Sickbay, check, program, until};

fn put_pipe(sickbay: &Sickbay, name: &str) {
    mkfifoat(CWD, sickbay.path("pipe.part"), Mode::RUSR | Mode::WUSR).expect("a pipe");
    fs::rename(sickbay.path("pipe.part"), sickbay.path(name)).expect("a pipe can be renamed");
}

fn certificate() -> String {
    let key = KeyPair::generate().expect("a key");
    let params = CertificateParams::new(vec!["cache.internal".to_owned()]).expect("a name");
    params.self_signed(&key).expect("a certificate").pem()
}

#[tokio::test]
async fn what_is_no_file_is_refused_before_anything_starts() {
    let sickbay = Sickbay::prepared("", &["noop"]);
    put_pipe(&sickbay, "pipe");
    for (text, place) in [
        ("[egress]\nca_file = \"pipe\"\n", "`ca_file` is no file that can be read\n  --> sickbay.toml:5:11\n"),
        ("[sources.redis.cache]\nurl = \"rediss://cache\"\nca_file = \"/dev/zero\"\n", "sickbay.toml:6:11\n"),
        (
            "[sources.postgres.main]\nurl = \"postgres://me@db/x?sslmode=verify-ca&sslrootcert=/dev/zero\"\n",
            "`sslrootcert` in `url` is no file",
        ),
        ("[store]\nurl = \"postgres://me@db/x?sslrootcert=pipe\"\n", "`sslrootcert` in `url` is no file"),
    ] {
        sickbay.configure(&(text.to_owned() + &check("a", "noop", "24h", "")));
        for verb in ["validate", "serve"] {
            let ran = program::run(sickbay.folder(), &[verb, "--config", "sickbay.toml"]).await;
            assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{ran:?}");
            for part in [place, "is a pipe, a socket or a device"] {
                assert!(ran.err.contains(part), "`{part}` is not in {}", ran.err);
            }
        }
    }
    let asked = program::run(sickbay.folder(), &["status", "--url", "https://127.0.0.1:1", "--ca-file", "pipe"]).await;
    assert_eq!(asked.code, 2, "{asked:?}");
    assert!(asked.err.contains("pipe holds no certificate that can be trusted: it is a pipe"), "{asked:?}");
}

#[tokio::test]
async fn a_certificate_that_becomes_a_pipe_or_endless_holds_up_neither_reloads_nor_the_end() {
    let source = "[sources.redis.cache]\nurl = \"rediss://127.0.0.1:1\"\nca_file = \"ca.pem\"\n\n";
    let mut sickbay = Sickbay::prepared(&(source.to_owned() + &check("a", "noop", "24h", "")), &["noop"]);
    sickbay.write("ca.pem", certificate());
    sickbay.start().await;
    let state = async |sickbay: &Sickbay| sickbay.json("/api/v1/config").await;
    put_pipe(&sickbay, "ca.pem");
    until("the pipe is refused", async || state(&sickbay).await["last_reload_successful"] == false).await;
    let told = state(&sickbay).await["error"].to_string();
    assert!(told.contains("`ca_file` is no file that can be read") && told.contains("sickbay.toml:6:11"), "{told}");
    sickbay.write("ca.pem", certificate());
    until("it is mended", async || state(&sickbay).await["last_reload_successful"] == true).await;
    sickbay.configure(&(source.replace("ca.pem", "/dev/zero") + &check("a", "noop", "24h", "")));
    until("the endless one is refused", async || state(&sickbay).await["last_reload_successful"] == false).await;
    assert_eq!(sickbay.run_now("a").await["status"], "ok");
    put_pipe(&sickbay, "ca.pem");
    sickbay.hang_up();
    assert_eq!(sickbay.stop().await, 0);
}
