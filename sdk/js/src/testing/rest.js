// State, log and secrets of the scripted host.

import { DeniedError, QuotaError } from '../errors.js';
import { decode, encode } from '../text.js';

const STATE_KEYS_MAX = 64;
const STATE_KEY_BYTES_MAX = 128;
const STATE_BYTES_MAX = 16 << 10;

/** @typedef {typeof import('sickbay:plugin/state@0.1.0')} StateWire */
/** @typedef {typeof import('sickbay:plugin/log@0.1.0')} LogWire */
/** @typedef {typeof import('sickbay:plugin/secrets@0.1.0')} SecretsWire */

/** Values kept between runs: bytes by key, in `values`. */
export class FakeState {
  /** @type {Map<string, Uint8Array>} */
  values = new Map();

  /**
   * What the plugin kept with `state.set`.
   * @param {string} key
   * @returns {any}
   */
  json(key) {
    const value = this.values.get(key);
    return value === undefined ? undefined : JSON.parse(decode(value));
  }

  /** @type {StateWire['get']} */
  get(key) {
    return this.values.get(key);
  }

  /** @type {StateWire['put']} */
  put(key, value) {
    const values = new Map(this.values).set(key, value.slice());
    const bytes = [...values].reduce((sum, [name, kept]) => sum + encode(name).length + kept.length, 0);
    if (encode(key).length > STATE_KEY_BYTES_MAX) throw new QuotaError(`a key has at most ${STATE_KEY_BYTES_MAX} bytes`);
    if (values.size > STATE_KEYS_MAX) throw new QuotaError(`at most ${STATE_KEYS_MAX} keys are kept`);
    if (bytes > STATE_BYTES_MAX) throw new QuotaError(`at most ${STATE_BYTES_MAX} bytes are kept`);
    this.values = values;
  }

  /** @type {StateWire['remove']} */
  remove(key) {
    this.values.delete(key);
  }
}

/** Every line that the plugin logged, also with `console`. */
export class FakeLog {
  /** @type {{ level: import('../log.js').Level, message: string, fields: Record<string, string> }[]} */
  lines = [];

  /** @type {LogWire['write']} */
  write(level, message, fields) {
    this.lines.push({ level, message, fields: Object.fromEntries(fields.map(({ name, value }) => [name, value])) });
  }
}

/** Secrets that only tell what was done with them; one that the test did not name is denied. */
export class FakeSecrets {
  /** @type {Map<string, import('../secrets.js').SecretInfo>} */
  known = new Map();

  /**
   * Grants a secret.
   * @param {string} name
   * @param {{ changedAt?: Date, versions?: number }} [told]
   */
  add(name, { changedAt, versions = 1 } = {}) {
    this.known.set(name, { changedAt, versions });
  }

  /** @type {SecretsWire['inspect']} */
  inspect(secret) {
    const { changedAt, versions } = this.#find(secret);
    return { versions, ...(changedAt === undefined ? {} : { changedAt: BigInt(changedAt.getTime()) }) };
  }

  /** @type {SecretsWire['sign']} */
  sign(secret, algorithm, prefix, data) {
    const { versions } = this.#find(secret);
    return Array.from({ length: versions }, (_, version) => encode(`${algorithm}:${prefix}${secret}:${version}:${decode(data)}`));
  }

  /** @type {SecretsWire['encode']} */
  encode(text, encoding) {
    return `${encoding}(${text})`;
  }

  /** @param {string} secret */
  #find(secret) {
    const known = this.known.get(secret);
    if (known === undefined) throw new DeniedError(`no grant for ${secret}`, `secrets = [{ name = "${secret}" }]`);
    return known;
  }
}
