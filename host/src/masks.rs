//! Masks for what others bring: pushed reports, posted alerts, and what people write of them. What looks like a secret goes no further (`core/src/masking.rs`), and neither
//! does the value of a `[secrets.NAME]`, in the spellings that are known (`capabilities/src/secrets/mask.rs`).
//!
//! A secret that cannot be read within [`READ_TIME_MAX`] is not looked for: what was brought is taken all the same.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use sickbay_capabilities::secrets::{Placeholders, Vault};
use sickbay_core::Finding;
use sickbay_core::masking::{Bond, MASKED, Mask, Shapes};
use tokio::time::Instant;

use crate::live::Live;

const READ_TIME_MAX: Duration = Duration::from_secs(2);
/// A text that ends so was cut; the beginning of a secret counts in it.
const CUT_MARKS: [&str; 2] = ["…", "\\u2026"];

/// What is masked of a text from outside.
#[derive(Default)]
pub struct Masks {
    shapes: Arc<Shapes>,
    secrets: Placeholders,
}

impl Masks {
    /// With the values that the secrets of the configuration have now.
    pub async fn of(live: &Live) -> Masks {
        let deadline = Instant::now() + READ_TIME_MAX;
        let config = live.config.load_full();
        let secrets = match live.runner.load_full() {
            Some(runner) => runner.services().known_secrets(deadline).await,
            // Nothing runs yet, or no longer.
            None => Vault::new(&config.services.secrets).known(deadline).await,
        };
        Masks { shapes: Arc::clone(&config.services.shapes), secrets }
    }

    /// Those for the texts within `whole`: where no secret stands in it, none stands in a part of it, so that parts need not be looked through.
    pub fn within(self, whole: &str) -> Masks {
        let may_be_cut = CUT_MARKS.iter().any(|mark| whole.contains(mark));
        if may_be_cut || matches!(self.secrets.mask_text(whole), Cow::Owned(_)) {
            return self;
        }
        Masks { secrets: Placeholders::default(), ..self }
    }

    pub fn text(&self, text: String) -> String {
        let Cow::Owned(masked) = self.mask(&text) else { return text };
        masked
    }

    /// The value that stands beside a name: all of it, where the name says that it is secret.
    pub fn value(&self, name: &str, value: String) -> String {
        if self.is_secret(name, &value, Bond::Loose) { MASKED.to_owned() } else { self.text(value) }
    }

    /// What was pushed, without the secrets of the configuration; what looks like one is masked where it is judged.
    pub fn finding(&self, finding: Finding) -> Finding {
        self.secrets.mask_finding(finding)
    }
}

impl Mask for Masks {
    fn mask<'text>(&self, text: &'text str) -> Cow<'text, str> {
        match self.secrets.mask_text(text) {
            Cow::Borrowed(clean) => self.shapes.mask(clean),
            Cow::Owned(masked) => Cow::Owned(self.shapes.masked(masked)),
        }
    }

    fn is_secret(&self, name: &str, value: &str, bond: Bond) -> bool {
        self.shapes.is_secret(name, value, bond)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::testing::Host;

    #[tokio::test]
    async fn the_value_of_a_configured_secret_and_what_looks_like_one_are_masked() {
        let host = Host::start("[secrets.hook]\nfile = \"hook\"\nprevious_file = \"hook.old\"\n").await;
        std::fs::write(host.folder.path().join("hook"), "swordfish").expect("the folder is writable");
        std::fs::write(host.folder.path().join("hook.old"), "mackerel").expect("the folder is writable");
        let masks = Masks::of(&host.live).await;
        assert_eq!(masks.text("with swordfish, once mackerel".to_owned()), "with {{secret:hook}}, once {{secret:hook}}");
        assert_eq!(masks.text("password=hunter22hunter".to_owned()), "password=[masked]");
        assert_eq!(masks.value("password", "hunter22".to_owned()), "[masked]");
        assert_eq!(masks.text("all is well".to_owned()), "all is well");
        let masks = masks.within("all is well");
        assert!(masks.secrets.is_empty(), "nothing of them stands there");
        let masks = Masks::of(&host.live).await.within(r#"{"summary": "s\u0077ordfish"}"#);
        assert_eq!(masks.text("swordfish".to_owned()), "{{secret:hook}}");
    }

    #[tokio::test]
    async fn a_secret_that_cannot_be_read_does_not_stop_the_others() {
        let host = Host::start("[secrets.gone]\nfile = \"gone\"\n[secrets.hook]\nfile = \"hook\"\n").await;
        std::fs::write(host.folder.path().join("hook"), "swordfish").expect("the folder is writable");
        assert_eq!(Masks::of(&host.live).await.text("swordfish".to_owned()), "{{secret:hook}}");
    }
}
