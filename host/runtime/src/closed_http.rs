//! `wasi:http` for guests whose language imports it whatever they do (JavaScript): it links, and every request is denied.
//! `sickbay:plugin/http` is the way out, with grants, timings and bounds.

use http::Response;
use wasmtime_wasi_http::{Error, RequestOptions, WasiBody, WasiHttpHooks};

#[derive(Debug)]
pub(crate) struct ClosedHttp;

type Transmitted = Box<dyn Future<Output = Result<(), Error>> + Send>;
type Answered = Box<dyn Future<Output = Result<(Response<WasiBody>, Transmitted), Error>> + Send>;

impl WasiHttpHooks for ClosedHttp {
    fn send_request(&mut self, _: http::Request<WasiBody>, _: Option<RequestOptions>, _: Transmitted) -> Answered {
        Box::new(async { Err(Error::HttpRequestDenied) })
    }
}
