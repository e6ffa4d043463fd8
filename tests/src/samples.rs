//! `/metrics`, read as Prometheus would.

use std::collections::BTreeMap;

/// One line.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub name: String,
    pub labels: BTreeMap<String, String>,
    pub value: f64,
}

/// One scrape.
#[derive(Clone, Debug)]
pub struct Samples(pub Vec<Sample>);

impl Samples {
    /// # Panics
    /// When a line is not in the text format.
    pub fn parse(text: &str) -> Samples {
        let lines = text.split('\n').filter(|line| !line.is_empty() && !line.starts_with('#'));
        Samples(lines.map(|line| sample(line).unwrap_or_else(|| panic!("not a sample: {line}"))).collect())
    }

    /// The series of `name` that have all of `labels`.
    pub fn series<'a>(&'a self, name: &'a str, labels: &'a [(&'a str, &'a str)]) -> impl Iterator<Item = &'a Sample> {
        let has = move |sample: &&Sample| labels.iter().all(|(label, value)| sample.labels.get(*label).is_some_and(|known| known == value));
        self.0.iter().filter(move |sample| sample.name == name).filter(has)
    }

    /// The sum of the series of `name` that have all of `labels`; 0 where there is none.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.series(name, labels).map(|sample| sample.value).sum()
    }

    /// Runs that were recorded: of one check, or of all.
    pub fn runs_recorded(&self, check: Option<&str>) -> u64 {
        self.series("sickbay_check_runs_total", &[])
            .filter(|sample| sample.labels["outcome"] != "skipped")
            .filter(|sample| check.is_none_or(|check| sample.labels["check"] == check))
            // Counts below 2^53 are exact.
            .map(|sample| sample.value as u64)
            .sum()
    }
}

fn sample(line: &str) -> Option<Sample> {
    let (name, mut rest) = line.split_at(line.find(['{', ' '])?);
    let mut labels = BTreeMap::new();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside;
        while !rest.starts_with('}') {
            let (label, after) = rest.strip_prefix(',').unwrap_or(rest).split_once("=\"")?;
            let (value, after) = quoted(after)?;
            assert!(labels.insert(label.to_owned(), value).is_none(), "a label stands twice: {line}");
            rest = after;
        }
        rest = &rest[1..];
    }
    Some(Sample { name: name.to_owned(), labels, value: rest.trim().parse().ok()? })
}

/// The text up to the quote that ends it, and what is behind.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match characters.next()?.1 {
                'n' => value.push('\n'),
                escaped => value.push(escaped),
            },
            _ => value.push(character),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_read_with_their_labels() {
        let text = "# HELP a b\na 1\nb{x=\"1\",y=\"\\\"}\\\\ \\n\"} 2.5\nb{x=\"1\",y=\"z\"} +Inf\n";
        let samples = Samples::parse(text);
        assert_eq!(samples.0.len(), 3);
        assert_eq!(samples.0[1].labels["y"], "\"}\\ \n");
        assert_eq!(samples.sum("a", &[]), 1.0);
        assert_eq!(samples.sum("b", &[("y", "z")]), f64::INFINITY);
        assert_eq!(samples.series("b", &[("x", "1")]).count(), 2);
    }
}
