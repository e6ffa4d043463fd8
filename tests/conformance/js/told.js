// The canonical text of what a plugin saw, and the lines that a run tells.

import { PluginError, postgres, Report, ServiceError, SickbayError } from '@sickbay/sdk';

const INT64_MAX = 2n ** 63n;
const VIEW = new DataView(new ArrayBuffer(8));
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();

/** What a run tells, in `details.told`. */
export class Lines {
  /** @type {string[]} */
  #lines = [];

  /** @param {...string} lines */
  push(...lines) {
    this.#lines.push(...lines);
  }

  /**
   * Does its work; where errors are told, one is a line and the run goes on, otherwise it ends the run.
   * @param {boolean} tellErrors
   * @param {() => void} work
   */
  attempt(tellErrors, work) {
    try {
      work();
    } catch (error) {
      if (!(error instanceof SickbayError && tellErrors)) throw error;
      this.push(failure(error));
    }
  }

  report() {
    return Report.ok('told').withDetails({ told: this.#lines });
  }
}

/** @param {unknown} error */
export function failure(error) {
  const isRefusal = error instanceof postgres.ServerStateError || error instanceof postgres.StatementError;
  if (error instanceof ServiceError) return `error service ${error.failure} ${isRefusal ? code(error) : text(error.message)}`;
  if (error instanceof PluginError) return `error plugin ${error.kind} ${isRefusal ? code(error) : text(error.message)}`;
  throw error;
}

/** @param {{ sqlstate: string }} error */
function code({ sqlstate }) {
  return `sqlstate ${text(sqlstate)}`;
}

/** @param {string} value */
export function text(value) {
  const told = Array.from(value, (character) => {
    if (character === '"' || character === '\\') return `\\${character}`;
    return character < ' ' ? `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}` : character;
  });
  return `"${told.join('')}"`;
}

/** @param {string | null | undefined} value */
export function optional(value) {
  return value == null ? 'null' : text(value);
}

/** @param {Uint8Array} value */
export function bytes(value) {
  return `bytes:${Array.from(value, (byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

/**
 * Text where the bytes are UTF-8.
 * @param {Uint8Array} value
 */
export function string(value) {
  try {
    return text(UTF8.decode(value));
  } catch {
    return bytes(value);
  }
}

/** @param {number | bigint} value */
export function number(value) {
  if (typeof value === 'bigint') return value >= -INT64_MAX && value < INT64_MAX ? String(value) : text(String(value));
  if (Number.isNaN(value)) return 'float:nan';
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) return String(value);
  VIEW.setFloat64(0, value);
  return `float:${VIEW.getBigUint64(0).toString(16).padStart(16, '0')}`;
}

/** @param {...number} values */
export function numbers(...values) {
  return values.map(number).join(' ');
}

/** @param {Date} value */
export function milliseconds(value) {
  return `ms:${value.getTime()}`;
}

/** @param {readonly string[]} items */
export function list(items) {
  return `[${items.join(', ')}]`;
}

/**
 * @param {readonly [string, unknown]} one
 * @param {readonly [string, unknown]} other
 */
export function byName([one], [other]) {
  return one < other ? -1 : Number(one > other);
}

/** @param {any} value */
export function json(value) {
  if (value === null) return 'null';
  if (Array.isArray(value)) return list(value.map(json));
  switch (typeof value) {
    case 'boolean':
      return String(value);
    case 'number':
    case 'bigint':
      return number(value);
    case 'string':
      return text(value);
    default: {
      const fields = Object.entries(value).sort(byName);
      return `{${fields.map(([key, inner]) => `${text(key)}: ${json(inner)}`).join(', ')}}`;
    }
  }
}

/**
 * A value of PostgreSQL. An interval is a number here: its column says what it is.
 * @param {any} value
 * @param {string} typeName
 */
export function sql(value, typeName) {
  if (value instanceof postgres.Timestamp) return `us:${value.microseconds}`;
  if (value instanceof Date) return `us:${BigInt(value.getTime()) * 1000n}`;
  if (ArrayBuffer.isView(value)) return bytes(value);
  if (value instanceof postgres.Other) return `other:${text(value.typeName)} ${text(value.text)}`;
  if (typeName === 'interval' && typeof value === 'number') return `us:${Math.round(value * 1000)}`;
  return json(value);
}

/**
 * A reply of Redis. Of a map the keys and values in turn.
 * @param {any} value
 * @returns {string}
 */
export function reply(value) {
  if (value instanceof Error) return `failed:${text(value.message)}`;
  if (ArrayBuffer.isView(value)) return string(value);
  if (Array.isArray(value)) return list(value.map(reply));
  if (typeof value === 'object' && value !== null) return list(Object.entries(value).flat().map(reply));
  return json(value);
}

/**
 * Which of several, without the whole of them: 32 bits of FNV-1a over the lines, each with a line's end.
 * @param {readonly (string | Uint8Array)[]} lines
 */
export function digest(lines) {
  let hash = 0x811c9dc5;
  for (const line of lines) {
    for (const byte of typeof line === 'string' ? ENCODER.encode(line) : line) hash = Math.imul(hash ^ byte, 0x01000193);
    hash = Math.imul(hash ^ 0x0a, 0x01000193);
  }
  return `fnv1a:${(hash >>> 0).toString(16).padStart(8, '0')}`;
}

/**
 * @param {Lines} lines
 * @param {string} word
 * @param {Readonly<Record<string, string>>} values
 */
export function labels(lines, word, values) {
  for (const [name, value] of Object.entries(values).sort(byName)) lines.push(`${word} ${text(name)} ${text(value)}`);
}

/**
 * @param {Lines} lines
 * @param {import('@sickbay/sdk').TlsSession | undefined} told
 */
export function session(lines, told) {
  if (told === undefined) {
    lines.push('tls null');
    return;
  }
  lines.push(`tls ${text(told.version)} ${text(told.cipher)} ${optional(told.untrusted)}`);
  for (const { subject, issuer, dnsNames, notBefore, notAfter, sha256 } of told.chain) {
    const valid = `${milliseconds(notBefore)} ${milliseconds(notAfter)}`;
    lines.push(`certificate ${text(subject)} ${text(issuer)} ${list(dnsNames.map(text))} ${valid} ${text(sha256)}`);
  }
}

/**
 * The phases that happened, as metrics.
 * @param {Report} report
 * @param {import('@sickbay/sdk').Timings | undefined} told
 */
export function timings(report, told) {
  const phases = {
    dns_seconds: told?.dnsSeconds,
    connect_seconds: told?.connectSeconds,
    tls_seconds: told?.tlsSeconds,
    first_byte_seconds: told?.firstByteSeconds,
    total_seconds: told?.totalSeconds,
  };
  for (const [name, seconds] of Object.entries(phases)) if (seconds !== undefined) report.addMetric(name, seconds, 'seconds');
  return report;
}
