// `fetch` over the contract's `http`: what a plugin's own code and its libraries call `fetch` becomes this when a component is built, and in
// a run on a scripted host.
//
// It is not the engine's own `fetch`: that one says "NetworkError" whether the service was down or the grant missing, follows no redirect, and
// needs a second door to the network. Errors are those of `http`; `AbortSignal`s are passed over, for a call waits.

import { ContentError } from './errors.js';
import { HeaderList, pairs } from './headers.js';
import { send } from './http.js';
import { decode } from './text.js';

// The most that the contract allows; `fetch` promises a whole body.
const BODY_BYTES_MAX = 1 << 20;
const REDIRECTS_MAX = 10;

/**
 * What else `fetch` is told; names that are not here are passed over.
 * @typedef {{
 *   method?: string,
 *   headers?: import('./headers.js').HeadersInit,
 *   body?: unknown,
 *   redirect?: 'follow' | 'manual' | 'error',
 *   [other: string]: unknown,
 * }} Init
 */

/** An answer, as `fetch` gives it: the `Response` of the web without streams. */
export class FetchResponse {
  #answer;
  #bodyUsed = false;

  /** @param {import('./http.js').Response} answer */
  constructor(answer) {
    this.#answer = answer;
  }

  get status() {
    return this.#answer.status;
  }

  get statusText() {
    return '';
  }

  get ok() {
    return this.#answer.ok;
  }

  get headers() {
    return this.#answer.headers;
  }

  get url() {
    return this.#answer.url;
  }

  get redirected() {
    return this.#answer.redirects.length > 0;
  }

  get type() {
    return 'basic';
  }

  get bodyUsed() {
    return this.#bodyUsed;
  }

  async bytes() {
    if (this.#bodyUsed) throw new TypeError('the body was read already; hint: `clone()` the response before');
    this.#bodyUsed = true;
    return this.#answer.body;
  }

  async arrayBuffer() {
    return (await this.bytes()).slice().buffer;
  }

  async text() {
    return decode(await this.bytes());
  }

  async json() {
    await this.bytes();
    return this.#answer.json();
  }

  clone() {
    if (this.#bodyUsed) throw new TypeError('the body was read already; hint: `clone()` the response before');
    return new FetchResponse(this.#answer);
  }
}

/**
 * @param {string | URL | { url: string, method?: string, headers?: Iterable<readonly [string, string]> }} input
 * @param {Init} [init]
 * @returns {Promise<FetchResponse>}
 */
export async function fetch(input, init = {}) {
  const asked = typeof input === 'object' && 'url' in input ? input : { url: String(input) };
  const { method = 'GET', headers = {}, body, redirect = 'follow' } = { ...picked(asked), ...init };
  const request = { method: method.toUpperCase(), url: asked.url, ...content(headers, body) };
  const redirectsMax = redirect === 'follow' ? REDIRECTS_MAX : 0;
  const answer = send(request, { redirectsMax, bodyBytesMax: BODY_BYTES_MAX });
  if (answer.truncated) throw new ContentError(`the body has more than ${BODY_BYTES_MAX} bytes; hint: \`http.get\` reads the first part of it`);
  if (redirect === 'error' && answer.status >= 300 && answer.status < 400) throw new ContentError(`HTTP ${answer.status} is a redirect`);
  return new FetchResponse(answer);
}

/** @param {{ method?: string, headers?: Iterable<readonly [string, string]> }} request */
function picked({ method, headers }) {
  return { ...(method === undefined ? {} : { method }), ...(headers === undefined ? {} : { headers }) };
}

/**
 * Headers and body, with the content type that goes with the body.
 * @param {import('./headers.js').HeadersInit} headers
 * @param {unknown} body
 * @returns {{ headers: [string, string][], body?: string | Uint8Array }}
 */
function content(headers, body) {
  /** @type {[string, string][]} */
  const told = [...new HeaderList(pairs(headers))].map(([name, value]) => [name, value]);
  if (body == null) return { headers: told };
  if (typeof body === 'string') return { headers: withType(told, 'text/plain;charset=UTF-8'), body };
  if (body instanceof ArrayBuffer) return { headers: told, body: new Uint8Array(body) };
  if (ArrayBuffer.isView(body)) return { headers: told, body: new Uint8Array(body.buffer, body.byteOffset, body.byteLength) };
  if (body.constructor?.name === 'URLSearchParams') {
    return { headers: withType(told, 'application/x-www-form-urlencoded;charset=UTF-8'), body: String(body) };
  }
  throw new TypeError(`the body is ${body.constructor?.name ?? typeof body}; hint: a text, bytes or URLSearchParams`);
}

/**
 * @param {[string, string][]} headers
 * @param {string} type
 * @returns {[string, string][]}
 */
function withType(headers, type) {
  return headers.some(([name]) => name.toLowerCase() === 'content-type') ? headers : [...headers, ['content-type', type]];
}
