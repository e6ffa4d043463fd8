//! What a person probably meant by a word that is not known.

/// Words from other systems for keys.
const SYNONYMS: [(&str, &str); 45] = [
    ("args", "config"),
    ("attempts", "failures"),
    ("crit", "critical"),
    ("failure_threshold", "failures"),
    ("frequency", "every"),
    ("interval", "every"),
    ("module", "plugin"),
    ("options", "config"),
    ("parameters", "config"),
    ("params", "config"),
    ("period", "every"),
    ("permissions", "grants"),
    ("recovery_threshold", "successes"),
    ("retries", "failures"),
    ("schedule", "every"),
    ("settings", "config"),
    ("success_threshold", "successes"),
    ("tags", "labels"),
    ("hosts", "targets"),
    ("retry_interval", "retry_every"),
    ("time_zone", "timezone"),
    ("type", "kind"),
    ("tz", "timezone"),
    ("warn", "warning"),
    ("path", "dir"),
    ("directory", "dir"),
    ("address", "listen"),
    ("bind", "listen"),
    ("dsn", "url"),
    ("uri", "url"),
    ("max_connections", "connections_max"),
    ("pool_size", "connections_max"),
    ("receiver", "sinks"),
    ("receivers", "sink"),
    ("matcher", "match"),
    ("matchers", "match"),
    ("mute_time_intervals", "mute_times"),
    ("active_time_intervals", "active_times"),
    ("inhibit_rules", "inhibit"),
    ("source_matchers", "source"),
    ("target_matchers", "target"),
    ("location", "timezone"),
    ("start_time", "start"),
    ("end_time", "end"),
    ("ends_at", "end"),
];

/// The known name that `written` is a slip or another word for.
pub fn nearest<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    let written = written.to_lowercase();
    let direct = known.iter().map(|name| (*name, *name));
    let synonyms = SYNONYMS.iter().filter_map(|(word, meant)| Some((*word, *known.iter().find(|name| *name == meant)?)));
    let (distance, meant) = direct
        .chain(synonyms)
        .map(|(word, meant)| (strsim::damerau_levenshtein(&written, word), meant))
        .min_by_key(|(distance, _)| *distance)?;
    if distance <= slips_allowed(&written) { Some(meant) } else { begun(&written, known) }
}

/// The only known name that begins with `written`: people leave out the unit.
fn begun<'a>(written: &str, known: &[&'a str]) -> Option<&'a str> {
    const LENGTH_LEAST: usize = 3;
    let mut names = known.iter().filter(|name| written.len() >= LENGTH_LEAST && name.starts_with(written));
    let only = names.next()?;
    names.next().is_none().then_some(*only)
}

/// A slip in a short word makes another word.
fn slips_allowed(word: &str) -> usize {
    match word.chars().count() {
        0..=3 => 1,
        4..=6 => 2,
        _ => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised() {
        assert_eq!(nearest("plugn", &["name", "plugin"]), Some("plugin"));
    }

    #[test]
    fn the_word_of_another_system_is_recognised_with_a_slip_too() {
        assert_eq!(nearest("intervall", &["name", "every"]), Some("every"));
    }

    #[test]
    fn a_synonym_of_a_key_that_this_table_lacks_is_not_offered() {
        assert_eq!(nearest("interval", &["listen"]), None);
    }

    #[test]
    fn a_name_without_its_unit_is_recognised_where_it_is_the_only_one() {
        assert_eq!(nearest("memory", &["bytes_in", "bytes_out", "memory_bytes"]), Some("memory_bytes"));
        assert_eq!(nearest("bytes", &["bytes_in_all", "bytes_out_all"]), None);
    }

    #[test]
    fn a_strange_word_gets_no_suggestion() {
        assert_eq!(nearest("frobnicate", &["name", "plugin"]), None);
    }
}
