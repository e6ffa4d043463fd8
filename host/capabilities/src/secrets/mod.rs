//! Secrets that a guest uses and never sees.
//!
//! The operator writes `{{secret:NAME}}` in a check's `config`. For each run a placeholder is drawn at random for each secret that is
//! named there, and the guest is given that. What goes out over `http` or `net` with a placeholder in it is filled in below the guest,
//! and what comes back with the secret in it gets the placeholder again: over `http` and `net`, and from `redis` and `postgres` too, for
//! a server may have learnt it elsewhere. In what `files` reads it becomes stars. `sign`, `encode` and `inspect` use a secret without
//! showing it.
//!
//! Grants: `{ name, to }` (see [`Grant`]). [`policy`] is asked for every secret of every text that goes out, redirected requests
//! included, and for every secret that is computed with.
//!
//! How: `source.rs` reads secrets from the environment and from files, `template.rs` is `{{secret:NAME}}` in a `config`, `placeholder.rs`
//! draws and finds placeholders, `fill.rs` puts secrets in their place, `mask.rs` puts placeholders in the place of secrets (in every
//! spelling of `spelling.rs`, in every reading of `view.rs`, which undoes the escapes of `escape.rs`; long answers on the threads of
//! `threads.rs`), `told.rs` does so in what is kept of a run, `host.rs` answers the guest.
//!
//! Limits: what is filled in goes out byte by byte as the secret is, only in a URL it is percent-encoded, so that it stays one component: a
//! `/` in it divides no path. A secret shorter than 8 bytes is masked like any other, also within longer words, so that answers may become
//! hard to read; one shorter than 4 is refused. With a signature at hand a secret that can be guessed can be guessed offline.
//!
//! Masking is a net below the real promise, that guests see placeholders: what programs do to a text that they give back is undone. A secret
//! is masked as it stands; with its quotation marks doubled (SQL, CSV); percent-encoded, also as in forms; with the escapes of JSON and the
//! like (`\x41`); with the entities of HTML and XML; in base64 of both alphabets, padded or not, amid other bytes and across line breaks; in
//! hexadecimal; and all of that behind escapes within escapes. Not undone are other encodings (base32, UTF-16, quoted-printable, hexadecimal
//! in mixed case or with something between its digits), compression, encryption and hashes; what a peer makes of a secret by means of its
//! own (a part of it, its letters one by one) is the business of who granted `to`, or the source. Names of headers, files and types,
//! certificates, and numbers and times of a database are not looked through. Where a text was cut, the beginning of a secret is masked from
//! 4 bytes on; a guest that receives a dialogue in pieces is given no more than 3.
//!
//! Only what `config` names is looked for. A granted folder in which a secret's own file lies is the operator's choice: a check that does not
//! name the secret reads the file as it stands, and so does every guest through WASI's own files.
//!
//! Invariant: no secret that `config` names is given to the guest in an answer of `http`, `net`, `redis` or `postgres`, nor by a read of
//! `files`, in a spelling that is known here; none that is read here is in a log line or an error.
//! Invariant: only a placeholder of the same run is filled in; any other text of that form stays text.
//! Invariant: a check whose `config` names no secret reads none and draws nothing, and none of its answers is looked through.

mod encode;
mod escape;
mod fill;
mod grant;
mod host;
mod mask;
mod placeholder;
mod policy;
mod sign;
mod source;
mod spelling;
mod template;
#[cfg(test)]
pub(crate) mod tests;
mod threads;
mod told;
mod value;
mod view;

pub(crate) use fill::FilledRequest;
pub use grant::Grant;
pub(crate) use mask::Part;
pub(crate) use placeholder::starred;
pub use placeholder::{DrawError, Placeholders};
pub(crate) use policy::Towards;
pub use policy::foretell;
pub use source::{OpenError, Opened, Origin, SecretSettings, Unusable, Vault, unusable};
pub use template::{NAMES_MAX, Template};
pub(crate) use threads::{MaskThreads, own_threads};
pub(crate) use view::End;
