//! Every kind of the plugin `files`, on real folders that go bad and come back; and a file system that fills up, which `disk` of the
//! plugin `system` sees too.

use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::Duration;

use sickbay_tests::{OK, Sickbay, Turn, Verdict, on_demand};

const HOUR: Duration = Duration::from_secs(3_600);

/// `config` is the inside of an inline table; the folder `data` is known as `/data`.
fn check(name: &str, kind: &str, config: &str) -> String {
    let grant = "files = [{ host = \"data\", guest = \"/data\", mode = \"ro\" }]";
    on_demand(name, "files", kind, &format!("config = {{ {config} }}\ngrants = {{ {grant} }}"))
}

/// As if it had been written so long ago.
fn age(path: &Path, by: Duration) {
    let file = File::options().write(true).open(path).expect("the file");
    let written = file.metadata().and_then(|metadata| metadata.modified()).expect("its time");
    file.set_modified(written - by).expect("another time");
}

fn append(path: &Path, text: &str) {
    let mut file = File::options().append(true).create(true).open(path).expect("the log");
    file.write_all(text.as_bytes()).expect("it is written");
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("its mode");
}

#[tokio::test]
async fn a_backup_that_is_old_or_empty_or_small_or_missing_is_told_until_there_is_a_new_one() {
    let mut sickbay = Sickbay::prepared(&check("backup", "freshness", "directory = \"/data\", pattern = \"*.dump\""), &["files"]);
    let data = sickbay.path("data");
    let (first, second) = (data.join("a.dump"), data.join("b.dump"));
    fs::create_dir(&data).expect("a folder");
    let write = || fs::write(&first, [b'x'; 100]).expect("a backup");
    write();
    sickbay.start().await;

    let turn = |turn| match turn {
        Turn::Break => age(&first, 72 * HOUR),
        Turn::Mend => write(),
    };
    let old = Verdict::critical("expired", &["the newest file, a.dump, is 3 d old"]);
    sickbay.breaks_and_mends("backup", old, turn).await;
    let turn = |turn| match turn {
        Turn::Break => age(&first, 30 * HOUR),
        Turn::Mend => write(),
    };
    sickbay.breaks_and_mends("backup", Verdict::warning("expired", &["is 1 d 6 h old"]), turn).await;

    let turn = |turn| match turn {
        Turn::Break => fs::write(&first, b"").expect("an empty backup"),
        Turn::Mend => write(),
    };
    sickbay.breaks_and_mends("backup", Verdict::critical("content", &["a.dump has only 0 B"]), turn).await;

    let turn = |turn| match turn {
        Turn::Break => {
            age(&first, HOUR);
            fs::write(&second, [b'x'; 10]).expect("a small backup");
        }
        Turn::Mend => fs::remove_file(&second).expect("the small backup"),
    };
    sickbay.breaks_and_mends("backup", Verdict::warning("content", &["b.dump has 10 B, the one before it 100 B"]), turn).await;

    let turn = |turn| match turn {
        Turn::Break => fs::remove_file(&first).expect("the backup"),
        Turn::Mend => write(),
    };
    sickbay.breaks_and_mends("backup", Verdict::critical("missing", &["no file *.dump in /data"]), turn).await;

    // What is granted need not be there; the message says what to mend.
    let turn = |turn| match turn {
        Turn::Break => fs::remove_dir_all(&data).expect("the folder"),
        Turn::Mend => {
            fs::create_dir(&data).expect("a folder");
            write();
        }
    };
    let gone = Verdict::critical("file-system", &["what is granted as `/data` is not there; hint: mend `host` in this grant of `files`"]);
    sickbay.breaks_and_mends("backup", gone, turn).await;
}

#[tokio::test]
async fn files_that_are_too_few_or_too_many_are_told_until_as_many_are_kept_as_should_be() {
    let config = "directory = \"/data\", pattern = \"*.dump\", count_min = 2, count_max = 3";
    let mut sickbay = Sickbay::prepared(&check("kept", "freshness", config), &["files"]);
    let data = sickbay.path("data");
    fs::create_dir(&data).expect("a folder");
    let keep = |names: &[&str]| {
        for name in names {
            fs::write(data.join(name), [b'x'; 100]).expect("a backup");
        }
    };
    let remove = |names: &[&str]| {
        for name in names {
            fs::remove_file(data.join(name)).expect("a backup");
        }
    };
    // What is not of the pattern counts for nothing.
    keep(&["a.dump", "b.dump", "note.txt"]);
    sickbay.start().await;

    let turn = |turn| match turn {
        Turn::Break => remove(&["a.dump"]),
        Turn::Mend => keep(&["a.dump"]),
    };
    sickbay.breaks_and_mends("kept", Verdict::warning("retention", &["only 1 file kept"]), turn).await;
    let turn = |turn| match turn {
        Turn::Break => keep(&["c.dump", "d.dump"]),
        Turn::Mend => remove(&["d.dump"]),
    };
    sickbay.breaks_and_mends("kept", Verdict::warning("retention", &["4 files kept"]), turn).await;
}

#[tokio::test]
async fn errors_in_a_log_count_until_their_window_is_over_also_when_it_is_rotated_or_truncated() {
    const ERRORS: &str = "ERROR a\nfine\nERROR b\nERROR c\nERROR harmless\nERROR d\n";
    let told = Verdict::critical("log-errors", &["4 lines match in 2 s"]);
    let config = "path = \"/data/app.log\", window_seconds = 2, warning_count = 1, critical_count = 3, ignore = \"harmless\"";
    let mut sickbay = Sickbay::prepared(&check("log", "log-errors", config), &["files"]);
    let (log, kept) = (sickbay.path("data/app.log"), sickbay.path("data/app.log.1"));
    fs::create_dir(sickbay.path("data")).expect("a folder");
    // What was there before the first run does not count.
    append(&log, &ERRORS.repeat(100));
    sickbay.start().await;

    // Nothing mends a log but time.
    let grows = |turn: Turn| {
        if turn == Turn::Break {
            append(&log, ERRORS);
        }
    };
    sickbay.breaks_and_mends("log", told, grows).await;
    let is_rotated = |turn: Turn| {
        if turn == Turn::Break {
            fs::rename(&log, &kept).expect("it is renamed");
            append(&log, ERRORS);
        }
    };
    sickbay.breaks_and_mends("log", told, is_rotated).await;
    append(&log, &"fine\n".repeat(100));
    let is_truncated = |turn: Turn| {
        if turn == Turn::Break {
            fs::write(&log, ERRORS).expect("it is written anew");
        }
    };
    sickbay.breaks_and_mends("log", told, is_truncated).await;

    let goes = |turn| match turn {
        Turn::Break => fs::remove_file(&log).expect("the log"),
        Turn::Mend => append(&log, ""),
    };
    sickbay.breaks_and_mends("log", Verdict::critical("missing", &["there is no `/data/app.log`"]), goes).await;

    // A link is not followed out of the granted folder.
    let outside = sickbay.path("sickbay.toml");
    let leads_out = |turn| match turn {
        Turn::Break => {
            fs::remove_file(&log).expect("the log");
            symlink(&outside, &log).expect("a link");
        }
        Turn::Mend => {
            fs::remove_file(&log).expect("the link");
            append(&log, "");
        }
    };
    sickbay.breaks_and_mends("log", Verdict::unknown(&["`/data/app.log` leads out of the granted folder `/data`"]), leads_out).await;
}

#[tokio::test]
async fn a_directory_is_judged_by_its_mode_its_room_and_whether_it_is_one() {
    const MIB: usize = 1 << 20;
    let room = "free_warning_bytes = 2097152, free_critical_bytes = 1048576";
    let mut sickbay = Sickbay::prepared("", &["files", "system"]).with_mounts("mount -t tmpfs -o size=8m tmpfs data");
    let mounted = fs::canonicalize(sickbay.folder()).expect("its path").join("data");
    let disk = format!("config = {{ include = [\"{}\"] }}\ngrants = {{ system = [\"disk\"] }}", mounted.display());
    let absent = "config = { include = [\"/never/mounted\"] }\ngrants = { system = [\"disk\"] }";
    let checks = [
        check("uploads", "directory", &format!("path = \"/data/uploads\", writable = true, mode = \"0750\", {room}")),
        on_demand("disk", "system", "disk", &disk),
        on_demand("absent", "system", "disk", absent),
    ];
    sickbay.configure(&checks.concat());
    fs::create_dir(sickbay.path("data")).expect("a folder");
    sickbay.start().await;
    let (data, uploads) = (sickbay.seen_path("data"), sickbay.seen_path("data/uploads"));
    let make = || {
        fs::create_dir(&uploads).expect("a directory");
        set_mode(&uploads, 0o750);
    };
    make();

    let turn = |turn| match turn {
        Turn::Break => set_mode(&uploads, 0o700),
        Turn::Mend => set_mode(&uploads, 0o750),
    };
    let narrow = Verdict::critical("permission", &["/data/uploads has the mode 0700, expected 0750"]);
    sickbay.breaks_and_mends("uploads", narrow, turn).await;

    let turn = |turn| match turn {
        Turn::Break => fs::remove_dir(&uploads).expect("the directory"),
        Turn::Mend => make(),
    };
    sickbay.breaks_and_mends("uploads", Verdict::critical("missing", &["there is no `/data/uploads`"]), turn).await;

    let turn = |turn| match turn {
        Turn::Break => {
            fs::remove_dir(&uploads).expect("the directory");
            fs::write(&uploads, b"").expect("a file in its place");
        }
        Turn::Mend => {
            fs::remove_file(&uploads).expect("the file");
            make();
        }
    };
    sickbay.breaks_and_mends("uploads", Verdict::critical("missing", &["/data/uploads is no directory"]), turn).await;

    // As a kernel does with a file system that it finds broken. It keeps root out too, whom no mode keeps out.
    let turn = |turn| match turn {
        Turn::Break => sickbay.change_mounts("mount -o remount,ro data"),
        Turn::Mend => sickbay.change_mounts("mount -o remount,rw data"),
    };
    sickbay.breaks_and_mends("uploads", Verdict::critical("permission", &["/data/uploads cannot be written"]), turn).await;

    let fill = data.join("fill");
    sickbay.all_come_to(&["uploads", "disk"], OK).await;
    fs::write(&fill, vec![b'x'; 6 * MIB + MIB / 2]).expect("a large file");
    sickbay.comes_to("uploads", Verdict::warning("disk", &["only 1.5 MiB available"])).await;
    fs::write(&fill, vec![b'x'; 7 * MIB + 3 * MIB / 4]).expect("a larger file");
    sickbay.comes_to("uploads", Verdict::critical("disk", &["only 256.0 KiB available"])).await;
    sickbay.comes_to("disk", Verdict::critical("disk", &["/data is 97 % full, 256.0 KiB available"])).await;
    fs::remove_file(&fill).expect("the large file");
    sickbay.all_come_to(&["uploads", "disk"], OK).await;

    sickbay.comes_to("absent", Verdict::critical("file-system", &["/never/mounted is not mounted"])).await;
}
