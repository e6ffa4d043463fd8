//! Who a result is from, in words: a plugin, whoever pushed it, or the check's own members.

use sickbay_core::Reason;
use sickbay_store::{ResultRecord, Trigger};

use crate::config::SLO_CHECK_PREFIX;

/// The reason of a result as a sentence, which names who reported it.
pub fn reason_detail(record: &ResultRecord) -> String {
    match &record.reason {
        Reason::Reported { status, failure } if record.plugin.is_empty() => {
            let failure = failure.as_ref().map_or_else(String::new, |failure| format!(" ({failure})"));
            format!("{} reported {status}{failure}", who(record))
        }
        reason => reason.to_string(),
    }
}

/// No other check has a name that begins as those of objectives do.
fn who(record: &ResultRecord) -> &'static str {
    match record.trigger {
        Trigger::Push => "the job that pushes",
        _ if record.check.starts_with(SLO_CHECK_PREFIX) => "the objective",
        _ => "the composite",
    }
}

#[cfg(test)]
mod tests {
    use sickbay_core::Status;

    use super::*;
    use crate::api::testing::record;

    #[test]
    fn a_result_names_who_reported_it() {
        let told = |check: &str, plugin: &str, trigger: Trigger, failure: Option<&str>| {
            let reason = Reason::Reported { status: Status::Critical, failure: failure.map(str::to_owned) };
            reason_detail(&ResultRecord { plugin: plugin.into(), trigger, reason, ..record(check, 1) })
        };
        assert_eq!(told("api", "http", Trigger::Schedule, Some("refused")), "the plugin reported critical (refused)");
        assert_eq!(told("backup", "", Trigger::Push, None), "the job that pushes reported critical");
        assert_eq!(told("shop", "", Trigger::Member, None), "the composite reported critical");
        assert_eq!(told("slo.shop", "", Trigger::Schedule, None), "the objective reported critical");
        assert_eq!(reason_detail(&ResultRecord { plugin: "".into(), ..record("shop", 1) }), "passed");
    }
}
