//! Telling a person that many plugins are loaded, which takes its time where they were not compiled before: a count on a terminal; elsewhere
//! one line, and none where it is quick. On standard error only.

use std::io::IsTerminal;
use std::pin::pin;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::Instant;

const REDRAW_INTERVAL: Duration = Duration::from_millis(120);
/// Nothing is said before, where nobody looks on.
const QUIET_MAX: Duration = Duration::from_secs(5);

/// Dropped, it leaves no trace on a terminal.
pub(super) struct Loading {
    bar: Option<ProgressBar>,
    total: usize,
    begun: usize,
    /// When the line is due; none once it was told.
    line_at: Option<Instant>,
}

impl Loading {
    pub(super) fn begin(total: usize) -> Loading {
        if !std::io::stderr().is_terminal() {
            return Loading { bar: None, total, begun: 0, line_at: Some(Instant::now() + QUIET_MAX) };
        }
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::default_spinner().template("{spinner} {msg} ({elapsed})") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(REDRAW_INTERVAL);
        Loading { bar: Some(bar), total, begun: 0, line_at: None }
    }

    /// Loads the next one, and tells of it where that is due.
    pub(super) async fn next<T>(&mut self, name: &str, load: impl Future<Output = T>) -> T {
        self.begun += 1;
        if let Some(bar) = &self.bar {
            bar.set_message(counted(self.begun, self.total, name));
        }
        let mut load = pin!(load);
        let Some(line_at) = self.line_at else { return load.await };
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(line_at) => {}
            loaded = &mut load => return loaded,
        }
        self.line_at = None;
        eprintln!("{} ...", counted(self.begun, self.total, name));
        load.await
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn counted(begun: usize, total: usize, name: &str) -> String {
    format!("loading plugin {begun} of {total}, {name}; each is compiled once")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_line_is_told_once_and_only_where_it_is_due() {
        let mut loading = Loading { bar: None, total: 3, begun: 0, line_at: Some(Instant::now() + Duration::from_secs(3600)) };
        assert_eq!(loading.next("a", async { 7 }).await, 7);
        assert!(loading.line_at.is_some(), "it was quick");
        loading.line_at = Some(Instant::now());
        let slow = || tokio::time::sleep(Duration::from_millis(10));
        loading.next("b", slow()).await;
        assert!(loading.line_at.is_none(), "it was told");
        loading.next("c", slow()).await;
        assert_eq!((loading.begun, counted(3, 3, "c").as_str()), (3, "loading plugin 3 of 3, c; each is compiled once"));
    }
}
