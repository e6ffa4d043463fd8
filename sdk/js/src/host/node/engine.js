// Tests see what componentize-js's engine does.

/** Whether functions may be `async`. */
export const awaits = true;

/**
 * A whole number of 64 bits as the engine's bindings take it.
 * @param {bigint} value
 */
export function int64(value) {
  return value;
}
