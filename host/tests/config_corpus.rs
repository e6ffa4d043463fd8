//! The corpus of configurations: every mistake a person makes has its golden message, and what is right loads.
//!
//! `tests/config/bad/NAME.toml` (or a folder `NAME` with a `sickbay.toml`) must fail with exactly `NAME.txt`, warnings first;
//! `tests/config/good/NAME.toml` must load, with exactly the warnings of `NAME.txt` (none where there is no such file).
//! `SICKBAY_BLESS=1` writes the golden files in place of comparing them: read the diff.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use sickbay::config;

const BAD_LEN_MIN: usize = 36;

/// A configuration of the corpus, and what is expected of it.
struct Case {
    name: String,
    path: PathBuf,
    golden: PathBuf,
}

fn corpus(kind: &str) -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/config").join(kind);
    let folder = folder.canonicalize().expect("the corpus is there");
    let mut cases: Vec<Case> = fs::read_dir(&folder)
        .expect("the corpus is a folder")
        .map(|entry| entry.expect("the corpus can be read").path())
        .filter_map(|path| case(&folder, &path))
        .collect();
    cases.sort_by(|left, right| left.name.cmp(&right.name));
    cases
}

fn case(folder: &Path, path: &Path) -> Option<Case> {
    let file = path.file_name()?.to_str()?;
    let (name, path) = match file.strip_suffix(".toml") {
        Some(name) => (name, path.to_path_buf()),
        None if path.is_dir() => (file, path.join("sickbay.toml")),
        None => return None,
    };
    Some(Case { name: name.to_owned(), golden: folder.join(format!("{name}.txt")), path })
}

impl Case {
    /// `text` without the place of this checkout.
    fn portable(&self, text: &str) -> String {
        let folder = self.path.parent().expect("a file is in a folder");
        let text = text.replace(&format!("{}/", folder.display()), "");
        if text.is_empty() { text } else { text + "\n" }
    }

    /// What differs from the golden file; blesses `actual` where asked to.
    fn difference(&self, actual: &str) -> Option<String> {
        if env::var_os("SICKBAY_BLESS").is_some_and(|value| value == "1") {
            if actual.is_empty() {
                // A golden file that is not there stands for nothing said.
                let _ = fs::remove_file(&self.golden);
            } else {
                fs::write(&self.golden, actual).expect("the golden file can be written");
            }
            return None;
        }
        let golden = fs::read_to_string(&self.golden).unwrap_or_default();
        (golden != actual).then(|| format!("{}\n--- golden\n{golden}--- actual\n{actual}", self.name))
    }
}

fn assert_none(differences: &[String]) {
    let hint = "SICKBAY_BLESS=1 writes the golden files";
    assert!(differences.is_empty(), "{} of the corpus differ ({hint}):\n\n{}", differences.len(), differences.join("\n"));
}

#[test]
fn every_bad_configuration_fails_with_its_golden_message() {
    let cases = corpus("bad");
    assert!(cases.len() >= BAD_LEN_MIN, "the corpus has {} cases, at least {BAD_LEN_MIN} are wanted", cases.len());
    let differences: Vec<String> = cases
        .iter()
        .filter_map(|case| match config::load(&case.path) {
            Ok(_) => Some(format!("{} was accepted", case.name)),
            Err(errors) => case.difference(&case.portable(&errors.to_string())),
        })
        .collect();
    assert_none(&differences);
}

#[test]
fn every_bad_configuration_is_told_where_why_and_how_to_mend_it() {
    for case in corpus("bad") {
        let errors = config::load(&case.path).expect_err(&case.name);
        for error in &errors.errors {
            assert!(error.reason.is_some(), "{} tells no reason: {error}", case.name);
            assert!(error.hint.is_some(), "{} tells no hint: {error}", case.name);
            assert!(!error.to_string().contains("secret@"), "{} shows a password", case.name);
        }
    }
}

#[test]
fn every_good_configuration_loads_with_its_golden_warnings() {
    let differences: Vec<String> = corpus("good")
        .iter()
        .filter_map(|case| match config::load(&case.path) {
            Ok(config) => {
                let warnings: Vec<String> = config.warnings.iter().map(ToString::to_string).collect();
                case.difference(&case.portable(&warnings.join("\n\n")))
            }
            Err(errors) => Some(format!("{} was refused:\n{errors}", case.name)),
        })
        .collect();
    assert_none(&differences);
}

/// Cuts and slips at every place: whatever is in the file, it is judged and not crashed on.
#[test]
fn a_half_written_file_never_panics() {
    let complete = corpus("good").into_iter().find(|case| case.name == "complete").expect("the corpus has it");
    let text = fs::read_to_string(&complete.path).expect("it can be read");
    let dir = tempfile::tempdir().expect("a temporary folder");
    let path = dir.path().join("sickbay.toml");
    for (cut, _) in text.char_indices().step_by(7) {
        for broken in [text[..cut].to_owned(), format!("{}?{}", &text[..cut], &text[cut..])] {
            fs::write(&path, &broken).expect("the folder is writable");
            let found = config::load(&path).map_or_else(|errors| errors.errors, |config| config.warnings);
            let lines = broken.split('\n').count();
            for diagnostic in found {
                assert!(diagnostic.line <= lines, "{diagnostic}\nin a file of {lines} lines");
            }
        }
    }
}
