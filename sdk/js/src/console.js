// `console` as a plugin sees it: its lines go to the log, with their level. What is told while a module is loaded (when the component is built,
// and no host is there) goes to the console of that place.
//
// A last argument that is a plain object, after a text, becomes the fields of the line: `console.info('fetched', { status: 200 })`.

import { isServed } from '#host/served.js';
import { write } from './log.js';
import { shown } from './text.js';

const original = globalThis.console;

/** @type {Record<string, import('./log.js').Level>} */
const LEVELS = { trace: 'trace', debug: 'debug', log: 'info', info: 'info', dir: 'info', warn: 'warn', error: 'error' };

/** @type {Console} */
export const console = Object.assign(Object.create(original ?? null), {
  ...Object.fromEntries(Object.entries(LEVELS).map(([method, level]) => [method, tell(method, level)])),
  /** @param {unknown} holds @param {...unknown} told */
  assert(holds, ...told) {
    if (!holds) tell('error', 'error')('assertion failed', ...told);
  },
});

/**
 * @param {string} method
 * @param {import('./log.js').Level} level
 */
function tell(method, level) {
  return (/** @type {unknown[]} */ ...told) => {
    if (!isServed()) return /** @type {any} */ (original)?.[method]?.(...told);
    const fields = told.length > 1 && typeof told[0] === 'string' && isPlain(told.at(-1)) ? told.pop() : {};
    const message = format(told);
    write(level, method === 'trace' ? `${message}\n${new Error().stack}` : message, /** @type {Record<string, unknown>} */ (fields));
  };
}

/**
 * The arguments as one text; `%s`, `%d`, `%i`, `%f`, `%j`, `%o` and `%O` in the first take the next one each.
 * @param {unknown[]} told
 */
function format([first = '', ...rest]) {
  const text = typeof first !== 'string' ? shown(first) : first.replace(/%([sdifjoO%])/g, (found, letter) => {
    if (letter === '%') return '%';
    return rest.length > 0 ? shown(rest.shift()) : found;
  });
  return [text, ...rest.map(shown)].join(' ');
}

/** @param {unknown} value */
function isPlain(value) {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
