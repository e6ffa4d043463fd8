//! `application/x-www-form-urlencoded`.

/// All but letters, digits and `-._~` is percent-encoded: a placeholder of a secret stays as it is.
pub(crate) fn encoded(fields: &[(&str, &str)]) -> String {
    let mut form = String::new();
    for (name, value) in fields {
        if !form.is_empty() {
            form.push('&');
        }
        form.push_str(name);
        form.push('=');
        push_encoded(&mut form, value);
    }
    form
}

fn push_encoded(form: &mut String, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            form.push(char::from(byte));
        } else {
            form.push('%');
            form.push(char::from(DIGITS[usize::from(byte >> 4)]));
            form.push(char::from(DIGITS[usize::from(byte & 0xf)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_end_a_field_is_encoded() {
        assert_eq!(encoded(&[("To", "+49 1"), ("Body", "a&b=ü\n")]), "To=%2B49%201&Body=a%26b%3D%C3%BC%0A");
        assert_eq!(encoded(&[("A", "sbsecret-0f"), ("B", "")]), "A=sbsecret-0f&B=");
    }
}
