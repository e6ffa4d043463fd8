//! Whether a setting has the value that was written down for it, by the rules of PostgreSQL: `256MB` is 32768 blocks of 8 kB, `on` is
//! `true`.

const BYTES: [(&str, f64); 5] = [("TB", 1_099_511_627_776.0), ("GB", 1_073_741_824.0), ("MB", 1_048_576.0), ("kB", 1_024.0), ("B", 1.0)];
/// In microseconds.
const TIMES: [(&str, f64); 6] =
    [("d", 86_400_000_000.0), ("h", 3_600_000_000.0), ("min", 60_000_000.0), ("s", 1_000_000.0), ("ms", 1_000.0), ("us", 1.0)];

/// The server tells six digits of a `real`.
const REAL_TOLERANCE: f64 = 1e-5;

/// What the server says of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Setting {
    /// As it is now, in `unit`.
    pub(crate) value: String,
    /// `8kB`, `ms`; empty where there is none.
    pub(crate) unit: String,
    /// `bool`, `enum`, `integer`, `real`, `string`
    pub(crate) of: String,
}

impl Setting {
    /// None where no such setting can have that value.
    pub(crate) fn is(&self, expected: &str) -> Option<bool> {
        if self.value == expected {
            return Some(true);
        }
        match self.of.as_str() {
            "bool" => Some(boolean(expected)? == boolean(&self.value)?),
            "integer" => Some(self.number(expected)?.round() == number(&self.value)?),
            "real" => {
                let (expected, value) = (self.number(expected)?, number(&self.value)?);
                Some((expected - value).abs() <= REAL_TOLERANCE * expected.abs().max(value.abs()))
            }
            // Some of them know the words of a `bool` too.
            "enum" => match (boolean(expected), boolean(&self.value)) {
                (Some(expected), Some(value)) => Some(expected == value),
                _ => Some(expected.eq_ignore_ascii_case(&self.value)),
            },
            _ => Some(false),
        }
    }

    /// For a person: `256MB` for 32768 blocks of 8 kB.
    pub(crate) fn shown(&self) -> String {
        let whole = || {
            let (units, factor) = measure(&self.unit)?;
            let amount = number(&self.value).filter(|value| *value > 0.0)? * factor;
            let (name, factor) = units.iter().find(|(_, factor)| amount % factor == 0.0)?;
            Some(format!("{}{name}", amount / factor))
        };
        whole().unwrap_or_else(|| self.value.clone())
    }

    /// What was written, in the unit of the setting.
    fn number(&self, written: &str) -> Option<f64> {
        let written = written.trim();
        let end = written.find(|letter: char| letter.is_whitespace() || letter.is_ascii_alphabetic() && !matches!(letter, 'e' | 'E'));
        let (digits, unit) = written.split_at(end.unwrap_or(written.len()));
        let (digits, unit) = (number(digits)?, unit.trim());
        if unit.is_empty() {
            return Some(digits);
        }
        let (units, own_factor) = measure(&self.unit)?;
        let at = units.iter().position(|(name, _)| *name == unit)?;
        let amount = digits * units[at].1;
        // A fraction is rounded to the next smaller unit: 1.1GB is 1126MB.
        let smaller = units.get(at + 1).map_or(1.0, |(_, factor)| *factor);
        Some((amount / smaller).round() * smaller / own_factor)
    }
}

/// The units that go with one of `pg_settings`, and how large that one is.
fn measure(unit: &str) -> Option<(&'static [(&'static str, f64)], f64)> {
    let (count, name) = unit.split_at(unit.find(|letter: char| !letter.is_ascii_digit())?);
    let count = if count.is_empty() { 1.0 } else { number(count)? };
    let found = |units: &'static [(&'static str, f64)]| {
        let (_, factor) = units.iter().find(|(one, _)| *one == name)?;
        Some((units, count * factor))
    };
    found(&BYTES).or_else(|| found(&TIMES))
}

fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|number: &f64| number.is_finite())
}

/// Words may be shortened as long as they can be told apart.
fn boolean(text: &str) -> Option<bool> {
    let text = text.trim().to_ascii_lowercase();
    let begins = |word: &str| !text.is_empty() && word.starts_with(text.as_str());
    if begins("true") || begins("yes") || text == "on" || text == "1" {
        Some(true)
    } else if begins("false") || begins("no") || text == "off" || text == "of" || text == "0" {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setting(value: &str, unit: &str, of: &str) -> Setting {
        Setting { value: value.to_owned(), unit: unit.to_owned(), of: of.to_owned() }
    }

    #[test]
    fn a_value_is_compared_in_the_unit_of_its_setting() {
        let buffers = setting("32768", "8kB", "integer");
        for (expected, is_so) in
            [("256MB", true), ("32768", true), ("0.25GB", true), ("262144 kB", true), ("256 MB", true), ("128MB", false)]
        {
            assert_eq!(buffers.is(expected), Some(is_so), "{expected}");
        }
        let fraction = setting("1153024", "kB", "integer");
        assert_eq!(fraction.is("1.1GB"), Some(true));
        let timeout = setting("300000", "ms", "integer");
        assert_eq!(["5min", "300s", "0.5h", "1d"].map(|expected| timeout.is(expected)), [Some(true), Some(true), Some(false), Some(false)]);
        assert_eq!(setting("-1", "kB", "integer").is("-1"), Some(true));
        assert_eq!(setting("0.5", "", "real").is("0.50"), Some(true));
        assert_eq!(setting("20", "ms", "real").is("20000us"), Some(true));
        assert_eq!(setting("0600", "", "integer").is("0600"), Some(true));
    }

    #[test]
    fn words_are_compared_as_the_server_reads_them() {
        let fsync = setting("on", "", "bool");
        assert_eq!(["true", "YES", "1", "off", "f"].map(|expected| fsync.is(expected)), [true, true, true, false, false].map(Some));
        let commit = setting("on", "", "enum");
        assert_eq!(["true", "local", "OFF"].map(|expected| commit.is(expected)), [true, false, false].map(Some));
        assert_eq!(setting("replica", "", "enum").is("Replica"), Some(true));
        assert_eq!(setting("a, b", "", "string").is("a,b"), Some(false));
    }

    #[test]
    fn what_the_setting_cannot_be_is_no_value() {
        let buffers = setting("32768", "8kB", "integer");
        for expected in ["256MiB", "much", "5min", "", "256mb"] {
            assert_eq!(buffers.is(expected), None, "{expected}");
        }
        assert_eq!(setting("100", "", "integer").is("100MB"), None);
        assert_eq!(setting("on", "", "bool").is("maybe"), None);
    }

    #[test]
    fn a_value_is_shown_in_the_largest_unit_that_holds_it_whole() {
        let shown = |value, unit| setting(value, unit, "integer").shown();
        assert_eq!([shown("32768", "8kB"), shown("1025", "kB"), shown("300000", "ms")], ["256MB", "1025kB", "5min"]);
        assert_eq!([shown("-1", "kB"), shown("0", "ms"), shown("100", "")], ["-1", "0", "100"]);
    }
}
