//! `wasi:http` for guests whose language speaks it (`fetch` of JavaScript, HTTP libraries of Rust and Go): every request goes to what is
//! lent, which authorises and bounds it as it does those of `sickbay:plugin/http`.
//!
//! Invariant: nothing here dials, and nothing is sent that [`Lend::send_over_wasi`] was not asked for.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use http::{HeaderName, Response};
use http_body_util::{BodyExt, Full};
use wasmtime_wasi_http::{Error, ForbiddenHeaderFilter, RequestOptions, WasiBody, WasiHttpHooks};

use crate::Lend;
use crate::context::LENT;
use crate::outgoing::{BODY_BYTES_MAX, Refusal, Request};

/// What a guest writes to a body at once.
const CHUNK_BYTES_MAX: usize = 64 << 10;

/// What is lent, as the way out of `wasi:http`.
pub(crate) struct Door<L> {
    /// None between two runs of a kept instance: nothing calls then.
    pub(crate) lent: Option<L>,
    /// Whether the run sent a request.
    pub(crate) is_used: bool,
}

type Transmitted = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answered = Box<dyn Future<Output = Result<(Response<WasiBody>, Transmitted), Error>> + Send>;

impl<L> Door<L> {
    pub(crate) fn lent(&mut self) -> &mut L {
        self.lent.as_mut().expect(LENT)
    }
}

impl<L: Lend> WasiHttpHooks for Door<L> {
    fn forbidden_header_filter(&mut self) -> ForbiddenHeaderFilter {
        Arc::new(|name: &HeaderName| L::forbids_header(name))
    }

    /// What is lent sets its own.
    fn set_host_header(&mut self) -> bool {
        false
    }

    fn p2_outgoing_body_chunk_size(&mut self) -> usize {
        CHUNK_BYTES_MAX
    }

    fn send_request(&mut self, request: http::Request<WasiBody>, options: Option<RequestOptions>, _: Transmitted) -> Answered {
        self.is_used = true;
        let (head, body) = request.into_parts();
        // Without both the run's own deadline ends it.
        let timeout = options.and_then(|options| options.connect_timeout?.checked_add(options.first_byte_timeout?));
        let exchange = self.lent().send_over_wasi(Request { head, body: Box::pin(whole(body)), timeout });
        Box::new(async move {
            let response = exchange.await.map_err(to_wasi)?;
            let response = response.map(|bytes| Full::new(bytes).map_err(|never| match never {}).boxed_unsync());
            let sent: Transmitted = Box::new(async { Ok(()) });
            Ok((response, sent))
        })
    }
}

/// Trailers are left out.
async fn whole(mut body: WasiBody) -> Result<Bytes, Refusal> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Refusal::Invalid(format!("the body did not come whole: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        if bytes.len() + data.len() > BODY_BYTES_MAX {
            return Err(Refusal::RequestTooLarge);
        }
        bytes.extend_from_slice(&data);
    }
    Ok(bytes.freeze())
}

fn to_wasi(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Denied => Error::HttpRequestDenied,
        Refusal::Address => Error::DestinationIpProhibited,
        Refusal::Invalid(message) | Refusal::Other(message) => Error::InternalError(Some(message)),
        Refusal::RequestTooLarge => Error::HttpRequestBodySize(Some(u64::try_from(BODY_BYTES_MAX).unwrap_or(u64::MAX))),
        Refusal::ResponseTooLarge(bytes_max) => Error::HttpResponseBodySize(Some(bytes_max)),
        Refusal::Dns => Error::DnsError { rcode: None, info_code: None },
        Refusal::Refused => Error::ConnectionRefused,
        Refusal::Connect => Error::DestinationUnavailable,
        Refusal::Tls => Error::TlsProtocolError,
        Refusal::Timeout => Error::HttpResponseTimeout,
        Refusal::Protocol => Error::HttpProtocolError,
    }
}
