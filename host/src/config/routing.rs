//! Routes and inhibition: which sinks an alert goes to, and which alerts keep others from being told.

use std::sync::Arc;
use std::time::Duration;

use sickbay_core::alerting::{GroupBy, InhibitRule, LABELS_MAX, MATCHERS_MAX, Matcher, ROUTE_DEPTH_MAX, RouteConfig, Rung, SinkName};

use super::alerting::AlertingReader;
use super::cadence::shown_reason;
use super::diagnostic::{Problem, shown};
use super::text::{ChildRouteText, DurationText, InhibitText, Placed, RouteKeys, RouteText, RungsText, SinkNames, SinkText};
use super::values::{self, DurationBounds};

const GROUP_WAIT: DurationBounds =
    DurationBounds { least: Duration::ZERO, least_text: "0s", most: Duration::from_secs(3600), most_text: "1h" };
const GROUP_INTERVAL: DurationBounds =
    DurationBounds { least: Duration::from_secs(1), least_text: "1s", most: Duration::from_secs(86_400), most_text: "24h" };
const LONG: DurationBounds =
    DurationBounds { least: Duration::from_secs(1), least_text: "1s", most: Duration::from_secs(30 * 86_400), most_text: "30d" };

/// In `group_by`: every label.
const EVERY_LABEL: &str = "...";

const MATCHER_HINT: &str = "write a label, one of `=`, `!=`, `=~` and `!~`, and a value in quotes, for example 'severity=~\"P0|P1\"'";

impl AlertingReader<'_, '_> {
    /// The root, and the route of checks that cannot judge.
    pub(super) fn routes(&mut self, written: Option<&Placed<RouteText>>, sinks: &[Placed<SinkText>]) -> (RouteConfig, RouteConfig) {
        if let Some(header) = written.map(Placed::span).or_else(|| sinks.first().map(Placed::span)) {
            self.place("route", header);
        }
        let mut root = written.map_or_else(RouteConfig::default, |written| self.route("route", written.value().keys()));
        if root.sinks.is_none() {
            root.sinks = self.default_sinks(written, sinks);
        }
        if let Some(written) = written {
            root.routes = self.children("route", &written.value().routes, 1);
        }
        let unknown = written.and_then(|written| written.value().unknown.as_ref()).map(|unknown| {
            self.place("route.unknown", unknown.span());
            self.route("route.unknown", unknown.value().keys())
        });
        (root, unknown.unwrap_or_default())
    }

    /// Of a root that names none: the only sink. Which of several is meant has to be said.
    fn default_sinks(&mut self, written: Option<&Placed<RouteText>>, sinks: &[Placed<SinkText>]) -> Option<Vec<SinkName>> {
        match (self.sinks.as_slice(), written, sinks.first()) {
            ([], Some(written), None) => {
                let problem = Problem::warning("there is no sink: nobody is told of any alert");
                self.scope.note(written.span(), problem.hint("add a `[[sink]]`"));
                None
            }
            ([only], ..) => {
                let only = Arc::clone(only);
                self.used.insert(Arc::clone(&only));
                Some(vec![only])
            }
            (several @ [_, _, ..], Some(written), _) => {
                let problem = Problem::new("`[route]` names no sinks").reason("nobody would be told of what no child route takes");
                let hint = format!("add {}, or `sinks = []` where that is meant", sinks_line(several));
                self.scope.note(written.span(), problem.hint(hint));
                None
            }
            (several @ [_, _, ..], None, Some(first)) => {
                let problem = Problem::new("there are several sinks and no `[route]`").reason("it is not said which of them is told");
                self.scope.note(first.span(), problem.hint(format!("add a `[route]` with {}", sinks_line(several))));
                None
            }
            _ => None,
        }
    }

    /// What every route may say; `path` is what `sickbay_core` calls it.
    fn route(&mut self, path: &str, written: RouteKeys<'_>) -> RouteConfig {
        RouteConfig {
            sinks: written.sinks.map(|sinks| self.sink_names(&format!("{path}.sinks"), sinks)),
            group_by: written.group_by.map(|labels| self.group_by(labels.value())),
            group_wait: self.duration("group_wait", written.group_wait, &GROUP_WAIT),
            group_interval: self.duration("group_interval", written.group_interval, &GROUP_INTERVAL),
            repeat_interval: self.duration("repeat_interval", written.repeat_interval, &LONG),
            escalate: written.escalate.map(|rungs| self.rungs(&format!("{path}.escalate"), rungs)),
            mute_times: self.interval_names(written.mute_times),
            active_times: self.interval_names(written.active_times),
            ..RouteConfig::default()
        }
    }

    fn children(&mut self, path: &str, written: &[Placed<ChildRouteText>], depth: usize) -> Vec<RouteConfig> {
        let mut routes = Vec::new();
        for (index, child) in written.iter().enumerate() {
            let path = format!("{path}.routes[{index}]");
            self.place(path.clone(), child.span());
            if depth > ROUTE_DEPTH_MAX {
                let problem = Problem::new("the route lies too deep").reason(format!("there are more than {ROUTE_DEPTH_MAX} above it"));
                self.scope.note(child.span(), problem.hint("write it further up"));
                continue;
            }
            let written = child.value();
            let matchers = self.matchers(&written.matchers);
            let route = self.route(&path, written.keys());
            let children = self.children(&path, &written.routes, depth + 1);
            routes.push(RouteConfig { matchers, continues: written.continues, routes: children, ..route });
        }
        routes
    }

    fn sink_names(&mut self, path: &str, written: &SinkNames) -> Vec<SinkName> {
        self.place(path, written.span());
        let known = std::mem::take(&mut self.sinks);
        let names = self.known_names("sink", "sink", written.value(), &known);
        self.sinks = known;
        self.used.extend(names.iter().cloned());
        names
    }

    fn interval_names(&mut self, written: &[Placed<String>]) -> Vec<Arc<str>> {
        let known = std::mem::take(&mut self.intervals);
        let names = self.known_names("time interval", "time_interval", written, &known);
        self.intervals = known;
        names
    }

    fn duration(&mut self, key: &str, written: Option<&Placed<DurationText>>, bounds: &DurationBounds) -> Option<Duration> {
        self.scope.read(written, None, |text| values::duration(key, text, bounds).map(Some))
    }

    fn group_by(&mut self, written: &[Placed<String>]) -> GroupBy {
        match written.iter().find(|label| label.value() == EVERY_LABEL) {
            Some(every) => {
                if written.len() > 1 {
                    let problem = Problem::new("`...` stands beside other labels").reason("it means all of them: each alert is told alone");
                    self.scope.note(every.span(), problem.hint("write `group_by = [\"...\"]`, or the labels without it"));
                }
                GroupBy::All
            }
            None => GroupBy::Labels(self.label_names("group_by", written)),
        }
    }

    /// Names of labels, each once.
    fn label_names(&mut self, key: &str, written: &[Placed<String>]) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for label in written {
            if names.len() >= LABELS_MAX {
                let problem = Problem::new(format!("`{key}` names too many labels")).reason(format!("an alert has at most {LABELS_MAX}"));
                self.scope.note(label.span(), problem.hint("remove some"));
                break;
            }
            if let Err(problem) = values::label_name(label.value()) {
                self.scope.note(label.span(), problem);
            } else if names.contains(label.value()) {
                let problem = Problem::new(format!("the label `{}` stands twice in `{key}`", shown(label.value())));
                self.scope.note(label.span(), problem.reason("a label counts once all the same").hint("remove one of the two"));
            } else {
                names.push(label.value().clone());
            }
        }
        names
    }

    /// Whether the steps rise is judged with the whole.
    fn rungs(&mut self, path: &str, written: &RungsText) -> Vec<Rung> {
        self.place(path, written.span());
        let mut rungs = Vec::new();
        for (index, rung) in written.value().iter().enumerate() {
            let (path, rung) = (format!("{path}[{index}]"), rung.value());
            self.place(format!("{path}.after"), rung.after.span());
            let after = self.duration("after", Some(&rung.after), &LONG);
            let sinks = self.sink_names(&format!("{path}.sinks"), &rung.sinks);
            rungs.extend(after.map(|after| Rung { after, sinks }));
        }
        rungs
    }

    pub(super) fn inhibitions(&mut self, written: &[Placed<InhibitText>]) -> Vec<InhibitRule> {
        let mut rules = Vec::new();
        for (index, rule) in written.iter().enumerate() {
            let path = format!("inhibit[{index}]");
            self.place(path.clone(), rule.span());
            let InhibitText { source, target, equal } = rule.value();
            self.place(format!("{path}.source"), source.span());
            self.place(format!("{path}.target"), target.span());
            let read = InhibitRule {
                source: self.matchers(source.value()),
                target: self.matchers(target.value()),
                equal: self.label_names("equal", equal),
            };
            if !read.source.is_empty() && are_alike(&read.source, &read.target) {
                let problem =
                    Problem::warning("the rule mutes nothing").reason("`source` and `target` match the same alerts, which are all told");
                self.scope.note(rule.span(), problem.hint("say in `target` what follows from `source`, for example 'severity!=\"P0\"'"));
            }
            rules.push(read);
        }
        rules
    }

    pub(super) fn matchers(&mut self, written: &[Placed<String>]) -> Vec<Matcher> {
        let mut matchers = Vec::new();
        for text in written {
            if matchers.len() >= MATCHERS_MAX {
                let reason = format!("there are at most {MATCHERS_MAX} in one place");
                self.scope.note(text.span(), Problem::new("too many matchers").reason(reason).hint("join some with `=~` and `|`"));
                break;
            }
            match Matcher::parse(text.value()) {
                Ok(matcher) => {
                    self.matchers.push((text.span(), matcher.clone()));
                    matchers.push(matcher);
                }
                Err(error) => {
                    let span = self.scope.source.inside_text(text.span(), text.value(), error.offset);
                    self.scope
                        .note(span, Problem::new("the matcher cannot be used").reason(shown_reason(&error.reason)).hint(MATCHER_HINT));
                }
            }
        }
        matchers
    }
}

/// Whether both lists hold the same matchers.
fn are_alike(one: &[Matcher], other: &[Matcher]) -> bool {
    one.iter().all(|matcher| other.contains(matcher)) && other.iter().all(|matcher| one.contains(matcher))
}

/// The key that names all of `sinks`.
fn sinks_line(sinks: &[SinkName]) -> String {
    const NAMES_SHOWN_MAX: usize = 10;
    let names: Vec<String> = sinks.iter().take(NAMES_SHOWN_MAX).map(|name| format!("\"{}\"", shown(name))).collect();
    let more = if sinks.len() > NAMES_SHOWN_MAX { ", ..." } else { "" };
    format!("`sinks = [{}{more}]`", names.join(", "))
}
