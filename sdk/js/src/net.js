// Connections and names below HTTP, as far as `grants = { net = [...] }` allows: `tcp://host:port`, `tls://host:port`, `unix:///path`,
// `dns://name`.
//
//     const connection = net.connect('mail.internal:25');
//     try {
//       const banner = connection.receiveLine();
//     } finally {
//       connection.close();
//     }

import * as wire from '#host/net.js';
import { call } from './calls.js';
import { timings, tlsSession } from './network.js';
import { bytesOf, clean, decode, span, unsigned } from './text.js';

/** The longest line that `receiveLine` reads. */
export const LINE_BYTES_MAX = 8 << 10;

/**
 * How to connect.
 * @typedef {object} Options
 * @property {boolean} [tls] From the first byte.
 * @property {string} [serverName] For SNI and the certificate, where it is not the host of the address; also for `startTls`.
 * @property {boolean} [acceptUntrusted] Go on with a certificate that is not trusted; `tls.untrusted` says why it is not.
 * @property {number} [timeoutMs] For connecting, with TLS; the run's deadline bounds it too.
 */

/** A connection that stands. Close it: an instance that ends its run with one open is not kept for the next. */
export class Connection {
  /** @type {import('sickbay:plugin/net@0.1.0').Connection | undefined} */
  #wire;

  /** @param {import('sickbay:plugin/net@0.1.0').Connection} connection */
  constructor(connection) {
    this.#wire = connection;
    const opened = connection.opened();
    /** Address and port that answered, or the path of the UNIX socket. */
    this.peer = opened.peer;
    this.timings = timings(opened.timings);
    /** Absent without TLS. */
    this.tls = opened.tls == null ? undefined : tlsSession(opened.tls);
  }

  /** Closes it; again does nothing. */
  close() {
    this.#wire?.[Symbol.dispose]();
    this.#wire = undefined;
  }

  [Symbol.dispose]() {
    this.close();
  }

  /**
   * At most 1 MiB. Placeholders of secrets are filled in by the host.
   * @param {string | Uint8Array} data
   */
  send(data) {
    const connection = this.#open();
    call('net', () => connection.send(bytesOf(data)));
  }

  /**
   * Exactly that many bytes; fewer when the peer closes. At most 1 MiB.
   * @param {number} size
   * @param {{ timeoutMs?: number }} [options]
   */
  receive(size, { timeoutMs } = {}) {
    return this.#receive(new Uint8Array(0), size, timeoutMs);
  }

  /**
   * Up to and with `until`, at most `bytesMax` bytes.
   * @param {string | Uint8Array} until
   * @param {number} bytesMax
   * @param {{ timeoutMs?: number }} [options]
   */
  receiveUntil(until, bytesMax, { timeoutMs } = {}) {
    return this.#receive(bytesOf(until), bytesMax, timeoutMs);
  }

  /**
   * One line without its end, with U+FFFD for what is not UTF-8.
   * @param {{ timeoutMs?: number }} [options]
   */
  receiveLine(options) {
    return decode(this.receiveUntil('\n', LINE_BYTES_MAX, options)).replace(/\r?\n$/, '');
  }

  /** STARTTLS: from here on it is encrypted. Refused while unread bytes are held. */
  startTls() {
    const connection = this.#open();
    this.tls = tlsSession(call('net', () => connection.startTls()));
    return this.tls;
  }

  /**
   * @param {Uint8Array} until
   * @param {number} bytesMax
   * @param {number | undefined} timeoutMs
   */
  #receive(until, bytesMax, timeoutMs) {
    const connection = this.#open();
    return call('net', () => connection.receive(until, unsigned('bytesMax', bytesMax), span('timeoutMs', timeoutMs)));
  }

  #open() {
    if (this.#wire === undefined) throw new TypeError('the connection is closed');
    return this.#wire;
  }
}

/**
 * Connects to `host:port` or `unix:/path`. At most 8 connections are open at once.
 * @param {string} address
 * @param {Options} [options]
 */
export function connect(address, { tls = false, serverName, acceptUntrusted = false, timeoutMs } = {}) {
  const name = serverName === undefined ? undefined : clean(serverName);
  const target = { address: clean(address), tls, serverName: name, acceptUntrusted, timeoutMs: span('timeoutMs', timeoutMs), extras: [] };
  return new Connection(call('net', () => wire.connect(target)));
}

/**
 * What a lookup found.
 * @typedef {object} DnsAnswer
 * @property {string[]} records As text, in the order they came: `10 mail.example.com`.
 * @property {number | undefined} ttlSeconds The lowest time to live among them, where it is known.
 * @property {number} elapsedSeconds
 */

/**
 * Records of a name; the kind is `A`, `AAAA`, `CNAME`, `MX`, `TXT`, `SRV`, `NS`, ...
 * @param {string} name
 * @param {string} [kind]
 * @returns {DnsAnswer}
 */
export function resolve(name, kind = 'A') {
  const { records, ttlSeconds, elapsedUs } = call('net', () => wire.dnsResolve(clean(name), clean(kind)));
  return { records, ttlSeconds: ttlSeconds ?? undefined, elapsedSeconds: elapsedUs / 1e6 };
}
