// HTTP of the scripted host: one answer for each request, in order.

import { HeaderList } from '../headers.js';
import { bytesOf, decode } from '../text.js';
import { wireTlsSession } from './network.js';
import { AFTER_MS, Script } from './script.js';

/** @typedef {typeof import('sickbay:plugin/http@0.1.0')} Wire */
/** @typedef {import('sickbay:plugin/http@0.1.0').Request} WireRequest */
/** @typedef {import('sickbay:plugin/http@0.1.0').Options} WireOptions */
/** @typedef {import('sickbay:plugin/http@0.1.0').Response} WireResponse */

/** A request that the plugin sent. */
export class SentRequest {
  /** @param {WireRequest} request @param {WireOptions} options */
  constructor(request, options) {
    this.method = request.method;
    this.url = request.url;
    this.headers = new HeaderList(request.headers.map(({ name, value }) => [name, value]));
    this.body = request.body;
    /** How it was to go. */
    this.options = options;
  }

  text() {
    return this.body === undefined ? '' : decode(this.body);
  }

  /** @returns {any} */
  json() {
    return JSON.parse(this.text());
  }
}

/** What services answer, and what they were sent. */
export class FakeHttp {
  /** @type {Script<WireResponse>} */
  #script;
  /** @type {SentRequest[]} Every request, in order. */
  sent = [];

  /** @param {import('./clock.js').FakeClock} clock */
  constructor(clock) {
    this.#script = new Script(clock);
  }

  /**
   * Answers the next request, after `afterMs`; `json` is the body as JSON.
   * @param {number} [status]
   * @param {{
   *   body?: string | Uint8Array,
   *   json?: unknown,
   *   headers?: Readonly<Record<string, string>>,
   *   url?: string,
   *   tls?: import('../network.js').TlsSession,
   *   truncated?: boolean,
   *   afterMs?: number,
   * }} [answer]
   */
  reply(status = 200, { body = '', json, headers = {}, url = '', tls, truncated = false, afterMs = AFTER_MS } = {}) {
    /** @type {WireResponse} */
    const answer = {
      status,
      version: 'HTTP/1.1',
      headers: Object.entries(headers).map(([name, value]) => ({ name: name.toLowerCase(), value })),
      body: bytesOf(json === undefined ? body : JSON.stringify(json)),
      truncated,
      url,
      redirects: [],
      timings: { totalUs: Math.round(afterMs * 1000) },
      extras: [],
      ...(tls === undefined ? {} : { tls: wireTlsSession(tls) }),
    };
    this.#script.add(answer, afterMs);
  }

  /**
   * Fails the next request: `new RefusedError('connection refused')`, `new DeniedError(..)`, ...
   * @param {Error} error
   * @param {{ afterMs?: number }} [told]
   */
  fail(error, { afterMs = AFTER_MS } = {}) {
    this.#script.add(error, afterMs);
  }

  /** @type {Wire['send']} */
  send(request, options) {
    this.sent.push(new SentRequest(request, options));
    const answer = this.#script.next(`${request.method} ${request.url}`, options.timeoutMs);
    return { ...answer, url: answer.url || request.url };
  }

  /** @type {Wire['sendMany']} */
  sendMany(requests, options) {
    return requests.map((request) => {
      try {
        return { tag: 'ok', val: this.send(request, options) };
      } catch (error) {
        return { tag: 'err', val: /** @type {any} */ (error) };
      }
    });
  }
}
