// Uses of a secret that never show it, as far as `grants = { secrets = [...] }` allows.

import * as wire from '#host/secrets.js';
import { call } from './calls.js';
import { time } from './network.js';
import { bytesOf, clean } from './text.js';

/**
 * What may be known of a secret: when it changed, where the host can know it, and 2 versions while one is being rotated.
 * @typedef {{ changedAt: Date | undefined, versions: number }} SecretInfo
 */

/**
 * Tells when a secret changed, never what it is.
 * @param {string} secret
 * @returns {SecretInfo}
 */
export function inspect(secret) {
  const { changedAt, versions } = call('secrets', () => wire.inspect(clean(secret)));
  return { changedAt: changedAt == null ? undefined : time(changedAt), versions };
}

/**
 * One signature per active version, newest first. The key is `prefix` and then the secret; at most 1 MiB of data.
 * @param {string} secret
 * @param {string | Uint8Array} data
 * @param {{ algorithm?: 'hmac-sha256' | 'hmac-sha512' | 'hmac-sha1', prefix?: string }} [options]
 * @returns {Uint8Array[]}
 */
export function sign(secret, data, { algorithm = 'hmac-sha256', prefix = '' } = {}) {
  return call('secrets', () => wire.sign(clean(secret), algorithm, clean(prefix), bytesOf(data)));
}

/**
 * A new placeholder for `text` in that encoding with the placeholders in it filled: HTTP Basic, SMTP AUTH.
 * @param {string} text
 * @param {'base64' | 'percent'} encoding
 */
export function encode(text, encoding) {
  return call('secrets', () => wire.encode(clean(text), encoding));
}
