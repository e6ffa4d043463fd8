// Names that machines read: the host refuses a wrong one, so it is refused here, where the line that wrote it is known.

const WORD = /^[a-z0-9-]{1,64}$/;
const METRIC = /^[a-z_][a-z0-9_]{0,63}$/;

/**
 * The name of a kind, of a failure, of a plugin.
 * @param {string} what
 * @param {string} text
 */
export function expectWord(what, text) {
  if (typeof text === 'string' && WORD.test(text)) return text;
  throw new TypeError(`${show(text)} is no ${what}; hint: lower-case letters, digits and \`-\`, at most 64, such as \`too-many-connections\``);
}

/**
 * The name of a metric.
 * @param {string} text
 */
export function expectMetricName(text) {
  if (typeof text === 'string' && METRIC.test(text)) return text;
  throw new TypeError(`${show(text)} is no name for a metric; hint: lower-case letters, digits and \`_\`, at most 64, such as \`latency_seconds\``);
}

/**
 * A value as a message shows it.
 * @param {unknown} value
 */
export function show(value) {
  return typeof value === 'string' ? `\`${value}\`` : String(value);
}
