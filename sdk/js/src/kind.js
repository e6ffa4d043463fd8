// What a kind of check, recovery or sink says of itself when its plugin is loaded.
//
// A description that the host would refuse is refused here, when the module is imported: by its tests, or while the component is built.

import { ConfigurationError } from './errors.js';
import { Mismatch, readKeys, schemaOf } from './key.js';
import { expectMetricName, expectWord } from './words.js';

const NEEDS_MAX = 32;
const METRICS_MAX = 256;
const FAILURES_MAX = 64;
const CAPABILITIES = ['http', 'postgres', 'redis', 'net', 'secrets', 'files', 'system', 'state', 'log'];

/** @typedef {import('./key.js').Keys} Keys */
/** @typedef {import('./report.js').MetricKind} MetricKind */

/**
 * A grant that a kind needs. Advice for the operator: every call is authorised regardless.
 * @typedef {{ readonly capability: string, readonly reason: string, readonly grant: string }} Need
 */

/**
 * One metric that a check may report; conditions are validated against it. Its name ends with `*` where the rest depends on the configuration.
 * @typedef {{ readonly name: string, readonly kind: MetricKind, readonly unit: string, readonly summary: string }} MetricInfo
 */

/**
 * A grant that a kind needs: `need('http', 'asks the queue', 'http = ["GET {url}"]')`. The grant is a line of TOML with `{NAME}` for a key of
 * the configuration.
 * @param {string} capability
 * @param {string} reason
 * @param {string} grant
 * @returns {Need}
 */
export function need(capability, reason, grant) {
  return { capability, reason, grant };
}

/**
 * A number that may go up and down. The unit is `seconds`, `bytes`, `ratio` or empty.
 * @param {string} name
 * @param {string} summary
 * @param {string} [unit]
 * @returns {MetricInfo}
 */
export function gauge(name, summary, unit = '') {
  return { name, kind: 'gauge', unit, summary };
}

/**
 * A number that only grows, except when the thing counted restarts.
 * @param {string} name
 * @param {string} summary
 * @param {string} [unit]
 * @returns {MetricInfo}
 */
export function counter(name, summary, unit = '') {
  return { name, kind: 'counter', unit, summary };
}

/**
 * What every kind is told when it is made.
 * @template {Keys} C
 * @typedef {object} Description
 * @property {string} name What the configuration writes as `kind = "..."`.
 * @property {string} summary One line for a person.
 * @property {C} [config] The keys of its configuration.
 * @property {import('./key.js').Written<NoInfer<C>>} [example] A small configuration that works: `sickbay probe --plugin` runs it.
 * @property {readonly Need[]} [needs]
 * @property {readonly MetricInfo[]} [metrics] What a check may report.
 * @property {readonly string[]} [failures] The failure kinds that a check may report, or a recovery can heal.
 */

/**
 * One kind, as `check`, `recovery` and `sink` make it. `C` is its configuration as a run sees it.
 * @template C
 */
export class Kind {
  /** @param {Description<any>} told */
  constructor({ name, summary, config = {}, example = {}, needs = [], metrics = [], failures = [] }) {
    this.name = expectWord('name of a kind', name);
    this.summary = summary;
    /** @type {Keys} */
    this.config = config;
    /** @type {Readonly<Record<string, unknown>>} */
    this.example = example;
    this.needs = needs;
    this.metrics = metrics;
    this.failures = failures;
    this.#expectFit();
  }

  #expectFit() {
    if (!this.summary) throw new TypeError(`the kind \`${this.name}\` has no summary; hint: say in one line what it does`);
    expectAtMost(this.name, 'needs', this.needs, NEEDS_MAX);
    expectAtMost(this.name, 'metrics', this.metrics, METRICS_MAX);
    expectAtMost(this.name, 'failures', this.failures, FAILURES_MAX);
    for (const { capability, grant } of this.needs) {
      if (!CAPABILITIES.includes(capability) || !grant.startsWith(capability)) {
        const hint = `the grant is a line such as \`http = ["GET {url}"]\`; capabilities are ${CAPABILITIES.join(', ')}`;
        throw new TypeError(`\`${grant}\` is no grant of \`${capability}\`; hint: ${hint}`);
      }
    }
    const names = new Set();
    for (const { name } of this.metrics) {
      if (name !== '*') expectMetricName(name.endsWith('*') ? name.slice(0, -1) : name);
      if (names.has(name)) throw new TypeError(`the kind \`${this.name}\` describes the metric \`${name}\` twice`);
      names.add(name);
    }
    for (const failure of this.failures) expectWord('failure kind', failure);
    try {
      readKeys(this.config, this.example, 'config', true);
    } catch (error) {
      throw new TypeError(`the example of \`${this.name}\` is no configuration of it: ${told(error)}`, { cause: error });
    }
  }

  /** The JSON Schema (2020-12) of its configuration. */
  configSchema() {
    return { $schema: 'https://json-schema.org/draft/2020-12/schema', ...schemaOf(this.config) };
  }

  /**
   * A configuration as a run sees it. What does not fit is a `ConfigurationError` that names the key.
   * @param {unknown} value
   * @returns {C}
   */
  readConfig(value) {
    try {
      return /** @type {C} */ (readKeys(this.config, value, 'config', true));
    } catch (error) {
      if (error instanceof Mismatch) throw new ConfigurationError(error.message);
      throw error;
    }
  }
}

/**
 * @param {string} kind
 * @param {string} what
 * @param {readonly unknown[]} list
 * @param {number} maximum
 */
function expectAtMost(kind, what, list, maximum) {
  if (list.length > maximum) throw new TypeError(`the kind \`${kind}\` has ${list.length} ${what}; hint: at most ${maximum}`);
}

/** @param {unknown} error */
function told(error) {
  return error instanceof Error ? error.message : String(error);
}
