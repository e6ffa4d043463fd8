//! Times and durations, from the server's text to microseconds and back. Pure; the Gregorian calendar, as the server has it.
//!
//! The session's `DateStyle` is `ISO`, its `IntervalStyle` `postgres`. A text of another style is none: it is never taken for another time.

const SECOND_US: i64 = 1_000_000;
const DAY_US: i64 = 86_400 * SECOND_US;
/// A month of an interval.
const MONTH_US: i64 = 30 * DAY_US;

/// `2026-01-31 12:00:00.5+02`, also ` BC`; microseconds since 1970. None for `infinity`, and where 64 bits do not hold it.
pub(super) fn timestamp_us(text: &str) -> Option<i64> {
    let (text, is_before_christ) = match text.strip_suffix(" BC") {
        Some(text) => (text, true),
        None => (text, false),
    };
    let (date, clock) = text.split_once(' ')?;
    let (year, month, day) = date_parts(date)?;
    let year = if is_before_christ { 1 - year } else { year };
    let (clock, zone_us) = match clock.find(['+', '-']) {
        Some(at) => (&clock[..at], zone_us(&clock[at..])?),
        None => (clock, 0),
    };
    days_since_1970(year, month, day).checked_mul(DAY_US)?.checked_add(clock_us(clock)?)?.checked_sub(zone_us)
}

/// `YYYY-MM-DD`, or none.
pub(super) fn is_date(text: &str) -> bool {
    text.len() == 10 && date_parts(text).is_some()
}

/// `HH:MM:SS.ffffff` of `HH:MM:SS` with as many decimals as the server found.
pub(super) fn time_text(text: &str) -> Option<String> {
    if text.len() < 8 {
        return None;
    }
    let us = clock_us(text)?;
    Some(clock_text(us.unsigned_abs(), 2))
}

/// `1 year 2 mons -3 days 04:05:06.7`.
pub(super) fn interval_us(text: &str) -> Option<i64> {
    let mut total = 0_i64;
    let mut words = text.split(' ');
    while let Some(word) = words.next() {
        let us = match word.strip_prefix(['-', '+']) {
            _ if !word.contains(':') => word.parse::<i64>().ok()?.checked_mul(unit_us(words.next()?)?)?,
            Some(clock) if word.starts_with('-') => -clock_us(clock)?,
            Some(clock) => clock_us(clock)?,
            None => clock_us(word)?,
        };
        total = total.checked_add(us)?;
    }
    Some(total)
}

/// As the server reads it, in UTC.
pub(super) fn timestamp_text(us: i64) -> String {
    let (year, month, day) = date_of(us.div_euclid(DAY_US));
    let clock = clock_text(us.rem_euclid(DAY_US).unsigned_abs(), 2);
    let (year, era) = if year > 0 { (year, "") } else { (1 - year, " BC") };
    format!("{year:04}-{month:02}-{day:02} {clock}+00{era}")
}

/// As the server reads it.
pub(super) fn interval_text(us: i64) -> String {
    let sign = if us < 0 { "-" } else { "" };
    format!("{sign}{}", clock_text(us.unsigned_abs(), 1))
}

fn unit_us(word: &str) -> Option<i64> {
    match word {
        "year" | "years" => Some(12 * MONTH_US),
        "mon" | "mons" => Some(MONTH_US),
        "day" | "days" => Some(DAY_US),
        _ => None,
    }
}

fn number(digits: &str) -> Option<i64> {
    // `parse` takes a sign too.
    if digits.bytes().all(|digit| digit.is_ascii_digit()) { digits.parse().ok() } else { None }
}

fn date_parts(text: &str) -> Option<(i64, i64, i64)> {
    let mut parts = text.split('-');
    let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
    let well_formed = parts.next().is_none() && (4..=6).contains(&year.len()) && month.len() == 2 && day.len() == 2;
    let (year, month, day) = (number(year)?, number(month)?, number(day)?);
    (well_formed && (1..=12).contains(&month) && (1..=31).contains(&day)).then_some((year, month, day))
}

/// `HH:MM:SS` with up to six decimals. Hours may be many.
fn clock_us(text: &str) -> Option<i64> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let mut parts = whole.split(':');
    let (hours, minutes, seconds) = (number(parts.next()?)?, number(parts.next()?)?, number(parts.next()?)?);
    if parts.next().is_some() || minutes > 59 || seconds > 60 || decimals.is_empty() || decimals.len() > 6 {
        return None;
    }
    let missing = u32::try_from(6 - decimals.len()).ok()?;
    let us = number(decimals)?.checked_mul(10_i64.pow(missing))?;
    hours.checked_mul(3600)?.checked_add(minutes * 60 + seconds)?.checked_mul(SECOND_US)?.checked_add(us)
}

/// `+02`, `-03:30`, `+00:53:28`.
fn zone_us(text: &str) -> Option<i64> {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let mut seconds = 0;
    let mut unit = 3600;
    for part in text.get(1..)?.split(':') {
        if unit == 0 {
            return None;
        }
        seconds += number(part)?.checked_mul(unit)?;
        unit /= 60;
    }
    Some(sign * seconds * SECOND_US)
}

fn clock_text(us: u64, hour_digits: usize) -> String {
    let seconds = us / SECOND_US.unsigned_abs();
    let (hours, minutes, seconds, us) = (seconds / 3600, seconds / 60 % 60, seconds % 60, us % SECOND_US.unsigned_abs());
    format!("{hours:0hour_digits$}:{minutes:02}:{seconds:02}.{us:06}")
}

/// Years begin in March here, so that the day that is not always there is the last one.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month > 2 { year } else { year - 1 };
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

fn date_of(days_since_1970: i64) -> (i64, i64, i64) {
    let days = days_since_1970 + 719_468;
    let (era, day_of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_microseconds_since_1970() {
        for (text, us) in [
            ("1970-01-01 00:00:00", Some(0)),
            ("1970-01-01 00:00:00.000001+00", Some(1)),
            ("2000-02-29 12:34:56.5+02", Some(951_820_496_500_000)),
            ("2024-12-31 23:59:59.999999-03:30", Some(1_735_702_199_999_999)),
            ("1969-12-31 23:59:59", Some(-SECOND_US)),
            ("0001-01-01 00:00:00 BC", Some(-62_167_219_200 * SECOND_US)),
            ("0044-03-15 00:00:00+00 BC", Some(-63_517_824_000 * SECOND_US)),
            ("1880-01-01 00:00:00+00:53:28", Some(-2_840_144_008 * SECOND_US)),
            ("294276-12-31 23:59:59.999999", None),
            ("infinity", None),
            ("-infinity", None),
            ("31/12/2024 00:00:00", None),
            ("2024-13-01 00:00:00", None),
            ("", None),
        ] {
            assert_eq!(timestamp_us(text), us, "{text}");
        }
    }

    #[test]
    fn a_timestamp_goes_to_the_server_and_comes_back() {
        for us in [0, 1, -1, 951_820_496_500_000, -62_135_596_800 * SECOND_US, -62_135_596_801 * SECOND_US, i64::MAX, i64::MIN / 2] {
            assert_eq!(timestamp_us(&timestamp_text(us)), Some(us), "{}", timestamp_text(us));
        }
        assert_eq!(timestamp_text(951_820_496_500_000), "2000-02-29 10:34:56.500000+00");
    }

    #[test]
    fn every_day_has_its_date() {
        let mut days = -1_000_000;
        while days < 1_000_000 {
            let (year, month, day) = date_of(days);
            assert_eq!(days_since_1970(year, month, day), days);
            days += 37;
        }
    }

    #[test]
    fn times_have_six_decimals() {
        assert_eq!(time_text("04:05:06").as_deref(), Some("04:05:06.000000"));
        assert_eq!(time_text("24:00:00.5").as_deref(), Some("24:00:00.500000"));
        for text in ["4:5:6", "04:05", "04:05:06+02", "allballs", ""] {
            assert_eq!(time_text(text), None, "{text}");
        }
    }

    #[test]
    fn dates_have_ten_characters() {
        assert!(is_date("2026-01-31"));
        for text in ["infinity", "10000-01-01", "0044-03-15 BC", "31.01.2026", "2026-1-031"] {
            assert!(!is_date(text), "{text}");
        }
    }

    #[test]
    fn a_month_of_an_interval_has_thirty_days() {
        for (text, us) in [
            ("00:00:00", Some(0)),
            ("1 year 2 mons -3 days -04:05:06.7", Some((14 * 30 - 3) * DAY_US - 14_706_700_000)),
            ("-1 years -2 mons +3 days +100:00:00.000001", Some((-14 * 30 + 3) * DAY_US + 360_000_000_001)),
            ("1 day", Some(DAY_US)),
            ("@ 1 day ago", None),
            ("P1D", None),
            ("1-2", None),
            ("178000000 years", None),
            ("infinity", None),
            ("", None),
        ] {
            assert_eq!(interval_us(text), us, "{text}");
        }
        assert_eq!(interval_text(-3_600_000_001), "-1:00:00.000001");
        assert_eq!(interval_us(&interval_text(i64::MAX)), Some(i64::MAX));
    }
}
