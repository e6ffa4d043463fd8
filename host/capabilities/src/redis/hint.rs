//! The line of configuration that grants exactly one command, safe to paste whatever bytes its keys have.

use crate::glob::STARS_MAX;

/// Keys that are named one by one; of more only the common beginning.
const KEYS_SHOWN_MAX: usize = 8;
const KEY_BYTES_SHOWN_MAX: usize = 128;
const SOURCE_CHARACTERS_SHOWN_MAX: usize = 63;

/// What the line says of keys.
pub(super) enum HintKeys<'k> {
    None,
    Every,
    Listed(&'k [&'k [u8]]),
}

/// `command` as [`super::policy`] names it: words of plain ASCII.
pub(super) fn line(source: &str, command: &str, keys: &HintKeys<'_>) -> String {
    let source = shown(source);
    let patterns = match keys {
        HintKeys::None => Vec::new(),
        HintKeys::Every => vec!["*".to_owned()],
        HintKeys::Listed(keys) if keys.len() <= KEYS_SHOWN_MAX => keys.iter().map(|key| pattern_of(key)).collect(),
        HintKeys::Listed(keys) => vec![common_pattern(keys)],
    };
    if patterns.is_empty() {
        return format!("redis = [{{ source = \"{source}\", commands = [\"{command}\"] }}]");
    }
    let patterns = patterns.iter().map(|pattern| format!("\"{}\"", escaped(pattern))).collect::<Vec<_>>().join(", ");
    format!("redis = [{{ source = \"{source}\", commands = [\"{command}\"], keys = [{patterns}] }}]")
}

/// The name of a source as a guest wrote it, fit for a message and a line of TOML.
pub(super) fn shown(source: &str) -> String {
    let plain = source.chars().take(SOURCE_CHARACTERS_SHOWN_MAX);
    plain.map(|letter| if letter.is_control() || matches!(letter, '"' | '\\' | '`') { '?' } else { letter }).collect()
}

/// What cannot stand in a line of text becomes `*`, and so does the rest of a long key.
fn pattern_of(key: &[u8]) -> String {
    let mut pattern = String::new();
    let mut stars = 0;
    for chunk in key.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if pattern.len() >= KEY_BYTES_SHOWN_MAX || stars + 1 >= STARS_MAX {
                add_star(&mut pattern, &mut stars);
                return pattern;
            }
            if letter.is_control() || letter == '*' {
                add_star(&mut pattern, &mut stars);
            } else {
                pattern.push(letter);
            }
        }
        if !chunk.invalid().is_empty() {
            add_star(&mut pattern, &mut stars);
        }
    }
    // A pattern without a letter is none.
    if pattern.is_empty() {
        add_star(&mut pattern, &mut stars);
    }
    pattern
}

fn add_star(pattern: &mut String, stars: &mut usize) {
    if !pattern.ends_with('*') {
        pattern.push('*');
        *stars += 1;
    }
}

fn common_pattern(keys: &[&[u8]]) -> String {
    let Some((first, rest)) = keys.split_first() else { return "*".to_owned() };
    let shared = |key: &&[u8]| first.iter().zip(key.iter()).take_while(|(one, other)| one == other).count();
    let length = rest.iter().map(shared).min().unwrap_or(first.len());
    let mut pattern = pattern_of(&first[..length]);
    if !pattern.ends_with('*') {
        pattern.push('*');
    }
    pattern
}

/// As it stands between the quotes of a TOML string; control characters are gone by now.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::super::grant::Grant;
    use super::*;

    #[test]
    fn the_line_names_source_command_and_keys() {
        let keys: [&[u8]; 2] = [b"celery", b"a \"quote\" \\"];
        assert_eq!(
            line("cache", "MGET", &HintKeys::Listed(&keys)),
            r#"redis = [{ source = "cache", commands = ["MGET"], keys = ["celery", "a \"quote\" \\"] }]"#
        );
        assert_eq!(line("cache", "INFO", &HintKeys::None), r#"redis = [{ source = "cache", commands = ["INFO"] }]"#);
        assert_eq!(line("cache", "KEYS", &HintKeys::Every), r#"redis = [{ source = "cache", commands = ["KEYS"], keys = ["*"] }]"#);
    }

    #[test]
    fn the_pattern_for_a_key_grants_it_whatever_its_bytes() {
        let long = vec![b'k'; 4096];
        let starry = b"*a*b*c*d*e*f*g*h*i*j*k*l*m*n*o*p*q*r*s".to_vec();
        let broken: Vec<u8> = (0..64).flat_map(|_| [0xff, b'a']).collect();
        for key in [b"celery".to_vec(), b"a\xffb\x00c\nd".to_vec(), b"\xff\xff".to_vec(), Vec::new(), long, starry, broken] {
            let pattern = pattern_of(&key);
            assert!(!pattern.chars().any(char::is_control), "{pattern:?}");
            let mut grant = Grant::new("cache");
            grant.allow_key(&pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
            assert!(grant.has_key(&key), "{pattern} must match {key:?}");
        }
    }

    #[test]
    fn many_keys_are_granted_by_how_they_begin() {
        let keys: Vec<Vec<u8>> = (0..20).map(|number| format!("celery:{number}").into_bytes()).collect();
        let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
        assert_eq!(common_pattern(&keys), "celery:*");
        let line = line("cache", "MGET", &HintKeys::Listed(&keys));
        assert!(line.ends_with("keys = [\"celery:*\"] }]"), "{line}");
        assert_eq!(common_pattern(&[b"a", b"b"]), "*");
    }

    #[test]
    fn a_hostile_source_cannot_break_the_line() {
        let line = line("a\"]\nhttp = [\"*`", "INFO", &HintKeys::None);
        assert!(!line.contains('\n') && line.matches('"').count() == 4, "{line}");
    }
}
