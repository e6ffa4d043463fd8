//! Every kind of the plugin `secrets`, on real files that go bad and come back.

use std::fs::{self, File};
use std::path::Path;
use std::time::Duration;

use crate::support_http::certificates::{leaf, self_signed};
use crate::support_http::rows::metric;
use rcgen::date_time_ymd;
use sickbay_tests::{Sickbay, Turn, Verdict, on_demand, until};

const DAY: Duration = Duration::from_secs(86_400);
const SECRET: &str = "secret-of-the-test-0123456789";

/// As if it had been written so long ago.
fn age(path: &Path, by: Duration) {
    let file = File::options().write(true).open(path).expect("the file");
    let written = file.metadata().and_then(|metadata| metadata.modified()).expect("its time");
    file.set_modified(written - by).expect("another time");
}

#[tokio::test]
async fn a_secret_that_nobody_changes_is_told_and_one_that_cannot_be_read_is_unknown() {
    let of = |name: &str, secret: &str| {
        let config = format!("secret = \"{secret}\", warning_days = 10, critical_days = 30");
        on_demand(name, "secrets", "age", &format!("config = {{ {config} }}\ngrants = {{ secrets = [{{ name = \"token\", to = [] }}] }}"))
    };
    let table = "[secrets.token]\nfile = \"token\"\nprevious_file = \"token.old\"\n\n".to_owned();
    let mut sickbay = Sickbay::prepared(&(table + &of("token", "token") + &of("ungranted", "other")), &["secrets"]);
    sickbay.write("token", SECRET);
    let (token, old) = (sickbay.path("token"), sickbay.path("token.old"));
    sickbay.start().await;
    let write = || sickbay.write("token", SECRET);

    let turn = |turn| match turn {
        Turn::Break => age(&token, 40 * DAY),
        Turn::Mend => write(),
    };
    sickbay.breaks_and_mends("token", Verdict::critical("expired", &["token was changed 40 d ago"]), turn).await;
    let turn = |turn| match turn {
        Turn::Break => age(&token, 20 * DAY),
        Turn::Mend => write(),
    };
    sickbay.breaks_and_mends("token", Verdict::warning("expired", &["token was changed 20 d ago"]), turn).await;

    let gone = Verdict::unknown(&["the secret `token` cannot be used: the file", "is not there; hint: put it there, or mend `file` in"]);
    let turn = |turn| match turn {
        Turn::Break => fs::remove_file(&token).expect("the secret"),
        Turn::Mend => write(),
    };
    sickbay.breaks_and_mends("token", gone, turn).await;
    let turn = |turn| match turn {
        Turn::Break => sickbay.write("token", ""),
        Turn::Mend => write(),
    };
    sickbay.breaks_and_mends("token", Verdict::unknown(&["is empty; hint: write the secret into it"]), turn).await;

    let versions = async || metric(&sickbay.run_now("token").await, "versions");
    assert_eq!(versions().await, Some(1.0));
    sickbay.write("token.old", SECRET);
    until("it is being rotated", async || versions().await == Some(2.0)).await;
    fs::remove_file(&old).expect("the one before");
    until("it is rotated", async || versions().await == Some(1.0)).await;

    sickbay.comes_to("ungranted", Verdict::unknown(&["secrets = [{ name = \"other\", to = [] }]"])).await;
    for text in [sickbay.log(), sickbay.get("/api/v1/checks/token/results").await.text()] {
        assert!(!text.contains(SECRET), "{text}");
    }
}

#[tokio::test]
async fn a_certificate_in_a_file_is_judged_by_its_time_and_the_first_of_several_to_end_counts() {
    let validity = |not_before, not_after| {
        let mut params = leaf("localhost");
        (params.not_before, params.not_after) = (date_time_ymd(not_before, 1, 1), date_time_ymd(not_after, 1, 1));
        self_signed(&params).certificate
    };
    let (good, soon, over, early) = (validity(1975, 4096), validity(1975, 2120), validity(1975, 2001), validity(4000, 4096));
    // In days: 2120 is sooner, 4096 is not.
    let config = "path = \"/certificates/server.pem\", warning_days = 70000, critical_days = 60000";
    let grant = "files = [{ host = \"certificates\", guest = \"/certificates\", mode = \"ro\" }]";
    let checks = on_demand("server", "secrets", "certificate", &format!("config = {{ {config} }}\ngrants = {{ {grant} }}"));
    let mut sickbay = Sickbay::prepared(&checks, &["secrets"]);
    fs::create_dir(sickbay.path("certificates")).expect("a folder");
    sickbay.write("certificates/server.pem", &good);
    sickbay.start().await;

    let both = format!("{good}{soon}");
    let garbled = good.replacen("CERTIFICATE-----", "CERTIFICATE-----\n!", 1);
    let rounds = [
        (soon.as_str(), Verdict::critical("certificate", &["the leaf expires in"])),
        (both.as_str(), Verdict::critical("certificate", &["the leaf expires in"])),
        (over.as_str(), Verdict::critical("expired", &["the leaf expired", "days ago"])),
        (early.as_str(), Verdict::critical("certificate", &["the leaf is not valid yet"])),
        ("no certificate\n", Verdict::critical("content", &["no certificate in /certificates/server.pem"])),
        (garbled.as_str(), Verdict::critical("content", &["the file is not PEM"])),
    ];
    for (pem, broken) in rounds {
        let turn = |turn: Turn| sickbay.write("certificates/server.pem", if turn == Turn::Break { pem } else { good.as_str() });
        sickbay.breaks_and_mends("server", broken, turn).await;
    }
    sickbay.write("certificates/server.pem", &both);
    assert_eq!(metric(&sickbay.run_now("server").await, "certificates"), Some(2.0));
    sickbay.write("certificates/server.pem", &good);

    let file = sickbay.path("certificates/server.pem");
    let turn = |turn| match turn {
        Turn::Break => fs::remove_file(&file).expect("the certificate"),
        Turn::Mend => sickbay.write("certificates/server.pem", &good),
    };
    sickbay.breaks_and_mends("server", Verdict::critical("missing", &["there is no `/certificates/server.pem`"]), turn).await;
    let folder = sickbay.path("certificates");
    let turn = |turn| match turn {
        Turn::Break => fs::remove_dir_all(&folder).expect("the folder"),
        Turn::Mend => {
            fs::create_dir(&folder).expect("a folder");
            sickbay.write("certificates/server.pem", &good);
        }
    };
    let gone = Verdict::unknown(&["what is granted as `/certificates` is not there; hint: mend `host`"]);
    sickbay.breaks_and_mends("server", gone, turn).await;
}
