// Building a report.
//
// Findings only ever make a report worse: `.warning(..)` after `.critical(..)` leaves it critical, and among findings of the same weight the
// first one gives the summary and the failure kind. Write the most telling one first.

import { expectMetricName, expectWord } from './words.js';

/** @typedef {'unknown' | 'ok' | 'warning' | 'critical'} Status */

/**
 * How a number behaves over time.
 * @typedef {'gauge' | 'counter'} MetricKind
 */

/**
 * One number.
 * @typedef {object} Metric
 * @property {string} name
 * @property {number} value
 * @property {MetricKind} kind
 * @property {string} unit `seconds`, `bytes`, `ratio` or empty.
 * @property {Record<string, string>} labels
 */

/**
 * What was measured against what was allowed.
 * @typedef {object} Evidence
 * @property {string} metric
 * @property {string} actual
 * @property {string} expected
 * @property {string} unit
 */

// The order in which findings win.
const WEIGHT = { ok: 0, unknown: 1, warning: 2, critical: 3 };

/** What one run found. Every `add...` and every finding returns the report itself. */
export class Report {
  /**
   * @param {Status} status
   * @param {string} summary
   */
  constructor(status, summary) {
    this.status = status;
    /** One line for a person. */
    this.summary = summary;
    /**
     * The word that recoveries are matched by; set when the status is not ok.
     * @type {string | undefined}
     */
    this.failure = undefined;
    /** @type {Metric[]} */
    this.metrics = [];
    /**
     * What made it not ok, worst first.
     * @type {Evidence[]}
     */
    this.evidence = [];
    /**
     * Anything worth keeping with the result: as JSON at most 64 KiB.
     * @type {Record<string, unknown> | undefined}
     */
    this.details = undefined;
    /** @type {Record<string, string>} */
    this.extras = {};
  }

  /**
   * Starts a report: all is well until a finding says otherwise.
   * @param {string} summary
   */
  static ok(summary) {
    return new Report('ok', summary);
  }

  /**
   * The target answered, and its answer cannot be judged (yet).
   * @param {string} summary
   */
  static unknown(summary) {
    return new Report('unknown', summary);
  }

  /**
   * Makes the report `warning`, unless it is as bad already. `failure` is the word that recoveries are matched by.
   * @param {string} failure
   * @param {string} summary
   */
  warning(failure, summary) {
    return this.#worsen('warning', failure, summary);
  }

  /**
   * Makes the report `critical`, unless it is already. `failure` is the word that recoveries are matched by.
   * @param {string} failure
   * @param {string} summary
   */
  critical(failure, summary) {
    return this.#worsen('critical', failure, summary);
  }

  /**
   * @param {Status} status
   * @param {string} failure
   * @param {string} summary
   */
  #worsen(status, failure, summary) {
    expectWord('failure kind', failure);
    if (WEIGHT[status] > WEIGHT[this.status]) Object.assign(this, { status, failure, summary });
    return this;
  }

  /**
   * Adds a gauge. The base unit comes last in the name (`latency_seconds`); the unit is `seconds`, `bytes`, `ratio` or empty. A name with its
   * labels may occur once in a report. The host drops a value that is not finite.
   * @param {string} name
   * @param {number | bigint} value
   * @param {string} [unit]
   * @param {Record<string, unknown>} [labels]
   */
  addMetric(name, value, unit = '', labels = {}) {
    return this.#add(name, value, 'gauge', unit, labels);
  }

  /**
   * Adds a number that only grows, except when the thing counted restarts.
   * @param {string} name
   * @param {number | bigint} value
   * @param {string} [unit]
   * @param {Record<string, unknown>} [labels]
   */
  addCounter(name, value, unit = '', labels = {}) {
    return this.#add(name, value, 'counter', unit, labels);
  }

  /**
   * @param {string} name
   * @param {number | bigint} value
   * @param {MetricKind} kind
   * @param {string} unit
   * @param {Record<string, unknown>} labels
   */
  #add(name, value, kind, unit, labels) {
    if (typeof value !== 'number' && typeof value !== 'bigint') {
      throw new TypeError(`the metric \`${name}\` is ${typeof value}; hint: a metric is a number`);
    }
    const told = Object.fromEntries(Object.entries(labels).map(([label, text]) => [label, String(text)]));
    this.metrics.push({ name: expectMetricName(name), value: Number(value), kind, unit, labels: told });
    return this;
  }

  /**
   * Adds what was measured against what was allowed. `metric` may be empty.
   * @param {string} metric
   * @param {unknown} actual
   * @param {unknown} expected
   * @param {string} [unit]
   */
  addEvidence(metric, actual, expected, unit = '') {
    this.evidence.push({ metric, actual: String(actual), expected: String(expected), unit });
    return this;
  }

  /**
   * Adds an extra. Put a dot into the name (`mycompany.region`): names without one belong to the contract.
   * @param {string} name
   * @param {unknown} value
   */
  addExtra(name, value) {
    this.extras[name] = String(value);
    return this;
  }

  /**
   * Sets what else is worth keeping with the result: as JSON at most 64 KiB.
   * @param {Record<string, unknown>} details
   */
  withDetails(details) {
    this.details = details;
    return this;
  }
}
