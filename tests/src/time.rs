//! Times as the API writes them.

/// Milliseconds since 1970 of `2026-01-31T12:00:00.000Z`.
///
/// # Panics
/// When the text has another form.
pub fn milliseconds(text: &str) -> i64 {
    let number = |from: usize, to: usize| -> i64 {
        text.get(from..to).and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("`{text}` is not a time as the API writes it"))
    };
    assert!(text.len() == 24 && text.ends_with('Z'), "`{text}` is not a time as the API writes it");
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let seconds = number(11, 13) * 3600 + number(14, 16) * 60 + number(17, 19);
    days(year, month, day) * 86_400_000 + seconds * 1000 + number(20, 23)
}

/// Days from 1970-01-01 in the Gregorian calendar, for years from 1970 on.
fn days(year: i64, month: i64, day: i64) -> i64 {
    const BEFORE_MONTH: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let leap_days = |year: i64| year / 4 - year / 100 + year / 400;
    let index = usize::try_from(month - 1).unwrap_or(usize::MAX);
    let before_month = *BEFORE_MONTH.get(index).unwrap_or_else(|| panic!("{month} is not a month"));
    (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969) + before_month + i64::from(is_leap && month > 2) + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_api_are_read() {
        for (text, expected) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2000-02-29T00:00:00.000Z", 951_782_400_000),
            ("2023-11-14T22:13:20.007Z", 1_700_000_000_007),
            ("2024-12-31T23:59:59.999Z", 1_735_689_599_999),
        ] {
            assert_eq!(milliseconds(text), expected, "{text}");
        }
    }
}
