//! Messages to the server, put together so that they go out together.

use bytes::BytesMut;
use postgres_protocol::IsNull;
use postgres_protocol::message::frontend;

use super::types::Oid;
use super::value::Parameter;

/// Messages that go out together.
#[derive(Default)]
pub(super) struct Outgoing {
    bytes: BytesMut,
    /// Messages that the server answers with a `ReadyForQuery`.
    awaited: u32,
    /// A text held U+0000, or a message was too long.
    is_spoilt: bool,
}

impl Outgoing {
    pub(super) fn query(&mut self, sql: &str) {
        self.awaited += 1;
        self.is_spoilt |= frontend::query(sql, &mut self.bytes).is_err();
    }

    pub(super) fn sync(&mut self) {
        self.awaited += 1;
        frontend::sync(&mut self.bytes);
    }

    /// A statement of the host that is followed by others in the same group.
    pub(super) fn step(&mut self, sql: &str) {
        self.parse("", sql, []);
        let bound = frontend::bind("", "", [], [(); 0], |(), _: &mut BytesMut| Ok(IsNull::Yes), [], &mut self.bytes);
        let executed = frontend::execute("", 0, &mut self.bytes);
        self.is_spoilt |= bound.is_err() || executed.is_err();
    }

    pub(super) fn parse(&mut self, name: &str, sql: &str, types: impl IntoIterator<Item = Oid>) {
        self.is_spoilt |= frontend::parse(name, sql, types, &mut self.bytes).is_err();
    }

    pub(super) fn close(&mut self, name: &str) {
        self.is_spoilt |= frontend::close(b'S', name, &mut self.bytes).is_err();
    }

    /// A statement that was parsed, with text in both directions; at most `rows` come, all where that is 0.
    pub(super) fn run(&mut self, name: &str, parameters: &[Parameter], rows: u32) {
        let bound = frontend::bind(
            "",
            name,
            [],
            parameters,
            |parameter: &Parameter, bytes: &mut BytesMut| {
                Ok(match &parameter.text {
                    Some(text) => {
                        bytes.extend_from_slice(text.as_bytes());
                        IsNull::No
                    }
                    None => IsNull::Yes,
                })
            },
            [],
            &mut self.bytes,
        );
        let described = frontend::describe(b'P', "", &mut self.bytes);
        let executed = frontend::execute("", i32::try_from(rows).unwrap_or(i32::MAX), &mut self.bytes);
        self.is_spoilt |= bound.is_err() || described.is_err() || executed.is_err();
        self.sync();
    }

    /// With how many answers are to be waited for.
    pub(super) fn take(&mut self) -> Option<(BytesMut, u32)> {
        let Outgoing { bytes, awaited, is_spoilt } = std::mem::take(self);
        (!is_spoilt).then_some((bytes, awaited))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_cannot_be_sent_spoils_what_goes_with_it() {
        let mut outgoing = Outgoing::default();
        outgoing.query("select '\0'");
        outgoing.query("select 1");
        assert!(outgoing.take().is_none());
        outgoing.query("select 1");
        outgoing.sync();
        let (bytes, awaited) = outgoing.take().expect("nothing is spoilt");
        assert_eq!((&bytes[..], awaited), (&b"Q\0\0\0\x0dselect 1\0S\0\0\0\x04"[..], 2));
    }
}
