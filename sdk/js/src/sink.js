// Sinks: a function that tells someone, once.
//
// Only what the receiver refused for good is given up: a `PermanentError`, or a status of 400 to 499 other than 401, 403, 407, 408, 425
// and 429. Everything else is tried again, for a duplicate is better than a miss.

import { PermanentError, RetryableError, SickbayError, StatusError } from './errors.js';
import { Kind } from './kind.js';
import { settle } from './settle.js';

/** @typedef {import('./key.js').Keys} Keys */

/**
 * Where an alert is in its life. `other` is a later word, in the extra `phase`: return and do nothing.
 * @typedef {'firing' | 'acknowledged' | 'resolved' | 'other'} Phase
 */

/**
 * One alert of a notification.
 * @typedef {object} Alert
 * @property {string} incidentId Stable for one firing episode: the receiver's key to thread or resolve by.
 * @property {string} check
 * @property {string | undefined} target
 * @property {Phase} phase
 * @property {import('./report.js').Status} status
 * @property {string | undefined} failure
 * @property {string} severity
 * @property {string} summary One line for a person.
 * @property {string} reason The named reason of the transition.
 * @property {Record<string, string>} labels What routing matched.
 * @property {Date} startedAt
 * @property {Date | undefined} endedAt
 * @property {readonly import('./report.js').Evidence[]} evidence What made it not ok, worst first.
 * @property {string | undefined} url Where to read more.
 * @property {Record<string, string>} extras
 */

/**
 * What a sink is to tell, once.
 * @typedef {object} Notification
 * @property {string} idempotencyKey The same key means the same notification: a receiver may drop the second.
 * @property {string} group Key of the group that routing made.
 * @property {Phase} phase Firing while any of the alerts is.
 * @property {string} severity The worst of the alerts.
 * @property {readonly Alert[]} alerts At most 100; the extra `more` counts the rest.
 * @property {string | undefined} reference From the receipt of this sink's last delivery for the group: to thread, edit or resolve it.
 * @property {number} attempt 1 for the first try at this delivery.
 * @property {Record<string, string>} extras
 */

/**
 * What a sink is asked.
 * @template C
 * @typedef {object} SinkRequest
 * @property {string} sink Name of the sink in the configuration.
 * @property {string} kind
 * @property {C} config
 * @property {number} timeoutMs The call is ended this long after it began.
 * @property {Notification} notification
 * @property {Record<string, string>} extras
 */

/**
 * The receiver has it.
 * @typedef {object} Receipt
 * @property {string} [reference] What the receiver called it: a message id, a dedup key.
 * @property {Record<string, string>} [extras]
 */

/** @typedef {Receipt | void} Told */

/**
 * What a sink does.
 * @template C
 * @typedef {{ deliver: (request: SinkRequest<C>) => Told | Promise<Told> }} SinkFunctions
 */

/**
 * @template {Keys} C
 * @typedef {import('./kind.js').Description<C> & SinkFunctions<import('./key.js').Values<C>>} SinkDefinition
 */

/**
 * One kind of sink.
 * @template C
 * @extends {Kind<C>}
 */
export class SinkKind extends Kind {
  /** @param {import('./kind.js').Description<any> & SinkFunctions<C>} definition */
  constructor(definition) {
    super(definition);
    this.deliver = definition.deliver;
  }

  /**
   * One delivery, on a configuration as JSON has it. Throws a `RetryableError` or a `PermanentError` where it did not come about.
   * @param {SinkRequest<unknown>} request
   * @returns {Receipt | Promise<Receipt>}
   */
  answer(request) {
    return settle(
      () => this.deliver({ ...request, config: this.readConfig(request.config) }),
      (receipt) => receipt ?? {},
      (error) => {
        throw meaning(error);
      },
    );
  }
}

/** @param {unknown} error */
function meaning(error) {
  if (error instanceof RetryableError || error instanceof PermanentError || !(error instanceof SickbayError)) return error;
  if (error instanceof StatusError && error.isForGood) return new PermanentError(error.message, { cause: error });
  const afterMs = error instanceof StatusError ? error.retryAfterMs : undefined;
  return new RetryableError(error.message, { cause: error, afterMs });
}

/**
 * Makes a kind of sink.
 * @template {Keys} [C={}]
 * @param {SinkDefinition<C>} definition
 * @returns {SinkKind<import('./key.js').Values<C>>}
 */
export function sink(definition) {
  return new SinkKind(definition);
}
