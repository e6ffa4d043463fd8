// The keys of a configuration: one description from which the JSON Schema that the host validates against, the type that a run sees, and
// what reads it all come.
//
//     config: {
//       url: key.string('Where the queue tells its length', { pattern: '^https?://' }),
//       limit: key.integer('How many may wait', { minimum: 0 }).default(100),
//     }
//
// A key without `default` or `optional` must be there. The bounds are the schema's: the host looks at them before anything starts, so a run
// does not look again (a secret is a placeholder there, which need not match a pattern). Tests and the build do: `violation.js`.

/**
 * What a key says of itself in JSON Schema (2020-12).
 * @typedef {{ readonly [keyword: string]: unknown }} Schema
 */

/**
 * Reads what JSON holds; `strict` refuses keys that nobody named. What does not fit is a `Mismatch`.
 * @template T
 * @typedef {(value: unknown, place: string, strict: boolean) => T} Read
 */

/**
 * Keys by name.
 * @typedef {{ readonly [name: string]: Key<any, any, boolean> }} Keys
 */

/**
 * What a run sees.
 * @template {Keys} C
 * @typedef {{ [K in keyof C]: C[K] extends Key<infer T, any, boolean> ? T : never }} Values
 */

/**
 * What an operator writes, or a test: keys with a default may be left out.
 * @template {Keys} C
 * @typedef {{ [K in keyof C as C[K] extends Key<any, any, true> ? K : never]: C[K] extends Key<any, infer I, boolean> ? I : never }
 *   & { [K in keyof C as C[K] extends Key<any, any, true> ? never : K]?: C[K] extends Key<any, infer I, boolean> ? I : never }} Written
 */

/** A value that does not have the shape that was asked for. */
export class Mismatch extends Error {
  /**
   * @param {string} place
   * @param {string} words
   */
  constructor(place, words) {
    super(`${place} ${words}`);
  }
}

/**
 * One key: the type `T` that a run sees, the type `I` that JSON holds, and whether it must be there.
 * @template T
 * @template [I=T]
 * @template {boolean} [R=true]
 */
export class Key {
  /** @type {Schema} */
  #own;
  /** @type {Read<T>} */
  #read;
  /** @type {R} */
  #required;
  /** @type {I | undefined} */
  #fallback;

  /**
   * @param {Schema} own
   * @param {Read<T>} read
   * @param {R} required
   * @param {I} [fallback]
   */
  constructor(own, read, required, fallback) {
    this.#own = own;
    this.#read = read;
    this.#required = required;
    this.#fallback = fallback;
  }

  /** Whether it must be there. */
  get required() {
    return this.#required;
  }

  /** @returns {Schema} */
  get schema() {
    return this.#fallback === undefined ? this.#own : { ...this.#own, default: this.#fallback };
  }

  /**
   * May be left out: a run sees `undefined` then.
   * @returns {Key<T | undefined, I, false>}
   */
  optional() {
    return new Key(this.#own, this.#read, /** @type {const} */ (false));
  }

  /**
   * May be left out: a run sees this then. It is written as the configuration would write it.
   * @param {I} value
   * @returns {Key<T, I, false>}
   */
  default(value) {
    this.#read(value, 'the default', true);
    return new Key(this.#own, this.#read, /** @type {const} */ (false), value);
  }

  /**
   * What JSON holds, as a run sees it.
   * @param {unknown} value
   * @param {string} place
   * @param {boolean} strict
   * @returns {T}
   */
  read(value, place, strict) {
    if (value !== undefined) return this.#read(value, place, strict);
    if (this.#required) throw new Mismatch(place, 'is not there');
    // Read anew each time, so that a run that changes a list changes its own.
    return this.#fallback === undefined ? /** @type {T} */ (undefined) : this.#read(this.#fallback, place, strict);
  }
}

/**
 * A text. `format` is told to the operator and not looked at.
 * @param {string} [description]
 * @param {{ minLength?: number, maxLength?: number, pattern?: string, format?: string, examples?: readonly string[] }} [bounds]
 * @returns {Key<string>}
 */
export function string(description, bounds) {
  return make({ type: 'string' }, description, bounds, (value, place) => {
    if (typeof value !== 'string') throw expected('a text', value, place);
    return value;
  });
}

/**
 * A number.
 * @param {string} [description]
 * @param {{ minimum?: number, maximum?: number, exclusiveMinimum?: number, exclusiveMaximum?: number, examples?: readonly number[] }} [bounds]
 * @returns {Key<number>}
 */
export function number(description, bounds) {
  return make({ type: 'number' }, description, bounds, (value, place) => {
    if (typeof value !== 'number') throw expected('a number', value, place);
    return value;
  });
}

/**
 * A whole number.
 * @param {string} [description]
 * @param {{ minimum?: number, maximum?: number, examples?: readonly number[] }} [bounds]
 * @returns {Key<number>}
 */
export function integer(description, bounds) {
  return make({ type: 'integer' }, description, bounds, (value, place) => {
    if (!Number.isInteger(value)) throw expected('a whole number', value, place);
    return /** @type {number} */ (value);
  });
}

/**
 * `true` or `false`.
 * @param {string} [description]
 * @returns {Key<boolean>}
 */
export function boolean(description) {
  return make({ type: 'boolean' }, description, {}, (value, place) => {
    if (typeof value !== 'boolean') throw expected('true or false', value, place);
    return value;
  });
}

/**
 * One of these words.
 * @template {string} const T
 * @param {string} description
 * @param {readonly T[]} choices
 * @returns {Key<T>}
 */
export function oneOf(description, choices) {
  return make({ enum: choices }, description, {}, (value, place) => {
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw expected(`one of ${choices.map((choice) => `\`${choice}\``).join(', ')}`, value, place);
    return found;
  });
}

/**
 * A time as RFC 3339 writes it, which a run sees as a `Date`.
 * @param {string} [description]
 * @returns {Key<Date, string>}
 */
export function date(description) {
  return make({ type: 'string', format: 'date-time' }, description, {}, (value, place) => {
    const found = new Date(typeof value === 'string' ? value : NaN);
    if (Number.isNaN(found.getTime())) throw expected('a time such as 2026-01-31T08:00:00Z', value, place);
    return found;
  });
}

/**
 * A list.
 * @template T, I
 * @param {string} description
 * @param {Key<T, I, boolean>} item
 * @param {{ minItems?: number, maxItems?: number, uniqueItems?: boolean }} [bounds]
 * @returns {Key<T[], I[]>}
 */
export function array(description, item, bounds) {
  return make({ type: 'array', items: item.schema }, description, bounds, (value, place, strict) => {
    if (!Array.isArray(value)) throw expected('a list', value, place);
    return value.map((inner, index) => item.read(inner, `${place}[${index}]`, strict));
  });
}

/**
 * A table whose keys the operator chooses.
 * @template T, I
 * @param {string} description
 * @param {Key<T, I, boolean>} value
 * @returns {Key<Record<string, T>, Record<string, I>>}
 */
export function table(description, value) {
  return make({ type: 'object', additionalProperties: value.schema }, description, {}, (found, place, strict) => {
    const entries = Object.entries(expectTable(found, place));
    return Object.fromEntries(entries.map(([name, inner]) => [name, value.read(inner, `${place}.${name}`, strict)]));
  });
}

/**
 * A table with these keys.
 * @template {Keys} C
 * @param {string} description
 * @param {C} keys
 * @returns {Key<Values<C>, Written<C>>}
 */
export function object(description, keys) {
  return make(schemaOf(keys), description, {}, (value, place, strict) => readKeys(keys, value, place, strict));
}

/**
 * Anything that JSON can hold.
 * @param {string} [description]
 * @returns {Key<unknown>}
 */
export function any(description) {
  return make({}, description, {}, (value) => value);
}

/**
 * @template T, I
 * @param {Schema} schema
 * @param {string | undefined} description
 * @param {object | undefined} bounds
 * @param {Read<T>} read
 * @returns {Key<T, I>}
 */
function make(schema, description, bounds, read) {
  return new Key({ ...schema, ...bounds, ...(description ? { description } : {}) }, read, /** @type {const} */ (true));
}

/**
 * The JSON Schema of a table with these keys; other keys are refused.
 * @param {Keys} keys
 * @returns {Schema}
 */
export function schemaOf(keys) {
  const entries = Object.entries(keys);
  const required = entries.filter(([, key]) => key.required).map(([name]) => name);
  return {
    type: 'object',
    properties: Object.fromEntries(entries.map(([name, key]) => [name, key.schema])),
    ...(required.length > 0 ? { required } : {}),
    additionalProperties: false,
  };
}

/**
 * Reads a table with these keys.
 * @template {Keys} C
 * @param {C} keys
 * @param {unknown} value
 * @param {string} place
 * @param {boolean} strict
 * @returns {Values<C>}
 */
export function readKeys(keys, value, place, strict) {
  const table = expectTable(value, place);
  if (strict) {
    const unknown = Object.keys(table).find((name) => !Object.hasOwn(keys, name));
    const known = Object.keys(keys).sort().join(', ') || 'none';
    if (unknown !== undefined) throw new Mismatch(place, `has an unknown key \`${unknown}\`; known: ${known}`);
  }
  const read = (/** @type {string} */ name) => (Object.hasOwn(table, name) ? table[name] : undefined);
  const entries = Object.entries(keys).map(([name, key]) => [name, key.read(read(name), `${place}.${name}`, strict)]);
  return Object.fromEntries(entries);
}

/**
 * @param {unknown} value
 * @param {string} place
 * @returns {Record<string, unknown>}
 */
function expectTable(value, place) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw expected('a table', value, place);
  return /** @type {Record<string, unknown>} */ (value);
}

/**
 * @param {string} words
 * @param {unknown} value
 * @param {string} place
 */
function expected(words, value, place) {
  return new Mismatch(place, `is ${wordsOf(value)}, must be ${words}`);
}

/** @param {unknown} value */
function wordsOf(value) {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return value.length > 40 ? 'a text' : `\`${value}\``;
  return typeof value === 'object' ? 'a table' : String(value);
}
