//! What comes back.

use ::http::{HeaderMap, HeaderValue, header};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use url::Url;

use super::{draw, drawn, placeholder};
use crate::secrets::encode::Encoding;
use crate::secrets::mask::merged;
use crate::secrets::{End, Part, Placeholders};

const SECRET: &[u8] = "p\"a/s s\\w+ö%rd".as_bytes();

fn masked(placeholders: &Placeholders, text: impl AsRef<[u8]>, end: End) -> String {
    let text = text.as_ref();
    let masked = placeholders.mask_bytes(text, end).unwrap_or_else(|| text.to_vec());
    String::from_utf8_lossy(&masked).replace(&placeholder(placeholders, 0), "<0>")
}

/// What a guest is given that receives `size` bytes at a time, while `ahead` more are there already.
fn in_pieces(placeholders: &Placeholders, text: &str, size: usize, ahead: usize) -> String {
    let text = text.as_bytes();
    let (mut given, mut told) = (Vec::new(), Vec::new());
    let (mut taken, mut come) = (0, 0);
    while taken < text.len() {
        let length = size.min(text.len() - taken);
        come = come.max((taken + length + ahead).min(text.len()));
        let ends = loop {
            let end = if come == text.len() { End::Whole } else { End::Cut };
            match placeholders.piece_end(&given, &text[taken..come], length, end) {
                Some(ends) => break ends,
                None => come += 1,
            }
        };
        let piece = text[taken..taken + ends].to_vec();
        taken += ends;
        let end = if taken == text.len() { End::Cut } else { End::Whole };
        told.extend(placeholders.mask_piece(&mut given, piece, end));
    }
    String::from_utf8_lossy(&told).replace(&placeholder(placeholders, 0), "<0>")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn percent(text: &str) -> String {
    String::from_utf8(Encoding::Percent.encode(text.as_bytes()).to_vec()).expect("ASCII")
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string().trim_matches('"').to_owned()
}

fn html(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;").replace('\'', "&#39;")
}

/// With `broken` behind every so many letters.
fn lines(text: &str, letters: usize, broken: &str) -> String {
    let lines: Vec<&str> = text.as_bytes().chunks(letters).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
    lines.join(broken)
}

#[test]
fn a_secret_is_masked_in_every_spelling() {
    let placeholders = drawn(&[("a", SECRET)]);
    let secret = std::str::from_utf8(SECRET).expect("UTF-8");
    let url = percent(secret);
    let every_byte: String = SECRET.iter().map(|byte| format!("%{byte:02x}")).collect();
    let every_letter = |spell: fn(char) -> String| secret.chars().map(spell).collect::<String>();
    for spelling in [
        secret.to_owned(),
        secret.replace('"', "\"\""),
        url.to_lowercase(),
        url.replace("%20", "+"),
        url.replace("%2F", "/"),
        percent(&url),
        percent(&json(secret)),
        percent(&html(secret)),
        url,
        every_byte,
        html(secret),
        html(&json(secret)),
        html(&html(secret)),
        every_letter(|letter| format!("&#{};", u32::from(letter))),
        every_letter(|letter| format!("&#x{:X};", u32::from(letter))),
        every_letter(|letter| format!("\\\\u{:04x}", u32::from(letter))),
        every_letter(|letter| format!("&amp;#{};", u32::from(letter))),
        json(&json(secret)),
        json(&html(secret)).replace('&', "\\u0026"),
        r#"p\x22a/s s\\w\x2b\xc3\xb6%rd"#.to_owned(),
        r#"p\"a\/s s\\w+ö%rd"#.to_owned(),
        r#"p\"a/s s\\w+\u00f6%rd"#.to_owned(),
        r"\u0070\u0022\u0061\u002fs s\u005cw\u002B\u00F6\u0025rd".to_owned(),
        hex(SECRET),
        hex(SECRET).to_uppercase(),
    ] {
        assert_eq!(masked(&placeholders, format!("x{spelling}y"), End::Whole), "x<0>y", "{spelling}");
        assert_eq!(masked(&placeholders, format!("{spelling} {spelling}"), End::Whole), "<0> <0>", "{spelling}");
        assert_eq!(masked(&placeholders, &spelling, End::Cut), "<0>", "{spelling}");
    }
}

#[test]
fn base64_of_a_secret_amid_other_bytes_is_masked() {
    let placeholders = drawn(&[("a", SECRET)]);
    for ahead in ["", "u", "us", "use", "user:"] {
        for behind in ["", "!", "!!", "!!!"] {
            let whole = [ahead.as_bytes(), SECRET, behind.as_bytes()].concat();
            for text in [STANDARD.encode(&whole), URL_SAFE_NO_PAD.encode(&whole)] {
                let masked = masked(&placeholders, format!("\"{text}\""), End::Whole);
                let (before, after) = masked.split_once("<0>").unwrap_or_else(|| panic!("{text}: {masked}"));
                // Nothing is left but letters that hold bits of the other bytes alone, and padding.
                assert_eq!(before.len() - 1, ahead.len() * 8 / 6, "{text}: {masked}");
                let rest = after.trim_end_matches('"').trim_end_matches('=');
                assert!(rest.len() <= (behind.len() * 8).div_ceil(6), "{text}: {masked}");
            }
        }
    }
    let escaped = STANDARD.encode(SECRET).replace('/', "\\/").replace('+', "\\u002b");
    assert_eq!(masked(&placeholders, escaped.trim_end_matches('='), End::Whole), "<0>", "escaped on top");
    let percent = Encoding::Percent.encode(STANDARD.encode(SECRET).trim_end_matches('=').as_bytes());
    assert_eq!(masked(&placeholders, &*percent, End::Whole), "<0>", "percent-encoded on top");
}

#[test]
fn what_is_encoded_is_masked_across_line_breaks_too() {
    let placeholders = drawn(&[("a", SECRET)]);
    for encoded in [STANDARD.encode(SECRET), URL_SAFE_NO_PAD.encode(SECRET), hex(SECRET), hex(SECRET).to_uppercase()] {
        for broken in ["\n", "\r\n", r"\n", r"\r\n", r"\\r\\n", "%0D%0A", "&#10;", "&#xD;\n"] {
            for letters in 1..encoded.len() {
                let text = format!("x {} y", lines(&encoded, letters, broken));
                assert_eq!(masked(&placeholders, &text, End::Whole), "x <0> y", "{text}");
            }
        }
    }
    let mail = lines(&STANDARD.encode([&[b'u'; 50][..], SECRET, &[b'v'; 50]].concat()), 76, "\r\n");
    let masked = masked(&placeholders, &mail, End::Whole);
    assert!(masked.contains("<0>") && !masked.contains(&mail[70..84]), "{masked}");
    let short = drawn(&[("pin", b"1234")]);
    assert_eq!(short.mask_bytes(b"1\n234\r\n12\n34", End::Whole), None, "lines of other numbers");
}

#[test]
fn a_text_is_masked_the_same_in_windows_of_every_size() {
    const TEXTS: usize = 60;
    const FRAGMENTS_MAX: usize = 6;
    let secrets: [(&str, &[u8]); 4] = [("a", SECRET), ("b", b"swordfish"), ("c", b"abababab"), ("d", b"fishbone")];
    let placeholders = drawn(&secrets);
    let secret = std::str::from_utf8(SECRET).expect("UTF-8");
    let coded = STANDARD.encode([&b"us"[..], SECRET].concat());
    let fragments = [
        secret.to_owned(),
        percent(secret),
        json(&json(secret)),
        html(&json(secret)),
        lines(&coded, 5, "\r\n"),
        coded[..14].to_owned(),
        hex(b"swordfish"),
        "swordfish".to_owned(),
        "swordfi".to_owned(),
        "sword%66ishbone".to_owned(),
        r"\\u0073wordfish".to_owned(),
        "ababababababab".to_owned(),
        "\\".to_owned(),
        "\\\\\\".to_owned(),
        "%".to_owned(),
        "%25".to_owned(),
        "&amp;#".to_owned(),
        "&".to_owned(),
        r"\ud83d".to_owned(),
        "\r\n".to_owned(),
        " plain ".to_owned(),
    ];
    // Mixed, and the same in every run.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut below = |most: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % 1_000_003).expect("a small number") % most
    };
    for _ in 0..TEXTS {
        let count = 1 + below(FRAGMENTS_MAX);
        let text: String = (0..count).map(|_| fragments[below(fragments.len())].as_str()).collect();
        for end in [End::Whole, End::Cut] {
            let whole = merged(placeholders.hits_by(text.as_bytes(), end, usize::MAX));
            for window in 1..=text.len() {
                let hits = merged(placeholders.hits_by(text.as_bytes(), end, window));
                assert_eq!(hits, whole, "{end:?} {text:?} by {window}");
            }
        }
    }
}

#[test]
fn a_secret_across_the_windows_of_a_long_text_is_masked() {
    const WINDOW_BYTES: usize = 64 << 10;
    let placeholders = drawn(&[("a", SECRET)]);
    let secret = std::str::from_utf8(SECRET).expect("UTF-8");
    for spelling in [secret.to_owned(), percent(secret), json(&json(secret)), html(secret), lines(&STANDARD.encode(SECRET), 4, "\r\n")] {
        for behind in 0..=spelling.len() {
            // Another letter than those of base64, and one that is an escape in every reading.
            let ahead = "!".repeat(WINDOW_BYTES - behind - 6) + "\\u0021";
            let long = format!("{ahead}{spelling}{ahead}{spelling}.");
            assert_eq!(masked(&placeholders, &long, End::Whole), format!("{ahead}<0>{ahead}<0>."), "{spelling} {behind} before the edge");
        }
    }
}

#[test]
fn what_is_not_the_secret_stays() {
    let placeholders = drawn(&[("a", b"swordfish")]);
    for text in ["", "sword fish", "swordfis", "Swordfish", "sword%66is", "c3dvcmRma", "%", "\\", "\\u", "sbsecret-"] {
        assert_eq!(placeholders.mask_bytes(text.as_bytes(), End::Whole), None, "{text}");
    }
    assert_eq!(Placeholders::default().mask_bytes(b"swordfish", End::Cut), None);
}

#[test]
fn the_beginning_of_a_secret_is_masked_where_the_text_was_cut() {
    let placeholders = drawn(&[("a", b"sw/rdfish")]);
    for (text, whole, cut) in [
        ("x sw/rdfis", "x sw/rdfis", "x <0>"),
        ("x sw/r", "x sw/r", "x <0>"),
        ("x sw/", "x sw/", "x sw/"),
        ("x sw%2Frd%6", "x sw%2Frd%6", "x <0>"),
        ("x sw\\/rd\\u00", "x sw\\/rd\\u00", "x <0>"),
        ("sw/rdfish sw/rdf", "<0> sw/rdf", "<0> <0>"),
        ("c3cvcmRmaXN", "c3cvcmRmaXN", "<0>"),
        ("73772f72646", "73772f72646", "<0>"),
    ] {
        assert_eq!(masked(&placeholders, text, End::Whole), whole, "{text}");
        assert_eq!(masked(&placeholders, text, End::Cut), cut, "{text}");
    }
}

#[test]
fn a_secret_that_is_picked_apart_gives_less_than_four_letters_away() {
    let secret = b"swordfish";
    let placeholders = drawn(&[("a", secret)]);
    let percent: String = secret.iter().map(|byte| format!("%{byte:02x}")).collect();
    let json: String = secret.iter().map(|byte| format!("\\u{byte:04x}")).collect();
    let html: String = secret.iter().map(|byte| format!("&#x{byte:02x};")).collect();
    // With the length of one letter.
    for (spelling, letter) in [
        ("swordfish".to_owned(), 1),
        (percent, 3),
        (json.replace('\\', "\\\\"), 7),
        (json, 6),
        (html, 6),
        (hex(secret), 1),
        (STANDARD.encode(secret), 1),
    ] {
        let (whole, broken) = (format!("x {spelling} y"), format!("x {}", &spelling[..spelling.len() - 2]));
        for size in 1..=whole.len() {
            for ahead in [0, 1, 100] {
                for (text, end) in [(&whole, "<0> y"), (&broken, "<0>")] {
                    let told = in_pieces(&placeholders, text, size, ahead);
                    let given = told.strip_prefix("x ").and_then(|told| told.strip_suffix(end)).unwrap_or_else(|| panic!("{text}: {told}"));
                    assert!(spelling.starts_with(given) && given.len() < 4 * letter, "{text} by {size}: {told}");
                }
            }
        }
        assert_eq!(in_pieces(&placeholders, &whole, 1, 100), "x <0> y", "where all of it is there nothing is given away");
    }
}

#[test]
fn what_begins_like_a_secret_and_is_none_comes_as_it_is_in_pieces_too() {
    let placeholders = drawn(&[("a", b"swordfish"), ("b", b"swordplay")]);
    for text in ["x swordfight swordfis y", "swor", "%73%77%6f%72%64", "sbsecret-", ""] {
        for size in 1..=text.len() + 1 {
            let told = in_pieces(&placeholders, &format!("{text}!"), size, 0);
            assert_eq!(told, format!("{text}!"), "by {size}");
        }
    }
    let drawn = placeholder(&placeholders, 1);
    assert_eq!(in_pieces(&placeholders, &format!("x {drawn} y"), 7, 0), format!("x {drawn} y"), "nor is a placeholder");
}

#[test]
fn a_short_secret_is_masked_within_words_too() {
    let placeholders = drawn(&[("a", b"pass")]);
    assert_eq!(masked(&placeholders, "password xpass passport", End::Whole), "<0>word x<0> <0>port");
}

#[test]
fn a_repetition_leaves_no_part_of_a_secret() {
    let placeholders = drawn(&[("a", b"aaaaaaaa")]);
    assert_eq!(masked(&placeholders, "xaaaaaaaaaaay", End::Whole), "x<0>y");
    let large = vec![b'a'; 1 << 20];
    assert_eq!(masked(&placeholders, &large, End::Whole), "<0>");
}

#[test]
fn of_two_that_overlap_the_longer_one_is_named() {
    let basic = STANDARD.encode("user:swordfish");
    let placeholders = drawn(&[("a", b"swordfish"), ("b", basic.as_bytes()), ("c", b"fishbone")]);
    let text = placeholders.mask_bytes(format!("Basic {basic}").as_bytes(), End::Whole).expect("masked");
    assert_eq!(text, format!("Basic {}", placeholder(&placeholders, 1)).into_bytes());
    let text = placeholders.mask_bytes(b"xswordfishboney", End::Whole).expect("masked");
    assert_eq!(text, format!("x{}y", placeholder(&placeholders, 0)).into_bytes());
}

#[test]
fn a_placeholder_that_stands_there_stays_whole() {
    let first = drawn(&[("a", b"swordfish")]);
    let placeholder = placeholder(&first, 0);
    // By chance the value of another secret.
    let digits = &placeholder[20..26];
    let mut both = first.clone();
    draw(&mut both, "b", digits.as_bytes());
    let masked = both.mask_bytes(format!("{placeholder} swordfish").as_bytes(), End::Whole).expect("masked");
    assert_eq!(masked, format!("{placeholder} {placeholder}").into_bytes());
}

#[test]
fn a_masked_body_is_no_longer_than_was_asked_for() {
    let placeholders = drawn(&[("a", b"swordfish")]);
    let body = b"swordfish and more".to_vec();
    let (masked, end) = placeholders.mask_body(body.clone(), End::Whole, 100);
    assert_eq!((masked, end), (format!("{} and more", placeholder(&placeholders, 0)).into_bytes(), End::Whole));
    let (masked, end) = placeholders.mask_body(body, End::Whole, 20);
    assert_eq!((masked, end), (placeholder(&placeholders, 0).into_bytes()[..20].to_vec(), End::Cut));
    let (masked, end) = placeholders.mask_body(b"other".to_vec(), End::Cut, 5);
    assert_eq!((masked, end), (b"other".to_vec(), End::Cut));
}

#[test]
fn the_texts_of_an_answer_are_masked_each_for_itself() {
    const TEXTS: usize = 5000;
    let placeholders = drawn(&[("a", b"swordfish")]);
    let placeholder = placeholder(&placeholders, 0);
    let mut texts = ["no secret", "a swordfish", "sword", "fish", "%73wordfish%7", "\\ud83d", "swordfish\\"].map(str::to_owned);
    let mut bytes = vec![b"\xff swordfish".to_vec(), Vec::new()];
    let grown = placeholders.mask_parts(texts.iter_mut().map(Part::Text).chain(bytes.iter_mut().map(Part::Bytes)));
    let told = texts.map(|text| text.replace(&placeholder, "<0>"));
    assert_eq!(told, ["no secret", "a <0>", "sword", "fish", "<0>%7", "\\ud83d", "<0>\\"]);
    assert_eq!(bytes, [[&b"\xff "[..], placeholder.as_bytes()].concat(), Vec::new()]);
    let more = 3 * (placeholder.len() - "swordfish".len()) + placeholder.len() - "%73wordfish".len();
    assert_eq!(grown, more as u64);

    let word = |index: usize| if index.is_multiple_of(999) { "swordfish" } else { "nothing at all" };
    let mut many: Vec<String> = (0..TEXTS).map(|index| format!("{index} {}", word(index))).collect();
    placeholders.mask_parts(many.iter_mut().map(Part::Text));
    let masked: Vec<usize> = (0..TEXTS).filter(|index| many[*index].contains(&placeholder)).collect();
    assert_eq!(masked, [0, 999, 1998, 2997, 3996, 4995]);
    assert!(!many.concat().contains("swordfish"));
}

#[test]
fn without_a_secret_no_answer_is_looked_through() {
    let none = Placeholders::default();
    let looked_at = std::iter::from_fn(|| -> Option<Part<'static>> { panic!("an answer is looked at") });
    assert_eq!((none.mask_parts(looked_at), none.reach()), (0, None));
}

#[test]
fn a_secret_in_a_file_is_as_many_stars_as_it_has_bytes() {
    let placeholders = drawn(&[("a", b"swordfish")]);
    for (text, wanted, told) in [
        ("x swordfish c3dvcmRmaXNo y", 0..100, "x ********* ************ y"),
        ("x swordfish y", 0..4, "x **"),
        ("x swordfish y", 4..6, "**"),
        ("x swordfish y", 9..12, "** "),
        ("x sword%66ish y", 2..15, "*********** y"),
        ("x swor", 0..9, "x ****"),
        ("x swo", 0..9, "x swo"),
        ("x", 5..9, ""),
    ] {
        let starred = placeholders.star_out(text.as_bytes().to_vec(), wanted.clone());
        assert_eq!(String::from_utf8_lossy(&starred), told, "{wanted:?} of {text}");
    }
}

#[test]
fn headers_and_urls_are_masked_and_a_host_is_not() {
    let placeholders = drawn(&[("a", b"example/key")]);
    let mut headers = HeaderMap::new();
    headers.append(header::SET_COOKIE, HeaderValue::from_static("one=example/key; path=/"));
    headers.append(header::SET_COOKIE, HeaderValue::from_static("two=2"));
    headers.append(header::SERVER, HeaderValue::from_bytes(b"\xff example/key").expect("a value"));
    placeholders.mask_headers(&mut headers);
    let placeholder = placeholder(&placeholders, 0);
    let values: Vec<&[u8]> = headers.values().map(HeaderValue::as_bytes).collect();
    let cookie = format!("one={placeholder}; path=/");
    let server = [&b"\xff "[..], placeholder.as_bytes()].concat();
    assert_eq!(values, [cookie.as_bytes(), b"two=2", &server]);

    for (url, expected) in [
        ("https://example/key", "https://example/key"),
        ("https://a.example/x/example/key/y", "https://a.example/x/<0>/y"),
        ("https://a.example/example%2fkey?q=example%2Fkey&r=1#top", "https://a.example/<0>?q=<0>&r=1#top"),
    ] {
        let mut url = Url::parse(url).expect("URL");
        placeholders.mask_url(&mut url);
        assert_eq!(url.as_str().replace(&placeholder, "<0>"), expected);
    }
}
