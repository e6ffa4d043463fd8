// HTTP requests, as far as `grants = { http = [...] }` allows.
//
// The host sends them: it authorises the URL and every address that it resolves to, measures the phases, reports the certificate, and ends
// the call before the run's own deadline, so that a hung service is seen as a timeout of the service.
//
//     const { jobs } = http.get('https://api.internal/queue', { headers: { accept: 'application/json' } }).json();
//
// A call waits: there is nothing to `await`. `fetch` is there too, for libraries and by habit; it goes the same way.

import * as wire from '#host/http.js';
import { call, meaning } from './calls.js';
import { ContentError, StatusError } from './errors.js';
import { HeaderList, pairs } from './headers.js';
import { Mismatch } from './key.js';
import { timings, tlsSession } from './network.js';
import { bytesOf, clean, decode, json as jsonText, span, unsigned } from './text.js';

/** The redirects that a call follows unless told otherwise. */
export const REDIRECTS_MAX_DEFAULT = 5;
const U8_MAX = 255;

/**
 * How an exchange goes.
 * @typedef {object} Options
 * @property {number} [timeoutMs] For the whole exchange; the run's deadline bounds it too.
 * @property {number} [redirectsMax] 0 answers the redirect itself; 5 unless told otherwise, at most 10.
 * @property {number} [bodyBytesMax] How much of the body is read: at most 1 MiB, 64 KiB unless told otherwise.
 * @property {boolean} [reuse] Use a kept connection when there is one. Checks want `false`: they test the connection too.
 * @property {boolean} [acceptUntrusted] Go on with a certificate that is not trusted; `tls.untrusted` says why it is not.
 * @property {string} [connectTo] Dial this instead of the URL's host: `10.0.0.7:443`, `unix:/run/docker.sock`. Needs its own `net` grant.
 */

/**
 * What a request carries. Placeholders of secrets in it are filled in by the host.
 * @typedef {object} Content
 * @property {import('./headers.js').HeadersInit} [headers] At most 64, 32 KiB in all.
 * @property {string | Uint8Array} [body] At most 1 MiB.
 * @property {unknown} [json] The body as JSON, with its content type.
 */

/** @typedef {{ method: string, url: string | URL } & Content} Request */

/**
 * One redirect that was followed.
 * @typedef {{ status: number, url: string, headers: HeaderList }} Redirect
 */

/** A whole answer. Any status is an answer, also 500. */
export class Response {
  /** @param {import('sickbay:plugin/http@0.1.0').Response} answer */
  constructor(answer) {
    this.status = answer.status;
    this.headers = headerList(answer.headers);
    /** At most `bodyBytesMax`. */
    this.body = answer.body;
    /** The body went on after `bodyBytesMax`. */
    this.truncated = answer.truncated;
    /** The URL that gave this answer: after redirects the last one. */
    this.url = answer.url;
    /** `HTTP/1.1` */
    this.version = answer.version;
    /** @type {Redirect[]} Redirects that were followed, first one first. */
    this.redirects = answer.redirects.map(({ status, url, headers }) => ({ status, url, headers: headerList(headers) }));
    this.timings = timings(answer.timings);
    /** Address and port that answered. */
    this.peer = answer.peer ?? undefined;
    /** Absent without TLS. */
    this.tls = answer.tls == null ? undefined : tlsSession(answer.tls);
  }

  /** Whether the status is 2xx. */
  get ok() {
    return this.status >= 200 && this.status < 300;
  }

  /** From the first name lookup to the last byte of the body. */
  get latencySeconds() {
    return this.timings.totalSeconds;
  }

  /** The body as text, with U+FFFD for what is not UTF-8. */
  text() {
    return decode(this.body);
  }

  /**
   * The body as JSON, or as a key describes it: `json(key.array('', key.string()))`. Anything else is the service's fault: a `ContentError`.
   * Names that the key does not list are passed over.
   * @template [T=any]
   * @param {import('./key.js').Key<T, any, boolean>} [key]
   * @returns {T}
   */
  json(key) {
    try {
      const value = JSON.parse(this.text());
      return key ? key.read(value, 'body', false) : value;
    } catch (error) {
      if (!(error instanceof SyntaxError) && !(error instanceof Mismatch)) throw error;
      const hint = this.truncated ? ' (only the first part of the body was read)' : '';
      throw new ContentError(`the body is not the JSON that was expected: ${error.message}${hint}`, { cause: error });
    }
  }

  /** The response itself where its status is 2xx; otherwise a `StatusError`, which is the service's fault. */
  expectOk() {
    if (this.ok) return this;
    const after = this.headers.get('retry-after') ?? '';
    throw new StatusError(`HTTP ${this.status}`, this.status, { retryAfterMs: /^\d{1,6}$/.test(after) ? Number(after) * 1000 : undefined });
  }
}

/**
 * A GET.
 * @param {string | URL} url
 * @param {Pick<Content, 'headers'> & Options} [options]
 */
export function get(url, options) {
  return send({ method: 'GET', url, ...options }, options);
}

/**
 * A HEAD.
 * @param {string | URL} url
 * @param {Pick<Content, 'headers'> & Options} [options]
 */
export function head(url, options) {
  return send({ method: 'HEAD', url, ...options }, options);
}

/**
 * A POST of `body`, or of `json` as JSON.
 * @param {string | URL} url
 * @param {Content & Options} [options]
 */
export function post(url, options) {
  return send({ method: 'POST', url, ...options }, options);
}

/**
 * A PUT of `body`, or of `json` as JSON.
 * @param {string | URL} url
 * @param {Content & Options} [options]
 */
export function put(url, options) {
  return send({ method: 'PUT', url, ...options }, options);
}

/**
 * Sends a request and waits for the whole answer. What went wrong is thrown.
 * @param {Request} request
 * @param {Options} [options]
 * @returns {Response}
 */
export function send(request, options = {}) {
  return new Response(call('http', () => wire.send(wireRequest(request), wireOptions(options))));
}

/**
 * At most 16 requests, all at once, answers in order. What went wrong stands in its place as an error.
 * @param {readonly Request[]} requests
 * @param {Options} [options]
 * @returns {(Response | Error)[]}
 */
export function sendMany(requests, options = {}) {
  const answers = call('http', () => wire.sendMany(requests.map(wireRequest), wireOptions(options)));
  return answers.map((answer) => {
    if (answer.tag === 'ok') return new Response(answer.val);
    const error = meaning('http', answer.val);
    return error instanceof Error ? error : new Error(String(error));
  });
}

/**
 * @param {Request} request
 * @returns {import('sickbay:plugin/http@0.1.0').Request}
 */
function wireRequest({ method, url, headers = {}, body, json }) {
  const told = pairs(headers).map(([name, value]) => ({ name: clean(name), value: clean(value) }));
  const asked = { method: clean(method), url: clean(url), headers: told };
  if (json === undefined) return { ...asked, body: body === undefined ? undefined : bytesOf(body) };
  if (body !== undefined) throw new TypeError('a request has `body` or `json`, not both');
  if (!told.some(({ name }) => name.toLowerCase() === 'content-type')) told.push({ name: 'content-type', value: 'application/json' });
  return { ...asked, body: bytesOf(jsonText('the body', json)) };
}

/**
 * @param {Options} options
 * @returns {import('sickbay:plugin/http@0.1.0').Options}
 */
function wireOptions({ timeoutMs, redirectsMax = REDIRECTS_MAX_DEFAULT, bodyBytesMax, reuse = false, acceptUntrusted = false, connectTo }) {
  return {
    timeoutMs: span('timeoutMs', timeoutMs),
    redirectsMax: unsigned('redirectsMax', redirectsMax, U8_MAX),
    bodyBytesMax: bodyBytesMax === undefined ? undefined : unsigned('bodyBytesMax', bodyBytesMax),
    reuse,
    acceptUntrusted,
    connectTo: connectTo === undefined ? undefined : clean(connectTo),
    extras: [],
  };
}

/** @param {import('sickbay:plugin/http@0.1.0').Header[]} headers */
function headerList(headers) {
  return new HeaderList(headers.map(({ name, value }) => [name, value]));
}
