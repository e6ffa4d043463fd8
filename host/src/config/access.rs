//! Who may ask from beyond this machine: `[[token]]`, and whether `listen` goes together with it.
//!
//! A token is 256 random bits, and what is configured is its SHA-256. A slow hash is for passwords, which people choose and others guess;
//! nobody guesses 256 bits, so a fast one keeps the token as safe and costs a request nothing.
//!
//! Limits: [`TOKENS_MAX`] tokens, [`HASH_FILE_BYTES_MAX`] for the file of a hash.
//!
//! Invariant: no message quotes a hash or what is in the file of one: it may be the token itself, put there by mistake.

use std::net::SocketAddr;
use std::path::Path;

use super::diagnostic::{Problem, shown};
use super::read::named_file;
use super::settings::Scope;
use super::text::{FileText, Placed, TokenText};
use super::values;

const TOKENS_MAX: usize = 100;
const HASH_FILE_BYTES_MAX: u64 = 4 << 10;
/// Of a SHA-256, two for each byte.
const HASH_DIGITS: usize = 64;

const HASH_HINT: &str = "make both with: openssl rand -hex 32 | tee token | tr -d '\\n' | sha256sum | cut -d' ' -f1 > NAME.token";

/// What a token allows; each has what the one before has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads everything.
    Viewer,
    /// Runs checks now.
    Operator,
    /// Everything.
    Admin,
}

impl Role {
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Operator, Role::Admin];

    pub fn as_str(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

/// One `[[token]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    pub name: String,
    pub role: Role,
    /// SHA-256 of the token.
    pub hash: [u8; 32],
}

/// The tokens that are right; what is wrong with the others is noted.
pub(super) fn tokens(written: &[Placed<TokenText>], scope: &mut Scope<'_>) -> Vec<Token> {
    let mut tokens: Vec<Token> = Vec::new();
    for token in written {
        if tokens.len() >= TOKENS_MAX {
            let problem = Problem::new("too many tokens").reason(format!("there are more than {TOKENS_MAX}"));
            scope.note(token.span(), problem.hint("let those who may do the same share one"));
            break;
        }
        let text = token.value();
        let name = scope.read(Some(&text.name), None, |name| unused(name, &tokens).map(|()| Some(name.clone())));
        let role = scope.read(Some(&text.role), None, |text| role(text).map(Some));
        let hash = hash(token, &tokens, scope);
        if let (Some(name), Some(role), Some(hash)) = (name, role, hash) {
            tokens.push(Token { name, role, hash });
        }
    }
    tokens
}

fn unused(name: &str, tokens: &[Token]) -> Result<(), Problem> {
    values::name("name", name)?;
    if tokens.iter().any(|token| token.name == name) {
        let problem = Problem::new(format!("two tokens are named \"{}\"", shown(name)));
        return Err(problem.reason("the log and the history tell by this name who did what").hint("give each its own name"));
    }
    Ok(())
}

fn role(text: &str) -> Result<Role, Problem> {
    Role::ALL.into_iter().find(|role| role.as_str() == text).ok_or_else(|| {
        Problem::new(format!("unknown role \"{}\"", shown(text)))
            .reason("it says what the token allows, and nothing is allowed by a guess")
            .hint("write \"viewer\" (reads), \"operator\" (also runs checks) or \"admin\" (everything)")
    })
}

fn hash(token: &Placed<TokenText>, tokens: &[Token], scope: &mut Scope<'_>) -> Option<[u8; 32]> {
    let text = token.value();
    let dir = scope.dir;
    let alone = |hash: [u8; 32]| match tokens.iter().find(|token| token.hash == hash) {
        Some(other) => Err(Problem::new(format!("this is the token \"{}\" again", other.name))
            .reason("who comes with it could not be told from the other")
            .hint("make a token for each name")),
        None => Ok(Some(hash)),
    };
    match (&text.hash, &text.hash_file) {
        (Some(hash), None) => scope.read(Some(hash), None, |text| digits(text).ok_or_else(no_hash).and_then(alone)),
        (None, Some(file)) => scope.read(Some(file), None, |text| hash_in(text, dir).and_then(alone)),
        (Some(_), Some(file)) => {
            let problem = Problem::new("a token has `hash` or `hash_file`, not both").reason("one token has one hash");
            scope.note(file.span(), problem.hint("remove one of them"));
            None
        }
        (None, None) => {
            let problem =
                Problem::new("a token without a hash").reason("a token is known by its SHA-256, and nobody could come with this one");
            scope.note(token.span(), problem.hint("add a line such as: hash_file = \"grafana.token\""));
            None
        }
    }
}

fn no_hash() -> Problem {
    Problem::new("`hash` is not a hash").reason(format!("the SHA-256 of a token has {HASH_DIGITS} hexadecimal digits")).hint(HASH_HINT)
}

fn hash_in(text: &str, dir: &Path) -> Result<[u8; 32], Problem> {
    let content = named_file("hash_file", text, dir, HASH_FILE_BYTES_MAX)?;
    let hash = std::str::from_utf8(&content).ok().and_then(|text| digits(text.trim()));
    hash.ok_or_else(|| {
        Problem::new("`hash_file` holds no hash")
            .reason(format!("\"{}\" must hold {HASH_DIGITS} hexadecimal digits and nothing else", shown(text)))
            .hint(HASH_HINT)
    })
}

fn digits(text: &str) -> Option<[u8; 32]> {
    if text.len() != HASH_DIGITS || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut hash = [0; 32];
    for (index, byte) in hash.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * index..2 * index + 2)?, 16).ok()?;
    }
    Some(hash)
}

/// Whether the address, the tokens and TLS go together; `listen` is where the address is written.
pub(super) fn judge_reach(listen: Option<&Placed<String>>, address: SocketAddr, file: &FileText, scope: &mut Scope<'_>) {
    let tls = file.server.as_ref().is_some_and(|server| server.tls.is_some());
    match (listen, file.token.first()) {
        (Some(listen), None) if !address.ip().is_loopback() => scope.note(listen.span(), needs_token(address)),
        (Some(listen), Some(_)) if !address.ip().is_loopback() && !tls => scope.note(
            listen.span(),
            Problem::warning("tokens cross the network in the clear")
                .reason("`listen` is not loopback, and `[server]` has no `tls`")
                .hint("add `tls = { cert_file = \"server.pem\", key_file = \"server.key\" }`, or let a proxy in front speak TLS"),
        ),
        (_, Some(token)) if address.ip().is_loopback() => scope.note(
            token.span(),
            Problem::warning("no token is asked for")
                .reason("`listen` is a loopback address, which needs none")
                .hint("set `listen` under `[server]` to an address that other machines reach, or remove `[[token]]`"),
        ),
        _ => {}
    }
}

fn needs_token(address: SocketAddr) -> Problem {
    Problem::new("a `listen` address that is not loopback needs a token")
        .reason("other machines reach it, and there is no `[[token]]`")
        .hint(format!(
            "write \"127.0.0.1:{}\", or add these lines (README, \"Beyond this machine\", makes the file):\n\
             \n    [[token]]\n    name = \"me\"\n    role = \"viewer\"\n    hash_file = \"me.token\"",
            address.port()
        ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_64_digits_and_nothing_else() {
        let all: String = (0..32).map(|byte| format!("{byte:02x}")).collect();
        let wanted: [u8; 32] = std::array::from_fn(|index| u8::try_from(index).unwrap_or_default());
        assert_eq!(digits(&all), Some(wanted));
        assert_eq!(digits(&all.to_uppercase()), Some(wanted));
        for wrong in ["", "00", &all[1..], &format!("{all}0"), &all.replace("1f", "+f"), &all.replace("1f", "é")] {
            assert_eq!(digits(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_file_without_a_hash_is_told_without_what_is_in_it() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let long = "ab".repeat(4000);
        for (content, message) in [
            ("hunter2", "`hash_file` holds no hash"),
            ("", "`hash_file` holds no hash"),
            (long.as_str(), "`hash_file` is no file that can be read"),
        ] {
            std::fs::write(dir.path().join("a.token"), content).expect("the folder is writable");
            let problem = hash_in("a.token", dir.path()).expect_err("it is no hash");
            assert_eq!(problem.message, message);
            assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        }
        std::fs::write(dir.path().join("a.token"), format!("{}\n", "ab".repeat(32))).expect("the folder is writable");
        assert_eq!(hash_in("a.token", dir.path()), Ok([0xab; 32]));
    }

    #[test]
    fn each_role_has_what_the_one_before_has() {
        assert!(Role::ALL.is_sorted());
        assert_eq!(role("operator"), Ok(Role::Operator));
        assert!(role("Viewer").is_err());
    }
}
