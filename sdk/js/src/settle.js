// Going on with a value that is there, or that comes: a plugin's functions may be `async`, and most are not.

import { awaits } from '#host/engine.js';

const HINT = 'leave `async` out, or build with `--engine spidermonkey`';

/**
 * @template T, U
 * @param {() => T | PromiseLike<T>} work
 * @param {(value: T) => U} done
 * @param {(error: unknown) => U} failed
 * @returns {U | Promise<U>}
 */
export function settle(work, done, failed) {
  try {
    const value = work();
    if (!isPromise(value)) return done(value);
    if (!awaits) throw new TypeError(`this engine does not wait for \`async\` functions; hint: ${HINT}`);
    return Promise.resolve(value).then(done).catch(failed);
  } catch (error) {
    return failed(error);
  }
}

/**
 * @param {unknown} value
 * @returns {value is PromiseLike<any>}
 */
function isPromise(value) {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}
