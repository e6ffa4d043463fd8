// Checks: a function that is asked and reports.

import { ServiceError } from './errors.js';
import { Kind } from './kind.js';
import { Report } from './report.js';
import { settle } from './settle.js';

/** @typedef {import('./key.js').Keys} Keys */

/**
 * What one run is asked.
 * @template C
 * @typedef {object} CheckRequest
 * @property {string} check Name of the check in the configuration.
 * @property {string} kind
 * @property {C} config A secret in it is a placeholder, which the host replaces on the way out.
 * @property {Date} scheduledAt When this run was due. It may have begun later: `clock.now()` tells the time of day.
 * @property {number} timeoutMs The run is ended this long after it began. Calls of the host end sooner, so that there is time to report.
 * @property {number} attempt 1 for the first try at this state, 2 for the next, ...
 * @property {string | undefined} target The target, where the check fans out over several.
 * @property {Record<string, string>} labels
 * @property {{ scheduledAt: Date, report: Report } | undefined} previous The last run that gave a report, without its details.
 * @property {Record<string, string>} extras
 */

/**
 * What a check does.
 * @template C
 * @typedef {{ run: (request: CheckRequest<C>) => Report | Promise<Report> }} CheckFunctions
 */

/**
 * @template {Keys} C
 * @typedef {import('./kind.js').Description<C> & CheckFunctions<import('./key.js').Values<C>>} CheckDefinition
 */

/**
 * One kind of check.
 * @template C
 * @extends {Kind<C>}
 */
export class CheckKind extends Kind {
  /** @param {import('./kind.js').Description<any> & CheckFunctions<C>} definition */
  constructor(definition) {
    super(definition);
    this.run = definition.run;
  }

  /**
   * One run on a configuration as JSON has it. What the service did is a report; what the plugin did is thrown.
   * @param {CheckRequest<unknown>} request
   * @returns {Report | Promise<Report>}
   */
  answer(request) {
    return settle(
      () => this.run({ ...request, config: this.readConfig(request.config) }),
      (report) => {
        if (report instanceof Report) return report;
        throw new TypeError(`the check \`${this.name}\` returned ${report === null ? 'null' : typeof report}, not a Report`);
      },
      (error) => {
        if (error instanceof ServiceError) return Report.ok('').critical(error.failure, error.message);
        throw error;
      },
    );
  }
}

/**
 * Makes a kind of check.
 *
 *     check({
 *       name: 'queue',
 *       summary: 'How long the queue is',
 *       config: { url: key.string('Where the queue tells its length') },
 *       example: { url: 'https://example.com/queue.json' },
 *       run: ({ config }) => Report.ok(`${http.get(config.url).json()} jobs wait`),
 *     })
 *
 * @template {Keys} [C={}]
 * @param {CheckDefinition<C>} definition
 * @returns {CheckKind<import('./key.js').Values<C>>}
 */
export function check(definition) {
  return new CheckKind(definition);
}
