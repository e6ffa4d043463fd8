//! Telling a person what takes its time: a spinner on a terminal, one line per step elsewhere. On standard error only.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{HumanDuration, ProgressBar, ProgressStyle};

const REDRAW_INTERVAL: Duration = Duration::from_millis(120);

/// One step that takes its time. Dropped without [`Step::done`], its spinner is cleared.
pub struct Step {
    spinner: Option<ProgressBar>,
}

impl Step {
    /// Announces the step, as in `building http, system`.
    pub fn begin(what: &str) -> Step {
        if !std::io::stderr().is_terminal() {
            eprintln!("{what} ...");
            return Step { spinner: None };
        }
        let spinner = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::default_spinner().template("{spinner} {msg} ({elapsed})") {
            spinner.set_style(style);
        }
        spinner.set_message(what.to_owned());
        spinner.enable_steady_tick(REDRAW_INTERVAL);
        Step { spinner: Some(spinner) }
    }

    /// Ends the step and says how it ended, as in `built http (77 KiB)`.
    pub fn done(mut self, result: &str) {
        match self.spinner.take() {
            None => eprintln!("{result}"),
            Some(spinner) => {
                let elapsed = spinner.elapsed();
                spinner.finish_and_clear();
                eprintln!("{result} in {}", HumanDuration(elapsed));
            }
        }
    }
}

impl Drop for Step {
    fn drop(&mut self) {
        if let Some(spinner) = self.spinner.take() {
            spinner.finish_and_clear();
        }
    }
}
