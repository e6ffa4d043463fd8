//! What a new plugin begins with: the template of its language, under the plugin's own name.
//!
//! A template is a whole plugin that is called by one of [`PLACEHOLDERS`]; the name takes its place in its files and in their names. Where a
//! manifest names the SDK, it is led to the one that this program brings along, so that tests and builds need no registry for it; where tools
//! look for it in a folder of the plugin, a link stands there.
//!
//! Invariant: nothing that is there is overwritten.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::plan::shell_path;
use super::{Language, embedded, go};
use crate::failure::Failure;

/// What a template calls the plugin: the first of these that it holds. With underscores it is replaced too.
const PLACEHOLDERS: [&str; 2] = ["plugin-name", "my-check"];
/// Where a template has none of its own.
const GITIGNORE: &str = "/target/\n/plugins/\n/build/\n/sickbay\n__pycache__/\nnode_modules/\n";
const NAME_BYTES_MAX: usize = 63;
/// Where the SDK is installed.
const PYTHON_TESTS: &str = "python3 -m unittest";

/// The languages that have one.
pub fn languages() -> Vec<Language> {
    Language::ALL.into_iter().filter(|language| embedded::below(&language.template()).next().is_some()).collect()
}

/// The name of the plugin in `directory`: the one that was asked for, else the folder's.
///
/// # Errors
/// When no plugin can be called so in every language.
pub fn name(asked: Option<&str>, directory: &Path) -> Result<String, Failure> {
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_path_buf());
    let of_folder = || absolute.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = asked.map_or_else(of_folder, str::to_owned);
    let inner = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    if name.len() <= NAME_BYTES_MAX && name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase()) && name.bytes().all(inner) {
        return Ok(name);
    }
    Err(Failure::usage(format!("a new plugin cannot be called {name:?}"))
        .with_hint(format!("--name my-check: lower case letters, digits and `-`, a letter first, at most {NAME_BYTES_MAX}")))
}

/// Writes the template into `directory`, which is made. Gives the files, sorted.
///
/// # Errors
/// When the folder is not empty, the language has no template, or something cannot be written.
pub fn create(language: Language, name: &str, directory: &Path, tools: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let template = language.template();
    if embedded::below(&template).next().is_none() {
        let known: Vec<&str> = languages().into_iter().map(Language::word).collect();
        let failure = Failure::usage(format!("there is no template for {language} in this version"));
        return Err(failure.with_hint(format!("there are {}", known.join(", "))).into());
    }
    refuse_occupied(directory)?;
    embedded::unpacked(tools)?;
    let sdk = embedded::current(tools).join("sdk").join(language.word());
    let mut files = Vec::new();
    let placeholder = placeholder(&template);
    for (path, contents) in embedded::below(&template) {
        let path = directory.join(renamed(path, placeholder, name));
        let contents = match std::str::from_utf8(contents) {
            Ok(text) => bound(language, &path, renamed(text, placeholder, name), &sdk).into_bytes(),
            Err(_) => contents.to_vec(),
        };
        embedded::write(&path, &contents).with_context(|| format!("cannot write {}", path.display()))?;
        files.push(path);
    }
    let ignored = directory.join(".gitignore");
    if !ignored.exists() {
        fs::write(&ignored, GITIGNORE).with_context(|| format!("cannot write {}", ignored.display()))?;
        files.push(ignored);
    }
    if let Some(place) = place_of_sdk(language) {
        let link = directory.join(place);
        let linking = || format!("cannot link the SDK to {}", link.display());
        fs::create_dir_all(link.parent().unwrap_or(directory)).with_context(linking)?;
        symlink(&sdk, &link).with_context(linking)?;
    }
    files.sort();
    Ok(files)
}

fn refuse_occupied(directory: &Path) -> anyhow::Result<()> {
    let occupied = |what: &str| Failure::usage(format!("{} {what}", directory.display())).with_hint("name a folder that is not there yet");
    match directory.read_dir() {
        Ok(mut entries) => match entries.next() {
            Some(_) => Err(occupied("is there already, and is not empty").into()),
            None => Ok(()),
        },
        Err(error) => match error.kind() {
            ErrorKind::NotFound => Ok(()),
            ErrorKind::NotADirectory => Err(occupied("is a file").into()),
            _ => Err(anyhow::Error::from(error).context(Failure::usage(format!("cannot look into {}", directory.display())))),
        },
    }
}

fn placeholder(template: &str) -> &'static str {
    let holds = |placeholder: &&str| {
        embedded::below(template).any(|(_, contents)| std::str::from_utf8(contents).is_ok_and(|text| text.contains(*placeholder)))
    };
    PLACEHOLDERS.into_iter().find(holds).unwrap_or(PLACEHOLDERS[0])
}

/// In one pass: the name may hold a placeholder itself.
fn renamed(text: &str, placeholder: &str, name: &str) -> String {
    text.replace(placeholder, name).replace(&placeholder.replace('-', "_"), &name.replace('-', "_"))
}

/// What names the SDK, led to where it is on this machine; any other file as it is.
fn bound(language: Language, path: &Path, text: String, sdk: &Path) -> String {
    // A JSON text is a text of TOML and of go.mod too.
    let quoted = |path: String| serde_json::Value::from(path).to_string();
    let path_text = sdk.display().to_string();
    match (language, path.file_name().and_then(|name| name.to_str())) {
        (Language::Rust, Some("Cargo.toml")) => {
            let here = format!("sickbay-sdk = {{ path = {} }}", quoted(path_text));
            replace_line(&text, "sickbay-sdk = ", |elsewhere| format!("# Where this machine has it; on another: {elsewhere}\n{here}"))
        }
        (Language::JavaScript, Some("package.json")) => {
            let here = format!("\"@sickbay/sdk\": {}", quoted(format!("file:{path_text}")));
            replace_line(&text, "\"@sickbay/sdk\": ", |line| if line.ends_with(',') { format!("{here},") } else { here.clone() })
        }
        // Its interpreter has no file that says where a package is.
        (Language::Python, Some("README.md")) => text.replace(PYTHON_TESTS, &python_tests(sdk)),
        (Language::Go, Some("go.mod")) if !text.contains("=>") => {
            format!("{}\n\n// Where this machine has it.\nreplace {} => {}\n", text.trim_end(), go::SDK, quoted(path_text))
        }
        _ => text,
    }
}

/// `text` with another line for each that begins with `sign`, indented as before.
fn replace_line(text: &str, sign: &str, other: impl Fn(&str) -> String) -> String {
    let mut replaced = String::new();
    for line in text.lines() {
        let content = line.trim_start();
        if content.starts_with(sign) {
            replaced.push_str(&line[..line.len() - content.len()]);
            replaced.push_str(&other(content.trim_end()));
        } else {
            replaced.push_str(line);
        }
        replaced.push('\n');
    }
    replaced
}

/// Where tools look for the SDK in a plugin's folder, before anything is installed there.
fn place_of_sdk(language: Language) -> Option<&'static str> {
    match language {
        Language::JavaScript => Some("node_modules/@sickbay/sdk"),
        Language::C => Some("sickbay"),
        Language::Rust | Language::Python | Language::Go => None,
    }
}

/// What runs the tests of a new plugin, in its folder.
pub fn test_command(language: Language, tools: &Path) -> String {
    let sdk = embedded::current(tools).join("sdk").join(language.word());
    match language {
        Language::Rust => "cargo test".to_owned(),
        Language::Python => python_tests(&sdk),
        Language::JavaScript => "node --test".to_owned(),
        Language::Go => "go test ./...".to_owned(),
        Language::C => "make test".to_owned(),
    }
}

fn python_tests(sdk: &Path) -> String {
    format!("PYTHONPATH={} {PYTHON_TESTS}", shell_path(sdk))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_template_is_written_under_the_plugins_own_name() {
        assert!(languages().contains(&Language::Python));
        for language in languages() {
            let folder = tempfile::tempdir().expect("temporary folder");
            let directory = folder.path().join("queue-age");
            let tools = folder.path().join("tools");
            let files = create(language, "queue-age", &directory, &tools).expect("written");
            assert!(files.len() >= 3 && files.iter().all(|file| file.is_file()), "{files:?}");
            let texts: Vec<String> = files.iter().map(|file| fs::read_to_string(file).expect("text")).collect();
            assert!(texts.iter().any(|text| text.contains("queue-age")), "{language}");
            assert!(place_of_sdk(language).is_none_or(|place| directory.join(place).join("README.md").is_file()), "{language}");
            let placeholder = placeholder(&language.template());
            let is_left = |text: &String| text.to_lowercase().replace('_', "-").contains(placeholder);
            assert!(!texts.iter().any(is_left), "{language}: {placeholder} is left");
            let told = fs::read_to_string(directory.join("README.md")).expect("a README");
            for command in [test_command(language, &tools).as_str(), "sickbay build . --out plugins", "sickbay test", "sickbay watch ."] {
                assert!(told.contains(&format!("\n{command}")), "{language}: {command} is not in {told}");
            }
            assert!(directory.join("fixtures/first.toml").is_file(), "{language} has no fixture");
        }
    }

    #[test]
    fn a_folder_that_is_not_empty_is_left_alone() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (tools, directory) = (folder.path().join("tools"), folder.path().join("mine"));
        fs::create_dir(&directory).expect("folder");
        create(Language::Python, "mine", &directory, &tools).expect("an empty folder is taken");
        let before = fs::read(directory.join("app.py")).expect("written");
        let error = create(Language::Python, "other", &directory, &tools).expect_err("it is not empty");
        assert!(error.to_string().ends_with("mine is there already, and is not empty"), "{error}");
        assert_eq!(fs::read(directory.join("app.py")).expect("there"), before);
        let error = create(Language::Python, "other", &directory.join("app.py"), &tools).expect_err("a file");
        assert!(error.to_string().ends_with("app.py is a file"), "{error}");
    }

    #[test]
    fn a_plugin_is_called_as_its_folder_or_as_it_is_asked_to_be() {
        assert_eq!(name(None, Path::new("some/queue-age")).expect("a name"), "queue-age");
        assert_eq!(name(Some("other"), Path::new("Some Folder")).expect("a name"), "other");
        for directory in ["Queue", "1st", "a_b", "a.b", "/", "é"] {
            let failure = name(None, Path::new(directory)).expect_err(directory);
            assert!(failure.hint().is_some_and(|hint| hint.starts_with("--name my-check")), "{failure}");
        }
        assert!(name(Some(&"a".repeat(64)), Path::new("a")).is_err());
    }

    #[test]
    fn a_manifest_is_led_to_the_sdk_on_this_machine() {
        let sdk = Path::new("/tools/current/sdk/x");
        let of = |language, file: &str, text: &str| bound(language, Path::new(file), text.to_owned(), sdk);
        assert_eq!(
            of(Language::Rust, "Cargo.toml", "[dependencies]\nsickbay-sdk = { git = \"x\" }\n"),
            "[dependencies]\n# Where this machine has it; on another: sickbay-sdk = { git = \"x\" }\nsickbay-sdk = { path = \"/tools/current/sdk/x\" }\n"
        );
        let package = "{\n  \"devDependencies\": {\n    \"@sickbay/sdk\": \"0.1.0\",\n    \"esbuild\": \"1\"\n  }\n}\n";
        let bound: serde_json::Value = serde_json::from_str(&of(Language::JavaScript, "package.json", package)).expect("JSON");
        assert_eq!(bound["devDependencies"]["@sickbay/sdk"], "file:/tools/current/sdk/x");
        let module = of(Language::Go, "go.mod", "module a\n");
        assert!(module.ends_with("\nreplace github.com/sickbay/sickbay/sdk/go => \"/tools/current/sdk/x\"\n"), "{module}");
        assert_eq!(of(Language::Rust, "lib.rs", "sickbay-sdk = 1\n"), "sickbay-sdk = 1\n");
        let told = of(Language::Python, "README.md", "```sh\npython3 -m unittest\n```\n");
        assert_eq!(told, "```sh\nPYTHONPATH=/tools/current/sdk/x python3 -m unittest\n```\n");
    }

    #[test]
    fn a_name_takes_the_place_of_the_placeholder_in_every_spelling() {
        assert_eq!(renamed("plugin-name plugin_name plugin", "plugin-name", "a-b"), "a-b a_b plugin");
        assert_eq!(renamed("my-check my_check", "my-check", "my-check-2"), "my-check-2 my_check_2");
    }
}
