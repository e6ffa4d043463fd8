//! How single values are read: durations, sizes, numbers, names, methods. Pure; the caller knows the place.

use std::time::Duration;

use bytesize::ByteSize;

use super::diagnostic::{Problem, shown};
use super::text::{DurationText, SizeText};

/// What a duration may be, with its ends as a person writes them.
pub(super) struct DurationBounds {
    pub least: Duration,
    pub least_text: &'static str,
    pub most: Duration,
    pub most_text: &'static str,
}

const DURATION_HINT: &str = "write a number and a unit, for example \"500ms\", \"10s\", \"5m\", \"24h\" or \"30d\"";
const SIZE_HINT: &str = "write a number and a unit, for example \"64KiB\", \"8MiB\" or \"2GB\"";
const NAME_REASON: &str = "a name has at most 63 of a-z, 0-9, `.`, `_` and `-`, and begins with a letter or a digit";
const NAME_CHARACTERS_MAX: usize = 63;
const LABEL_NAME_BYTES_MAX: usize = 128;

pub(super) fn duration(key: &str, written: &DurationText, bounds: &DurationBounds) -> Result<Duration, Problem> {
    let text = written.0.as_str();
    let duration = humantime::parse_duration(text)
        .map_err(|error| Problem::new(format!("`{key}` is not a duration")).reason(duration_reason(&error)).hint(DURATION_HINT))?;
    if duration < bounds.least {
        return Err(Problem::new(format!("`{key}` is too short"))
            .reason(format!("\"{}\" is less than {}", shown(text), bounds.least_text))
            .hint(format!("write at least \"{}\"", bounds.least_text)));
    }
    if duration > bounds.most {
        return Err(Problem::new(format!("`{key}` is too long"))
            .reason(format!("\"{}\" is more than {}", shown(text), bounds.most_text))
            .hint(format!("write at most \"{}\"", bounds.most_text)));
    }
    Ok(duration)
}

fn duration_reason(error: &humantime::DurationError) -> String {
    use humantime::DurationError;
    match error {
        DurationError::InvalidCharacter(offset) => format!("character {} does not belong in a duration", offset + 1),
        DurationError::NumberExpected(_) => "a number must stand before every unit".to_owned(),
        DurationError::UnknownUnit { unit, value, .. } if unit.is_empty() => format!("{value} has no unit"),
        DurationError::UnknownUnit { unit, .. } => format!("\"{}\" is no unit of time", shown(unit)),
        DurationError::NumberOverflow => "the number is too large, or finer than a nanosecond".to_owned(),
        DurationError::Empty => "it is empty".to_owned(),
    }
}

/// A size in bytes within `least..=most`.
pub(super) fn size(key: &str, written: &SizeText, least: u64, most: u64) -> Result<u64, Problem> {
    let bytes = match written {
        SizeText::Bytes(bytes) => u64::try_from(*bytes)
            .map_err(|_| Problem::new(format!("`{key}` is too small")).reason("a size is not negative").hint(SIZE_HINT))?,
        SizeText::Text(text) => text
            .trim()
            .parse::<ByteSize>()
            .map_err(|_| {
                Problem::new(format!("`{key}` is not a size")).reason(format!("\"{}\" is no number of bytes", shown(text))).hint(SIZE_HINT)
            })?
            .as_u64(),
    };
    within(key, bytes, least, most, &bytes_words)
}

/// A whole number within `least..=most`.
pub(super) fn number(key: &str, written: i64, least: u32, most: u32) -> Result<u32, Problem> {
    if written < i64::from(least) {
        return Err(too_small(key, &written.to_string(), &least.to_string()));
    }
    match u32::try_from(written) {
        Ok(number) => within(key, number, least, most, &u32::to_string),
        Err(_) => Err(too_large(key, &written.to_string(), &most.to_string())),
    }
}

/// A share between 0.05 and 1, in thousandths.
pub(super) fn permille(key: &str, written: f64) -> Result<u32, Problem> {
    let share = within(key, written, 0.05, 1.0, &f64::to_string)?;
    Ok((share * 1000.0).round() as u32)
}

fn within<T: PartialOrd>(key: &str, value: T, least: T, most: T, words: &dyn Fn(&T) -> String) -> Result<T, Problem> {
    if value < least {
        return Err(too_small(key, &words(&value), &words(&least)));
    }
    if value > most {
        return Err(too_large(key, &words(&value), &words(&most)));
    }
    Ok(value)
}

fn too_small(key: &str, value: &str, least: &str) -> Problem {
    Problem::new(format!("`{key}` is too small")).reason(format!("{value} is less than {least}")).hint(format!("write at least {least}"))
}

fn too_large(key: &str, value: &str, most: &str) -> Problem {
    Problem::new(format!("`{key}` is too large")).reason(format!("{value} is more than {most}")).hint(format!("write at most {most}"))
}

/// Bytes in the largest binary unit that divides them.
pub(super) fn bytes_words(bytes: &u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in UNITS {
        if *bytes != 0 && bytes.trailing_zeros() >= shift {
            return format!("{}{unit}", bytes >> shift);
        }
    }
    if *bytes == 1 { "1 byte".to_owned() } else { format!("{bytes} bytes") }
}

/// The name of a check, a plugin or a kind; `key` is what holds it.
pub(super) fn name(key: &str, written: &str) -> Result<(), Problem> {
    if is_name(written) {
        return Ok(());
    }
    let problem = Problem::new(format!("`{key}` is not a name: \"{}\"", shown(written))).reason(NAME_REASON);
    let better = name_like(written);
    Err(if better.is_empty() { problem.hint("write a name such as \"api\"") } else { problem.hint(format!("write \"{better}\"")) })
}

/// The name of a plugin: people write its file.
pub(super) fn plugin_name(key: &str, written: &str) -> Result<(), Problem> {
    let file = written.rsplit('/').next().unwrap_or(written);
    if let Some(stem) = file.strip_suffix(".wasm")
        && is_name(stem)
    {
        return Err(Problem::new(format!("`{key}` is the name of a plugin, not its file"))
            .reason("plugins are found in the folder `plugins.dir`")
            .hint(format!("write \"{stem}\"")));
    }
    name(key, written)
}

fn is_name(text: &str) -> bool {
    text.len() <= NAME_CHARACTERS_MAX
        && text.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
        && text.chars().all(is_name_character)
}

fn is_name_character(character: char) -> bool {
    character.is_ascii_lowercase() || character.is_ascii_digit() || matches!(character, '.' | '_' | '-')
}

/// The nearest text that is a name; empty where there is none.
pub(super) fn name_like(text: &str) -> String {
    let lower = text.trim().to_lowercase();
    let mapped: String = lower.chars().map(|character| if is_name_character(character) { character } else { '-' }).collect();
    mapped.trim_matches(['.', '_', '-']).chars().take(NAME_CHARACTERS_MAX).collect()
}

/// The name of a label, as Prometheus has them.
pub(super) fn label_name(name: &str) -> Result<(), Problem> {
    let begins = name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_');
    let well_formed = begins && name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_');
    if !well_formed || name.len() > LABEL_NAME_BYTES_MAX {
        return Err(Problem::new(format!("`{}` is not the name of a label", shown(name)))
            .reason(format!("a name has letters, digits and `_`, begins with no digit, and has at most {LABEL_NAME_BYTES_MAX} bytes"))
            .hint("write a name such as \"service\""));
    }
    Ok(())
}

/// Methods of HTTP that servers know, those of WebDAV and of caches included.
const METHODS: [&str; 20] = [
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "PATCH",
    "DELETE",
    "OPTIONS",
    "TRACE",
    "QUERY",
    "PURGE",
    "BAN",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "REPORT",
    "SEARCH",
];

/// A warning where a method is well written and yet none that servers commonly know: they answer 405, or do something else.
pub(super) fn unusual_method(written: &str) -> Option<Problem> {
    if METHODS.contains(&written) {
        return None;
    }
    let problem = Problem::warning(format!("`{}` is no method that servers commonly know", shown(written)));
    Some(match METHODS.iter().find(|known| strsim::damerau_levenshtein(written, known) == 1) {
        Some(meant) => problem.hint(format!("did you mean `{meant}`?")),
        None => problem.hint("leave it where the server knows it; the usual ones are `GET`, `HEAD`, `POST`, `PUT`, `PATCH`, `DELETE`"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOUNDS: DurationBounds =
        DurationBounds { least: Duration::from_millis(100), least_text: "100ms", most: Duration::from_secs(86_400), most_text: "24h" };

    fn read(text: &str) -> Result<Duration, Problem> {
        duration("every", &DurationText(text.to_owned()), &BOUNDS)
    }

    fn reason(text: &str) -> Option<String> {
        read(text).err().and_then(|problem| problem.reason)
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        assert_eq!(read("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(read("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(read("24h"), Ok(Duration::from_secs(86_400)));
    }

    #[test]
    fn a_bad_duration_says_what_is_wrong_with_it() {
        assert_eq!(reason("10").as_deref(), Some("10 has no unit"));
        assert_eq!(reason("10 parsecs").as_deref(), Some("\"parsecs\" is no unit of time"));
        assert_eq!(reason("-5s").as_deref(), Some("a number must stand before every unit"));
        assert_eq!(reason("").as_deref(), Some("it is empty"));
        assert_eq!(reason("10ms").as_deref(), Some("\"10ms\" is less than 100ms"));
        assert_eq!(reason("2d").as_deref(), Some("\"2d\" is more than 24h"));
    }

    #[test]
    fn sizes_are_text_with_a_unit_or_bytes() {
        let text = |text: &str| size("bytes_max", &SizeText::Text(text.to_owned()), 1, u64::MAX).ok();
        assert_eq!(text("64MiB"), Some(64 << 20));
        assert_eq!(text("2GB"), Some(2_000_000_000));
        assert_eq!(text("lots"), None);
        assert_eq!(size("bytes_max", &SizeText::Bytes(4096), 1, u64::MAX).ok(), Some(4096));
        assert_eq!(size("bytes_max", &SizeText::Bytes(-1), 0, u64::MAX).ok(), None);
    }

    #[test]
    fn bounds_of_sizes_are_told_in_their_unit() {
        let problem = size("memory_bytes", &SizeText::Bytes(1), 65_536, 4 << 30).expect_err("one byte is too little");
        assert_eq!(problem.reason.as_deref(), Some("1 byte is less than 64KiB"));
    }

    #[test]
    fn a_number_outside_its_bounds_is_refused_even_where_it_does_not_fit() {
        assert_eq!(number("failures", 3, 1, 100), Ok(3));
        assert!(number("failures", 0, 1, 100).is_err());
        assert!(number("failures", i64::MIN, 1, 100).is_err());
        assert!(number("failures", i64::MAX, 1, 100).is_err());
    }

    #[test]
    fn a_bad_name_comes_with_the_nearest_good_one() {
        let hint = |text: &str| name("name", text).err().and_then(|problem| problem.hint);
        assert_eq!(hint("api-1.eu_west"), None);
        assert_eq!(hint("API Server").as_deref(), Some("write \"api-server\""));
        assert_eq!(hint("-").as_deref(), Some("write a name such as \"api\""));
        assert_eq!(hint(&"a".repeat(64)), Some(format!("write \"{}\"", "a".repeat(63))));
    }

    #[test]
    fn a_slip_in_a_method_is_told_and_a_method_of_ones_own_is_left_alone() {
        let hint = |method: &str| unusual_method(method).and_then(|problem| problem.hint);
        assert_eq!(hint("GET"), None);
        assert_eq!(hint("PROPFIND"), None);
        assert_eq!(hint("GTE").as_deref(), Some("did you mean `GET`?"));
        assert_eq!(hint("POTS").as_deref(), Some("did you mean `POST`?"));
        assert!(hint("FETCH").is_some_and(|hint| hint.starts_with("leave it where the server knows it")));
    }

    #[test]
    fn the_file_of_a_plugin_is_not_its_name() {
        let hint = plugin_name("plugin", "plugins/http.wasm").err().and_then(|problem| problem.hint);
        assert_eq!(hint.as_deref(), Some("write \"http\""));
        assert_eq!(plugin_name("plugin", "http"), Ok(()));
    }
}
