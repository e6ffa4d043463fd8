// Redis by the name of a source, as far as `grants = { redis = [...] }` allows: commands and key patterns.
//
//     const waiting = redis.source('cache').run('LLEN', 'celery');
//
// A reply is `null`, a number (a `bigint` beyond 2^53), a boolean, a text, a list, or an object where it is a map.

import * as wire from '#host/redis.js';
import { call } from './calls.js';
import { AuthenticationError, ConfigurationError, ContentError, InternalError, ServiceError, TooManyConnectionsError } from './errors.js';
import { exact } from './exact.js';
import { bytesOf, decode, span } from './text.js';

// Arrays in arrays; no command answers deeper.
const DEPTH_MAX = 32;

// The server's state, by the first word of its refusal; any other is the command's fault.
/** @type {Record<string, string>} */
const STATES = {
  LOADING: 'unavailable',
  BUSY: 'unavailable',
  MASTERDOWN: 'unavailable',
  CLUSTERDOWN: 'unavailable',
  TRYAGAIN: 'unavailable',
  MISCONF: 'unavailable',
  OOM: 'memory',
};

/** @typedef {string | Uint8Array | number | bigint} Argument An argument of a command; a number is written as text. */

/** The server refused a command because of its own state: `LOADING`, `OOM`, ... */
export class ReplyStateError extends ServiceError {}

/** The server refused the command: `WRONGTYPE`, `NOPERM`, ... */
export class ReplyError extends ConfigurationError {}

/**
 * What the server's refusal means.
 * @param {string} message
 */
export function refused(message) {
  const [word = ''] = message.split(' ', 1);
  if (word === 'NOAUTH' || word === 'WRONGPASS') return new AuthenticationError(message);
  const state = STATES[word];
  if (state !== undefined) return new ReplyStateError(state, message);
  return message.includes('max number of clients') ? new TooManyConnectionsError(message) : new ReplyError(message);
}

/** What `INFO` says, by the name of the field. */
export class Info extends Map {
  /** @param {string} text */
  add(text) {
    for (const line of text.split(/\r?\n/)) {
      const colon = line.indexOf(':');
      if (colon > 0 && !line.startsWith('#')) this.set(line.slice(0, colon), line.slice(colon + 1));
    }
    return this;
  }

  /**
   * A number that every server tells: without it the answer is not what `INFO` answers.
   * @param {string} name
   */
  number(name) {
    const text = this.get(name) ?? '';
    const number = text.trim() === '' ? NaN : Number(text);
    if (!Number.isFinite(number)) throw new ContentError(`INFO tells no number ${name}`);
    return number;
  }
}

/** A source of the configuration. */
export class Source {
  #timeoutMs;
  #binary;

  /**
   * @param {string} name
   * @param {{ timeoutMs?: number | undefined, binary?: boolean }} [options]
   */
  constructor(name, { timeoutMs, binary = false } = {}) {
    this.name = name;
    this.#timeoutMs = timeoutMs;
    this.#binary = binary;
  }

  /**
   * One command with its arguments. What the server refused is thrown.
   * @param {...Argument} command
   * @returns {any}
   */
  run(...command) {
    return accepted(this.#read(call('redis', () => wire.run(this.name, command.map(bytes), this.#timeout()))));
  }

  /**
   * At most 256 commands in one round trip, replies in order. What the server refused stands in its place as an error.
   * @param {readonly (readonly Argument[])[]} commands
   * @returns {any[]}
   */
  runMany(commands) {
    const told = commands.map((command) => command.map(bytes));
    return call('redis', () => wire.runMany(this.name, told, this.#timeout())).map((reply) => this.#read(reply));
  }

  /**
   * What `INFO` says in these sections, in one round trip.
   * @param {...string} sections
   */
  info(...sections) {
    const replies = new Source(this.name, { timeoutMs: this.#timeoutMs }).runMany(sections.map((section) => ['INFO', section]));
    return replies.reduce((info, reply) => info.add(String(accepted(reply))), new Info());
  }

  #timeout() {
    return span('timeoutMs', this.#timeoutMs);
  }

  /** @param {readonly import('sickbay:plugin/redis@0.1.0').Node[]} nodes */
  #read(nodes) {
    const cursor = { nodes, next: 0 };
    const reply = this.#next(cursor, 0);
    if (cursor.next !== nodes.length) throw notATree();
    return reply;
  }

  /**
   * @param {{ nodes: readonly import('sickbay:plugin/redis@0.1.0').Node[], next: number }} cursor
   * @param {number} depth
   * @returns {any}
   */
  #next(cursor, depth) {
    const node = cursor.nodes[cursor.next];
    if (node === undefined || depth > DEPTH_MAX) throw notATree();
    cursor.next += 1;
    switch (node.tag) {
      case 'nil':
        return null;
      case 'int':
        return exact(node.val);
      case 'bulk':
        return this.#binary ? node.val : decode(node.val);
      case 'big-number':
        return BigInt(node.val);
      case 'failed':
        return refused(node.val);
      case 'array-of':
      case 'set-of':
        return Array.from({ length: this.#expectRoom(cursor, node.val) }, () => this.#next(cursor, depth + 1));
      case 'map-of': {
        const pairs = { length: this.#expectRoom(cursor, node.val) };
        return Object.fromEntries(Array.from(pairs, () => [name(this.#next(cursor, depth + 1)), this.#next(cursor, depth + 1)]));
      }
      default:
        return node.val;
    }
  }

  /**
   * A list cannot be longer than what is left.
   * @param {{ nodes: readonly unknown[], next: number }} cursor
   * @param {number} length
   */
  #expectRoom(cursor, length) {
    if (length > cursor.nodes.length - cursor.next) throw notATree();
    return length;
  }
}

/**
 * The source that the configuration calls so. `binary` gives strings as `Uint8Array`; otherwise they are text, with U+FFFD for what is not UTF-8.
 * @param {string} name
 * @param {{ timeoutMs?: number, binary?: boolean }} [options]
 */
export function source(name, options) {
  return new Source(name, options);
}

/**
 * The reply, or what the server refused thrown.
 * @template T
 * @param {T} reply
 * @returns {T}
 */
export function accepted(reply) {
  if (reply instanceof Error) throw reply;
  return reply;
}

/** @param {Argument} argument */
function bytes(argument) {
  return bytesOf(argument instanceof Uint8Array ? argument : String(argument));
}

/**
 * Bytes that the host made are not of this program's own `Uint8Array`.
 * @param {unknown} key
 */
function name(key) {
  return ArrayBuffer.isView(key) ? decode(/** @type {Uint8Array} */ (key)) : String(key);
}

function notATree() {
  return new InternalError(`the reply is not a tree of at most ${DEPTH_MAX} levels`);
}
