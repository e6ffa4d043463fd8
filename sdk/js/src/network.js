// What `http` and `net` both tell of a connection.

/**
 * How long what took; `undefined` where the phase did not happen.
 * @typedef {object} Timings
 * @property {number} totalSeconds From the start of the exchange to its last byte, redirects included.
 * @property {number | undefined} dnsSeconds Looking the name up.
 * @property {number | undefined} connectSeconds Opening the TCP or UNIX connection.
 * @property {number | undefined} tlsSeconds The TLS handshake.
 * @property {number | undefined} firstByteSeconds From sending the request to the first byte of the answer.
 */

/**
 * One X.509 certificate as the server sent it.
 * @typedef {object} Certificate
 * @property {string} subject Distinguished name: `CN=example.com`.
 * @property {string} issuer
 * @property {string[]} dnsNames DNS names and IP addresses that it is for.
 * @property {Date} notBefore
 * @property {Date} notAfter
 * @property {string} sha256 Fingerprint: 64 lower-case hex digits.
 */

/**
 * What a TLS handshake agreed on.
 * @typedef {object} TlsSession
 * @property {string} version
 * @property {string} cipher
 * @property {string | undefined} untrusted Why the certificate would be refused (`expired`, `self-signed`, `wrong-name`, ...); `undefined` when
 *   it is trusted.
 * @property {Certificate[]} chain Leaf first.
 */

/**
 * @param {import('sickbay:plugin/types@0.1.0').Timings} wire
 * @returns {Timings}
 */
export function timings(wire) {
  return {
    totalSeconds: wire.totalUs / 1e6,
    dnsSeconds: seconds(wire.dnsUs),
    connectSeconds: seconds(wire.connectUs),
    tlsSeconds: seconds(wire.tlsUs),
    firstByteSeconds: seconds(wire.firstByteUs),
  };
}

/**
 * @param {import('sickbay:plugin/types@0.1.0').TlsSession} wire
 * @returns {TlsSession}
 */
export function tlsSession({ version, cipher, untrusted, chain }) {
  return { version, cipher, untrusted: untrusted ?? undefined, chain: chain.map(certificate) };
}

/**
 * @param {import('sickbay:plugin/types@0.1.0').Certificate} wire
 * @returns {Certificate}
 */
function certificate(wire) {
  return { ...wire, notBefore: time(wire.notBefore), notAfter: time(wire.notAfter) };
}

/**
 * A time of the contract. One that is beyond JavaScript's is its last.
 * @param {bigint | number} milliseconds
 */
export function time(milliseconds) {
  return new Date(Math.min(Number(milliseconds), TIME_MS_MAX));
}

const TIME_MS_MAX = 8_640_000_000_000_000;

/** @param {number | null | undefined} microseconds */
function seconds(microseconds) {
  return microseconds == null ? undefined : microseconds / 1e6;
}
