// What engines differ in. This one is componentize-qjs's without the component model's async.

/** Whether functions may be `async`. */
export const awaits = false;

/**
 * A whole number of 64 bits as the engine's bindings take it: exact to 2^53.
 * @param {bigint} value
 * @returns {bigint}
 */
export function int64(value) {
  return /** @type {any} */ (Number(value));
}
