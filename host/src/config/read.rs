//! The files: found, bounded, decoded, parsed. The only part of the configuration that reads the disk.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;
use serde::Deserialize;
use sickbay_capabilities::small_file::{self, Unreadable};
use toml::de::{DeTable, ValueDeserializer};

use super::diagnostic::{Findings, Problem, shown};
use super::place::{Source, Span};
use super::shape::{self, FileRole};
use super::text::{self, FileText};

const FILE_BYTES_MAX: u64 = 8 << 20;
const ALL_FILES_BYTES_MAX: u64 = 64 << 20;
const CHECK_FILES_MAX: usize = 10_000;
/// After the first few, mistakes of syntax are echoes of each other.
const SYNTAX_ERRORS_SHOWN_MAX: usize = 5;

/// The folder beside the main file.
pub const CHECKS_FOLDER: &str = "checks.d";

/// A file, and what is written in it where its syntax is right.
pub(super) struct ReadFile {
    pub source: Arc<Source>,
    pub file: Option<FileText>,
}

/// What the files of a configuration look like from outside, to see whether one was changed. Taken before they are read, so that a change
/// while they are read is a difference to the next look. A file that cannot be looked at has no look, and one when it can be again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stamp(Vec<(PathBuf, Option<Look>)>);

/// One file from outside. Owner and mode are in it: who mends `permission denied` changes nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Look {
    bytes: u64,
    modified: (i64, i64),
    inode: u64,
    mode: u32,
    owner: (u32, u32),
}

impl Look {
    fn of(metadata: &Metadata) -> Look {
        Look {
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            inode: metadata.ino(),
            mode: metadata.mode(),
            owner: (metadata.uid(), metadata.gid()),
        }
    }
}

impl Stamp {
    pub fn of(path: &Path) -> Stamp {
        let mut files = vec![path.to_path_buf()];
        let folder = path.parent().unwrap_or(Path::new("")).join(CHECKS_FOLDER);
        if let Ok(entries) = fs::read_dir(&folder) {
            let paths = entries.flatten().map(|entry| entry.path());
            files.extend(paths.filter(|path| path.extension().is_some_and(|end| end == "toml")).take(CHECK_FILES_MAX + 1));
        }
        files.sort();
        let look = |path: PathBuf| {
            let look = fs::metadata(&path).ok().map(|metadata| Look::of(&metadata));
            (path, look)
        };
        Stamp(files.into_iter().map(look).collect())
    }

    /// With the looks of `files`, which the configuration names.
    pub fn beside(mut self, files: &[PathBuf]) -> Stamp {
        self.0.extend(files.iter().map(|file| (file.clone(), fs::metadata(file).ok().map(|metadata| Look::of(&metadata)))));
        self
    }
}

/// The main file, first, and those of `checks.d` by name. What could not be read is noted and left out.
pub(super) fn files(path: &Path, findings: &mut Findings) -> Vec<ReadFile> {
    let mut bytes_left = ALL_FILES_BYTES_MAX;
    let Some(main) = read(path, FileRole::Main, &mut bytes_left, findings) else { return Vec::new() };
    let mut files = vec![main];
    let folder = path.parent().unwrap_or(Path::new("")).join(CHECKS_FOLDER);
    for path in check_files(&folder, findings) {
        files.extend(read(&path, FileRole::Checks, &mut bytes_left, findings));
    }
    files
}

/// The main file alone, as far as its shape is right.
pub(super) fn main_file(path: &Path) -> Option<FileText> {
    let mut bytes_left = ALL_FILES_BYTES_MAX;
    read(path, FileRole::Main, &mut bytes_left, &mut Findings::default())?.file
}

/// The `.toml` files of the folder, sorted; hidden ones are those of editors.
fn check_files(folder: &Path, findings: &mut Findings) -> Vec<PathBuf> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Vec::new(),
        Err(error) => {
            findings.add_to_file(
                folder,
                Problem::new("the folder of checks cannot be read")
                    .reason(error.to_string())
                    .hint("make it a folder that can be read, or remove it"),
            );
            return Vec::new();
        }
    };
    let mut paths = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => {
                let name = entry.file_name();
                let name = name.to_string_lossy();
                if name.ends_with(".toml") && !name.starts_with('.') {
                    paths.push(entry.path());
                }
            }
            Err(error) => {
                let problem = Problem::new("the folder of checks cannot be read to its end").reason(error.to_string());
                findings.add_to_file(folder, problem.hint("see whether it is on a disk that works"));
            }
        }
        if paths.len() > CHECK_FILES_MAX {
            let reason = format!("there are more than {CHECK_FILES_MAX}");
            findings
                .add_to_file(folder, Problem::new("too many files with checks").reason(reason).hint("put several checks into one file"));
            return Vec::new();
        }
    }
    paths.sort();
    paths
}

fn read(path: &Path, role: FileRole, bytes_left: &mut u64, findings: &mut Findings) -> Option<ReadFile> {
    let content = match bytes_of(path, role, *bytes_left) {
        Ok(content) => content,
        Err(problem) => {
            findings.add_to_file(path, problem);
            return None;
        }
    };
    *bytes_left = bytes_left.saturating_sub(content.len() as u64);
    let source = decode(path, content, findings)?;
    let file = parse(&source, role, findings);
    Some(ReadFile { source: Arc::new(source), file })
}

fn bytes_of(path: &Path, role: FileRole, bytes_left: u64) -> Result<Vec<u8>, Problem> {
    small_file::read(path, FILE_BYTES_MAX.min(bytes_left)).map_err(|unreadable| problem_of(&unreadable, role))
}

fn problem_of(unreadable: &Unreadable, role: FileRole) -> Problem {
    match (unreadable, role) {
        (Unreadable::Missing, FileRole::Main) => Problem::new("there is no such file")
            .reason("without a configuration nothing would run")
            .hint("name the configuration with --config FILE, or begin with `sickbay quickstart`"),
        (Unreadable::Missing, FileRole::Checks) => {
            Problem::new("there is no such file").reason("it is a link that leads nowhere").hint("remove the link, or put the file back")
        }
        (Unreadable::Forbidden, _) => Problem::new("the file may not be read")
            .reason("its mode, or that of a folder above it, keeps this user out")
            .hint("let the user that Sickbay runs as read it"),
        (Unreadable::Folder, FileRole::Main) => Problem::new("this is a folder, not a file")
            .reason("the configuration begins with one file; `checks.d` beside it holds more")
            .hint("name the file in it, for example: --config FOLDER/sickbay.toml"),
        (Unreadable::Folder, FileRole::Checks) => Problem::new("this is a folder, not a file")
            .reason("no folders are looked for below `checks.d`")
            .hint("put the files of `checks.d` into it directly"),
        (Unreadable::NoFile, _) => Problem::new("this is not a file")
            .reason("it is a pipe, a socket or a device, which cannot be read again")
            .hint("write what it gives into a file, and name that"),
        (Unreadable::TooLarge { bytes_max: FILE_BYTES_MAX }, _) => Problem::new("the file is too large")
            .reason(format!("it has more than {FILE_BYTES_MAX} bytes"))
            .hint("spread the checks over files in `checks.d`"),
        (Unreadable::TooLarge { .. }, _) => Problem::new("the files are too large together")
            .reason(format!("they have more than {ALL_FILES_BYTES_MAX} bytes"))
            .hint("run a second host"),
        (Unreadable::Failed { error }, _) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
            Problem::new("the links lead in a circle").reason("no file is at their end").hint("put a file in the place of the link")
        }
        (Unreadable::Failed { error }, _) => {
            Problem::new("the file cannot be read").reason(error.to_string()).hint("see whether it is a file, and on a disk that works")
        }
    }
}

fn decode(path: &Path, content: Vec<u8>, findings: &mut Findings) -> Option<Source> {
    if content.starts_with(&[0xff, 0xfe]) || content.starts_with(&[0xfe, 0xff]) {
        findings.add_to_file(path, Problem::new("the file is UTF-16, not UTF-8").reason("TOML is UTF-8").hint("save it as UTF-8"));
        return None;
    }
    match String::from_utf8(content) {
        Ok(text) => Some(Source::new(path.to_path_buf(), text)),
        Err(error) => {
            let at = error.utf8_error().valid_up_to();
            let byte = error.as_bytes().get(at).copied().unwrap_or_default();
            // Up to `at` the lossy text is the same, so the place is right.
            let source = Source::new(path.to_path_buf(), String::from_utf8_lossy(error.as_bytes()).into_owned());
            let problem = Problem::new("the file is not UTF-8")
                .reason(format!("the byte 0x{byte:02x} begins no character here"))
                .hint("save it as UTF-8");
            findings.add(&source, Span::from(at..at + 1), problem);
            None
        }
    }
}

fn parse(source: &Source, role: FileRole, findings: &mut Findings) -> Option<FileText> {
    let (root, errors) = DeTable::parse_recoverable(source.text());
    if !errors.is_empty() {
        let mut lines = Vec::new();
        for error in errors {
            let span = Span::from(error.span().unwrap_or(0..0));
            let position = source.position(span);
            // One mistake makes the parser stumble several times on its line.
            if lines.contains(&position.line) || lines.len() >= SYNTAX_ERRORS_SHOWN_MAX {
                continue;
            }
            lines.push(position.line);
            findings.add(source, span, syntax_problem(error.message(), position.line_text));
        }
        return None;
    }
    let tree = shape::fit(root.into_inner(), role, text::schema(), source, findings);
    match FileText::deserialize(ValueDeserializer::from(tree)) {
        Ok(file) => Some(file),
        Err(error) => {
            findings.add(
                source,
                Span::from(error.span().unwrap_or(0..0)),
                Problem::new("this does not fit")
                    .reason(shown(error.message()))
                    .hint("compare with what `sickbay schema` says of this table"),
            );
            None
        }
    }
}

fn syntax_problem(message: &str, line: &str) -> Problem {
    let problem = Problem::new("this is not valid TOML").reason(shown(message));
    if message == "duplicate key" {
        return problem.hint("a key stands once in its table, a table once in its file; lists of tables have two brackets: [[check]]");
    }
    let bare_text =
        line.split_once('=').is_some_and(|(_, value)| value.trim_start().starts_with(|first: char| first.is_ascii_alphanumeric()));
    if bare_text {
        return problem.hint("texts stand in quotes, for example: every = \"10s\"");
    }
    problem.hint(match message {
        _ if message.starts_with("unclosed array table") => "close the header: [[check]]",
        _ if message.starts_with("unclosed table") => "close the header: [server]",
        _ if message.starts_with("unclosed array") => "close the list with `]`",
        _ if message.starts_with("unclosed inline table") => "close the table with `}`",
        _ if message.contains("string") => "a text begins and ends with a quote on one line: name = \"api\"",
        _ if message.contains("expected `=`") => "a key and its value stand on a line with `=` between them: every = \"10s\"",
        _ => "see whether a quote, a bracket or a comma is missing here or on the line before",
    })
}

/// The whole of a file that `key` of the main file names. What is in it is in no message.
pub(super) fn named_file(key: &str, text: &str, dir: &Path, bytes_max: u64) -> Result<Vec<u8>, Problem> {
    small_file::read(&dir.join(text), bytes_max).map_err(|unreadable| unreadable_file(key, text, &unreadable))
}

/// What to say of a file that `key` of the main file names by `text`.
pub(super) fn unreadable_file(key: &str, text: &str, unreadable: &Unreadable) -> Problem {
    let file = shown(text);
    Problem::new(format!("`{key}` is no file that can be read"))
        .reason(match unreadable {
            Unreadable::Missing => format!("there is no \"{file}\""),
            Unreadable::Forbidden => format!("\"{file}\" may not be read"),
            Unreadable::Folder => format!("\"{file}\" is a folder"),
            Unreadable::NoFile => format!("\"{file}\" is a pipe, a socket or a device"),
            Unreadable::TooLarge { bytes_max } => format!("\"{file}\" has more than {bytes_max} bytes"),
            Unreadable::Failed { error } => format!("\"{file}\": {error}"),
        })
        .hint("write a path that is absolute or relative to the folder of this file, and let the user that Sickbay runs as read it")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_the_folder_come_by_name_without_those_of_editors() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for name in ["b.toml", "a.toml", ".#c.toml", "d.toml~", "notes.txt"] {
            fs::write(dir.path().join(name), "").expect("the folder is writable");
        }
        let mut findings = Findings::default();
        let names: Vec<String> =
            check_files(dir.path(), &mut findings).iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect();
        assert_eq!(names, ["a.toml", "b.toml"]);
        assert!(!findings.has_errors());
    }

    /// What is said of a path that is no readable file.
    fn refused(path: &Path) -> String {
        bytes_of(path, FileRole::Main, ALL_FILES_BYTES_MAX).expect_err("it is refused").message
    }

    #[test]
    fn what_is_no_file_is_refused_and_never_waited_for() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = |name: &str| dir.path().join(name);
        std::os::unix::fs::symlink(path("loop"), path("loop")).expect("the folder is writable");
        std::os::unix::fs::symlink(path("nowhere"), path("link")).expect("the folder is writable");
        std::os::unix::net::UnixListener::bind(path("socket")).expect("a socket");
        rustix::fs::mkfifoat(rustix::fs::CWD, path("pipe"), rustix::fs::Mode::RUSR).expect("a pipe");
        assert_eq!(refused(&path("loop")), "the links lead in a circle");
        assert_eq!(refused(&path("link")), "there is no such file");
        assert_eq!(refused(&path("pipe")), "this is not a file");
        assert_eq!(refused(&path("socket")), "this is not a file");
        assert_eq!(refused(dir.path()), "this is a folder, not a file");
        assert_eq!(refused(Path::new("/dev/zero")), "this is not a file");
    }

    #[test]
    fn a_stamp_sees_what_is_removed_replaced_or_opened_to_us() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("sickbay.toml");
        let write = |text: &str| fs::write(&path, text).expect("the folder is writable");
        let allow = |mode: u32| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("the mode can be set");
        write("");
        allow(0o000);
        let mut before = Stamp::of(&path);
        assert_eq!(before, Stamp::of(&path));
        let mut differs = |what: &str| {
            let now = Stamp::of(&path);
            assert_ne!(before, now, "{what}");
            before = now;
        };
        allow(0o600);
        differs("it may be read");
        write("# more");
        differs("it is longer");
        fs::remove_file(&path).expect("it can be removed");
        differs("it is gone");
        fs::create_dir(&path).expect("a folder");
        differs("it is a folder");
    }

    #[test]
    fn a_file_above_the_limit_is_not_parsed() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let path = dir.path().join("sickbay.toml");
        fs::write(&path, vec![b'#'; FILE_BYTES_MAX as usize + 1]).expect("the folder is writable");
        assert_eq!(
            bytes_of(&path, FileRole::Main, ALL_FILES_BYTES_MAX).map_err(|problem| problem.message),
            Err("the file is too large".to_owned())
        );
        assert_eq!(
            bytes_of(&path, FileRole::Main, 10).map_err(|problem| problem.message),
            Err("the files are too large together".to_owned())
        );
    }
}
