// Small values kept between the runs of one check and target: rates, trends, cursors.
//
// 64 keys of 128 bytes, 16 KiB in all. They are read before the run and written with its result: a run that fails writes nothing.

import * as wire from '#host/state.js';
import { payloadOf } from './calls.js';
import { QuotaError } from './errors.js';
import { clean, decode, encode, json } from './text.js';

/**
 * What was put under that key with `set`, by an earlier run or by this one. What cannot be read (another version of the plugin wrote it) counts
 * as absent.
 * @template [T=any]
 * @param {string} key
 * @returns {T | undefined}
 */
export function get(key) {
  const bytes = getBytes(key);
  if (bytes === undefined) return undefined;
  try {
    return JSON.parse(decode(bytes));
  } catch {
    return undefined;
  }
}

/**
 * Keeps a value, as JSON.
 * @param {string} key
 * @param {unknown} value
 */
export function set(key, value) {
  setBytes(key, encode(json('the value', value)));
}

/**
 * What was put under that key with `setBytes`.
 * @param {string} key
 * @returns {Uint8Array | undefined}
 */
export function getBytes(key) {
  return wire.get(clean(key)) ?? undefined;
}

/**
 * Keeps bytes; the error says which bound they pass.
 * @param {string} key
 * @param {Uint8Array} value
 */
export function setBytes(key, value) {
  try {
    wire.put(clean(key), value);
  } catch (error) {
    const bound = payloadOf(error);
    throw typeof bound === 'string' ? new QuotaError(bound) : error;
  }
}

/**
 * Forgets a key; no matter whether it was there.
 * @param {string} key
 */
export function remove(key) {
  wire.remove(clean(key));
}
