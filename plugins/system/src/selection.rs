//! Which mounts or devices a check looks at, by name.

/// A name; `*` at the end stands for any rest.
fn matches(pattern: &str, name: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => name.starts_with(start),
        None => name == pattern,
    }
}

pub(crate) fn any_matches(patterns: &[String], name: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_at_the_end_stands_for_any_rest() {
        let patterns = ["/data*".to_owned(), "/".to_owned()];
        assert!(any_matches(&patterns, "/"));
        assert!(any_matches(&patterns, "/data/one"));
        assert!(!any_matches(&patterns, "/var"));
        assert!(!any_matches(&[], "/"));
    }
}
