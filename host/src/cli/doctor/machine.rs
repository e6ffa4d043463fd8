//! What the machine gives a running Sickbay.

use std::path::Path;

use rustix::process::{Resource, getrlimit};

use super::{Finding, Mark};

/// Below this, a few hundred checks of services at once run out of open files.
const OPEN_FILES_MIN: u64 = 1024;

pub(super) fn findings(directory: &Path) -> Vec<Finding> {
    vec![write_access(directory), open_files(getrlimit(Resource::Nofile).current)]
}

fn write_access(directory: &Path) -> Finding {
    const SUBJECT: &str = "this folder";
    match tempfile::Builder::new().prefix(".sickbay-doctor-").tempfile_in(directory) {
        Ok(_) => Finding::new(SUBJECT, Mark::Ok, "can be written"),
        Err(error) => Finding::new(SUBJECT, Mark::Warn, format!("cannot be written: {error}"))
            .with_fix("run Sickbay where it may write, or give `[store] url` and `[plugins] dir` absolute paths"),
    }
}

/// `None` is no limit.
fn open_files(limit: Option<u64>) -> Finding {
    const SUBJECT: &str = "open files";
    match limit {
        None => Finding::new(SUBJECT, Mark::Ok, "no limit"),
        Some(limit) if limit >= OPEN_FILES_MIN => Finding::new(SUBJECT, Mark::Ok, format!("at most {limit}")),
        Some(limit) => Finding::new(SUBJECT, Mark::Warn, format!("at most {limit}"))
            .with_fix(format!("ulimit -n {OPEN_FILES_MIN}, or LimitNOFILE in a systemd unit")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_low_limit_of_open_files_is_a_warning_with_the_command() {
        let finding = open_files(Some(256));
        assert_eq!(finding.mark, Mark::Warn);
        assert!(finding.fix.is_some_and(|fix| fix.starts_with("ulimit -n 1024")));
        assert_eq!(open_files(None).mark, Mark::Ok);
        assert_eq!(open_files(Some(1024)).mark, Mark::Ok);
    }

    #[test]
    fn a_folder_that_is_not_there_cannot_be_written() {
        assert_eq!(write_access(Path::new("no/such/folder")).mark, Mark::Warn);
    }
}
