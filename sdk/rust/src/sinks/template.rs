//! Texts of a notification by templates in the language of Jinja.
//!
//! A sink has templates in its configuration, under keys such as `title` and `text`, with [`TITLE`] and [`TEXT`] as defaults. A line that
//! holds nothing but a tag leaves no line; what is not there is empty. What a template may name:
//! - `level` (`critical`, `warning`, `unknown`, `acknowledged`, `resolved`), `colour`, `phase`, `severity`, `group`: of the notification;
//! - `alerts`, each with `name`, `check`, `target`, `service`, `level`, `colour`, `phase`, `status`, `failure`, `severity`, `summary`,
//!   `reason`, `labels.NAME`, `annotations.NAME`, `started_at`, `ended_at`, `duration`, `url`, `incident_id`, and `evidence` with `metric`,
//!   `actual`, `expected`, `unit`; `alert` is the first of them;
//! - `counts.firing`, `counts.acknowledged`, `counts.resolved`, `counts.all`; `more`, the alerts for which there was no room; `labels.NAME`,
//!   which all alerts share; `group_labels.NAME`.
//!
//! A key of the configuration that holds a template is marked, so that the host judges it before anything is told:
//! `#[schemars(extend("format" = "minijinja"))]`.
//!
//! Invariant: a template reads nothing but this; what it may compute is bounded by the run.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment};
use serde_json::{Value, json};

use super::{Level, rfc3339};
use crate::limit::span;
use crate::{Alert, DeliveryError, Evidence, Notification, Phase};

/// A template under this key makes HTML: what it names is escaped.
pub const HTML_KEY: &str = "html";

/// What a title is made of where the configuration has none.
pub const TITLE: &str = "{{ level | upper }} {% if counts.all == 1 %}{{ alert.name }}: {{ alert.summary }}\
                         {% else %}{{ counts.all }} alerts{% if labels.service %} of {{ labels.service }}{% endif %}{% endif %}";

/// What a text is made of where the configuration has none.
pub const TEXT: &str = r#"{% for alert in alerts %}
{{ alert.level | upper }} {{ alert.name }}: {{ alert.summary }}{% if alert.reason %} ({{ alert.reason }}){% endif %}

{% for evidence in alert.evidence %}
  {{ evidence.metric or "found" }}: {{ evidence.actual }}{% if evidence.unit %} {{ evidence.unit }}{% endif %} (expected {{ evidence.expected }})
{% endfor %}
  since {{ alert.started_at }}{% if alert.ended_at %}, for {{ alert.duration }}{% endif %}

{% if alert.url %}
  {{ alert.url }}
{% endif %}
{% endfor %}
{% if more %}
and {{ more }} more
{% endif %}
"#;

/// Templates about one notification.
pub struct Texts {
    environment: Environment<'static>,
    context: minijinja::Value,
}

impl Texts {
    pub fn about(notification: &Notification) -> Texts {
        Texts::of(context(notification))
    }

    /// Each text that a template may name is escaped first: for markup that is not HTML.
    pub fn escaping(notification: &Notification, escape: fn(&str) -> String) -> Texts {
        let mut context = context(notification);
        escape_texts(&mut context, escape);
        Texts::of(context)
    }

    fn of(context: Value) -> Texts {
        let mut environment = Environment::new();
        environment.set_auto_escape_callback(|key| if key == HTML_KEY { AutoEscape::Html } else { AutoEscape::None });
        // Only delimiters can be wrong, and they are not changed.
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
        environment.set_syntax(syntax.unwrap_or_default());
        Texts { environment, context: minijinja::Value::from(Serde(context)) }
    }

    /// Without blanks at its end. `key` is the key of the configuration that holds `template`. One that cannot be read is a mistake of the
    /// configuration: once it is mended, what waited for it is told.
    pub fn render(&self, key: &str, template: &str) -> Result<String, DeliveryError> {
        match self.environment.render_named_str(key, template, self.context.clone()) {
            Ok(text) => Ok(text.trim_end().to_owned()),
            Err(error) => Err(DeliveryError::retryable(format!(
                "the template `{key}` of the sink's `config`: {error}; hint: mend it, or leave `{key}` out"
            ))),
        }
    }
}

fn context(notification: &Notification) -> Value {
    let alerts: Vec<Value> = notification.alerts.iter().map(of_alert).collect();
    let count = |phase: Phase| notification.alerts.iter().filter(|alert| alert.phase == phase).count();
    let level = Level::of_all(notification);
    json!({
        "level": level.word(),
        "colour": level.colour(),
        "phase": notification.phase.word(),
        "severity": notification.severity,
        "group": notification.group,
        "group_labels": notification.group_labels(),
        "labels": notification.common_labels(),
        "counts": {
            "firing": count(Phase::Firing),
            "acknowledged": count(Phase::Acknowledged),
            "resolved": count(Phase::Resolved),
            "all": alerts.len() + notification.more(),
        },
        "more": notification.more(),
        // Of nothing, a template can ask no further.
        "alert": alerts.first().cloned().unwrap_or_else(|| json!({})),
        "alerts": alerts,
    })
}

fn of_alert(alert: &Alert) -> Value {
    let level = Level::of(alert);
    let duration = alert.ended_at.map(|ended_at| span(ended_at.saturating_sub(alert.started_at) as f64 / 1000.0));
    json!({
        "incident_id": alert.incident_id,
        "name": alert.name(),
        "check": alert.check,
        "target": alert.target.as_deref().unwrap_or_default(),
        "service": alert.service(),
        "level": level.word(),
        "colour": level.colour(),
        "phase": alert.phase.word(),
        "status": alert.status.word(),
        "failure": alert.failure.as_deref().unwrap_or_default(),
        "severity": alert.severity_word(),
        "summary": alert.summary,
        "reason": alert.reason,
        "labels": alert.labels_by_name(),
        "annotations": alert.annotations(),
        "started_at": rfc3339(alert.started_at),
        "ended_at": alert.ended_at.map(rfc3339).unwrap_or_default(),
        "duration": duration.unwrap_or_default(),
        "url": alert.link().unwrap_or_default(),
        "evidence": alert.evidence.iter().map(of_evidence).collect::<Vec<_>>(),
    })
}

fn of_evidence(evidence: &Evidence) -> Value {
    json!({ "metric": evidence.metric, "actual": evidence.actual, "expected": evidence.expected, "unit": evidence.unit })
}

fn escape_texts(value: &mut Value, escape: fn(&str) -> String) {
    match value {
        Value::String(text) => *text = escape(text),
        Value::Array(items) => items.iter_mut().for_each(|item| escape_texts(item, escape)),
        Value::Object(members) => members.values_mut().for_each(|member| escape_texts(member, escape)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{alert, notification};
    use crate::{Label, Status};

    fn latency() -> Alert {
        let evidence = |metric: &str, actual: &str, expected: &str, unit: &str| Evidence {
            metric: metric.to_owned(),
            actual: actual.to_owned(),
            expected: expected.to_owned(),
            unit: unit.to_owned(),
        };
        Alert {
            evidence: vec![evidence("latency_seconds", "0.35", "at most 0.2", "seconds"), evidence("", "x", "y", "")],
            url: Some("https://sickbay.example/1".to_owned()),
            ..alert()
        }
    }

    fn resolved() -> Alert {
        let ended_at = Some(alert().started_at + 190_000);
        Alert { phase: Phase::Resolved, status: Status::Ok, reason: String::new(), ended_at, ..alert() }
    }

    fn render(template: &str, notification: &Notification) -> String {
        Texts::about(notification).render("text", template).expect("a template")
    }

    #[test]
    fn the_title_names_one_alert_and_counts_several() {
        assert_eq!(render(TITLE, &notification(vec![alert()])), "CRITICAL test: the service does not answer");
        assert_eq!(render(TITLE, &notification(vec![resolved()])), "RESOLVED test: the service does not answer");
        let service = |alert: Alert| Alert { labels: vec![Label::new("service", "orders")], ..alert };
        let more = vec![Label::new("more", "3")];
        let many = Notification { extras: more.clone(), ..notification(vec![service(resolved()), service(alert())]) };
        assert_eq!(render(TITLE, &many), "CRITICAL 5 alerts of orders");
        assert_eq!(render(TITLE, &Notification { extras: more, ..notification(Vec::new()) }), "UNKNOWN 3 alerts");
    }

    #[test]
    fn the_text_tells_each_alert_with_what_was_found() {
        let told = Notification { extras: vec![Label::new("more", "3")], ..notification(vec![latency(), resolved()]) };
        let lines = [
            "CRITICAL test: the service does not answer (Reported)",
            "  latency_seconds: 0.35 seconds (expected at most 0.2)",
            "  found: x (expected y)",
            "  since 2026-01-01T00:00:00.000Z",
            "  https://sickbay.example/1",
            "RESOLVED test: the service does not answer",
            "  since 2026-01-01T00:00:00.000Z, for 3 min 10 s",
            "and 3 more",
        ];
        assert_eq!(render(TEXT, &told), lines.join("\n"));
    }

    #[test]
    fn a_template_names_labels_counts_and_what_is_not_there() {
        let told = notification(vec![latency(), resolved()]);
        let template =
            "{{ alerts[0].labels.alertname }} {{ counts.firing }}/{{ counts.resolved }} {{ alert.status }} [{{ labels.absent }}]";
        assert_eq!(render(template, &told), "test 1/1 critical []");
        assert_eq!(render("{{ alert.name }}{{ alert.failure }}", &notification(Vec::new())), "");
    }

    /// The names of objects, at all depths, without those that are free.
    fn names(value: &Value, before: &str, found: &mut std::collections::BTreeSet<String>) {
        match value {
            Value::Object(members) => {
                for (name, member) in members {
                    let path = format!("{before}.{name}");
                    if !["labels", "group_labels", "annotations"].contains(&name.as_str()) {
                        names(member, &path, found);
                    }
                    found.insert(path);
                }
            }
            Value::Array(items) => items.iter().for_each(|item| names(item, before, found)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    #[test]
    fn the_samples_that_a_configuration_is_judged_by_have_the_names_of_a_notification() {
        let names_of = |value: &Value| {
            let mut found = std::collections::BTreeSet::new();
            names(value, "", &mut found);
            found
        };
        let samples: Vec<Value> = serde_json::from_str(include_str!("sample.json")).expect("JSON");
        let real = [context(&notification(vec![latency()])), context(&notification(vec![resolved()]))];
        assert_eq!(samples.len(), real.len());
        for (sample, real) in samples.iter().zip(&real) {
            assert_eq!(names_of(sample), names_of(real));
            assert!(Texts::of(sample.clone()).render("text", TEXT).is_ok());
        }
    }

    #[test]
    fn html_alone_is_escaped_and_other_markup_by_its_own_rule() {
        let told = notification(vec![Alert { summary: "<b> & \"x\"".to_owned(), ..alert() }]);
        let texts = Texts::about(&told);
        assert_eq!(texts.render("text", "<i>{{ alert.summary }}").as_deref(), Ok("<i><b> & \"x\""));
        assert_eq!(texts.render(HTML_KEY, "<i>{{ alert.summary }}").as_deref(), Ok("<i>&lt;b&gt; &amp; &quot;x&quot;"));
        let texts = Texts::escaping(&told, |text| text.replace('&', "&amp;").replace('<', "&lt;"));
        assert_eq!(texts.render("text", "<!here> {{ alert.summary }}").as_deref(), Ok("<!here> &lt;b> &amp; \"x\""));
    }

    #[test]
    fn a_template_that_cannot_be_read_is_told_with_its_key_and_line() {
        for template in ["a\n{{ alert.summary", "a\n{% for x in alerts %}", "a\n{{ alert.summary | shout }}"] {
            let error = Texts::about(&notification(vec![alert()])).render("title", template);
            let Err(DeliveryError::Retryable(retry)) = &error else { panic!("{error:?}") };
            assert!(retry.message.contains("`title`") && retry.message.contains("title:") && retry.message.contains("hint:"), "{retry:?}");
        }
    }
}
