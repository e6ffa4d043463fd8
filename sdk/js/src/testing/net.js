// Connections and names of the scripted host: one `Dialogue` for each connection and one answer for each lookup, in order.

import { ProtocolError, TlsError } from '../errors.js';
import { bytesOf, decode } from '../text.js';
import { wireTlsSession } from './network.js';
import { AFTER_MS, Script } from './script.js';

/** @typedef {typeof import('sickbay:plugin/net@0.1.0')} Wire */
/** @typedef {import('../network.js').TlsSession} TlsSession */

/** What one connection says, and what it was told. */
export class Dialogue {
  #answers;
  #held = new Uint8Array(0);
  #tls;
  #startTls;
  /** @type {string[]} Everything that the plugin sent, as text. */
  said = [];
  isClosed = false;

  /**
   * @param {readonly (string | Uint8Array)[]} answers
   * @param {TlsSession | undefined} tls
   * @param {TlsSession | undefined} startTls
   */
  constructor(answers, tls, startTls) {
    this.#answers = answers.map(bytesOf);
    this.#tls = tls;
    this.#startTls = startTls;
  }

  /** @returns {import('sickbay:plugin/net@0.1.0').Opened} */
  opened() {
    const timings = { connectUs: AFTER_MS * 1000, totalUs: AFTER_MS * 1000 };
    return { peer: '127.0.0.1:1', timings, ...(this.#tls === undefined ? {} : { tls: wireTlsSession(this.#tls) }) };
  }

  /** @param {Uint8Array} bytes */
  send(bytes) {
    this.said.push(decode(bytes));
  }

  /**
   * @param {Uint8Array} until
   * @param {number} bytesMax
   */
  receive(until, bytesMax) {
    while (this.#held.length < bytesMax && this.#endOf(until) < 0) {
      const next = this.#answers.shift();
      if (next === undefined) break;
      this.#held = joined(this.#held, next);
    }
    const end = this.#endOf(until);
    if (until.length > 0 && end < 0 && this.#held.length < bytesMax) {
      throw new ProtocolError('the peer closed the connection before the answer was whole');
    }
    const size = Math.min(bytesMax, end < 0 ? this.#held.length : end);
    const received = this.#held.slice(0, size);
    this.#held = this.#held.slice(size);
    return received;
  }

  startTls() {
    if (this.#startTls === undefined) throw new TlsError('the test scripted no TLS');
    return wireTlsSession(this.#startTls);
  }

  [Symbol.dispose]() {
    this.isClosed = true;
  }

  /**
   * Where what is held ends with `until`; -1 where it does not.
   * @param {Uint8Array} until
   */
  #endOf(until) {
    if (until.length === 0) return -1;
    const starts = this.#held.findIndex((_, start) => until.every((byte, index) => this.#held[start + index] === byte));
    return starts < 0 ? -1 : starts + until.length;
  }
}

/** What peers and name servers answer, and what they were asked. */
export class FakeNet {
  /** @type {Script<Dialogue>} */
  #connections;
  /** @type {Script<import('sickbay:plugin/net@0.1.0').DnsAnswer>} */
  #names;
  /** @type {import('sickbay:plugin/net@0.1.0').Target[]} Every connection that was asked for. */
  targets = [];
  /** @type {{ name: string, kind: string }[]} Every lookup. */
  lookups = [];

  /** @param {import('./clock.js').FakeClock} clock */
  constructor(clock) {
    this.#connections = new Script(clock);
    this.#names = new Script(clock);
  }

  /**
   * The next connection comes about, says these things, and then closes.
   * @param {readonly (string | Uint8Array)[]} answers
   * @param {{ tls?: TlsSession, startTls?: TlsSession, afterMs?: number }} [told]
   */
  dialogue(answers, { tls, startTls, afterMs = AFTER_MS } = {}) {
    const dialogue = new Dialogue(answers, tls, startTls);
    this.#connections.add(dialogue, afterMs);
    return dialogue;
  }

  /**
   * The next connection does not come about: `new RefusedError(..)`, `new TlsError(..)`, ...
   * @param {Error} error
   * @param {{ afterMs?: number }} [told]
   */
  fail(error, { afterMs = AFTER_MS } = {}) {
    this.#connections.add(error, afterMs);
  }

  /**
   * Answers the next lookup.
   * @param {string[]} records
   * @param {{ ttlSeconds?: number, afterMs?: number }} [told]
   */
  records(records, { ttlSeconds = 60, afterMs = AFTER_MS } = {}) {
    this.#names.add({ records, ttlSeconds, elapsedUs: Math.round(afterMs * 1000) }, afterMs);
  }

  /**
   * The next lookup fails: `new DnsError(..)`, ...
   * @param {Error} error
   * @param {{ afterMs?: number }} [told]
   */
  failLookup(error, { afterMs = AFTER_MS } = {}) {
    this.#names.add(error, afterMs);
  }

  /** @type {Wire['connect']} */
  connect(target) {
    this.targets.push(target);
    // The bindings' class cannot be made here.
    return /** @type {any} */ (this.#connections.next(`a connection to ${target.address}`, target.timeoutMs));
  }

  /** @type {Wire['dnsResolve']} */
  dnsResolve(name, kind) {
    this.lookups.push({ name, kind });
    return this.#names.next(`${kind} ${name}`, undefined);
  }
}

/**
 * @param {Uint8Array} first
 * @param {Uint8Array} second
 */
function joined(first, second) {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
