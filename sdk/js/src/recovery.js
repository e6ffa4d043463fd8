// Recoveries: a function that plans, one that acts, and one that follows what goes on.
//
// The plan changes nothing: it runs with grants that only read, and is shown to who approves it.

import { ServiceError } from './errors.js';
import { Kind } from './kind.js';
import { settle } from './settle.js';

const ACTIONS_MAX = 16;
const AGAIN_AFTER_MS_DEFAULT = 10_000;

/** @typedef {import('./key.js').Keys} Keys */

/**
 * What is to be healed.
 * @typedef {object} Incident
 * @property {string} id Stable for one firing episode.
 * @property {string} check
 * @property {string | undefined} target
 * @property {string | undefined} failure The failure kind of the last report that had one.
 * @property {string} severity
 * @property {Date} since When the check became bad for good.
 * @property {number} consecutiveFailures Failed runs in a row, this one included.
 * @property {Record<string, string>} labels
 * @property {import('./report.js').Report} lastReport The report that the incident rests on, without its details.
 * @property {Record<string, string>} extras
 */

/**
 * What a recovery is asked.
 * @template C
 * @typedef {object} RecoveryRequest
 * @property {string} recovery Name of the recovery in the configuration.
 * @property {string} kind
 * @property {C} config
 * @property {number} timeoutMs The call is ended this long after it began.
 * @property {Incident} incident
 * @property {string} idempotencyKey The same key means the same step: an orchestrator may drop the second. Empty in the plan.
 * @property {Record<string, string>} extras
 */

/**
 * One step that would be taken. Shown as it is by dry runs and approvals.
 * @typedef {object} Action
 * @property {string} id Stable for the same step on the same target: the host never starts it twice for one incident unless `idempotent`.
 * @property {string} title One line for a person who approves it.
 * @property {string} target What it acts on: a process id, a service, a pod.
 * @property {boolean} [idempotent] Doing it twice does no more than doing it once.
 * @property {any} [parameters] Handed back to `act` unchanged; what JSON can hold.
 * @property {Record<string, string>} [extras]
 */

/**
 * How a step ended, as `done` and `failed` make it.
 * @typedef {object} Outcome
 * @property {'ended'} state
 * @property {boolean} success
 * @property {string} reason One line for a person.
 * @property {readonly string[]} actions What was really done, one line each.
 * @property {string | undefined} recommendation What a person should do next.
 * @property {Record<string, unknown> | undefined} details
 * @property {Record<string, string>} extras
 */

/**
 * A step that has not ended, as `running` makes it.
 * @typedef {object} Running
 * @property {'running'} state
 * @property {unknown} token Handed back to `follow`, also after a restart of the host; what JSON can hold, at most 4 KiB.
 * @property {string} summary One line for a person.
 * @property {number} againAfterMs When the host asks again: 1 s to 1 hour.
 */

/** @typedef {Outcome | Running} Progress */

/**
 * What else an outcome may tell.
 * @typedef {object} Told
 * @property {readonly string[]} [actions] What was really done, one line each.
 * @property {string} [recommendation] What a person should do next.
 * @property {Record<string, unknown>} [details]
 * @property {Record<string, string>} [extras]
 */

/**
 * The step did what it was to do; whether the check is well again is for the check to say.
 * @param {string} reason
 * @param {Told} [told]
 * @returns {Outcome}
 */
export function done(reason, told) {
  return outcome(true, reason, told);
}

/**
 * The step did not do what it was to do.
 * @param {string} reason
 * @param {Told} [told]
 * @returns {Outcome}
 */
export function failed(reason, told) {
  return outcome(false, reason, told);
}

/**
 * The step goes on: `follow` is asked with the token.
 * @param {unknown} token
 * @param {string} summary
 * @param {{ againAfterMs?: number }} [told]
 * @returns {Running}
 */
export function running(token, summary, { againAfterMs = AGAIN_AFTER_MS_DEFAULT } = {}) {
  return { state: 'running', token, summary, againAfterMs };
}

/**
 * @param {boolean} success
 * @param {string} reason
 * @param {Told} [told]
 * @returns {Outcome}
 */
function outcome(success, reason, { actions = [], recommendation, details, extras = {} } = {}) {
  return { state: 'ended', success, reason, actions, recommendation, details, extras };
}

/**
 * What a recovery does: `plan` says which steps it would take, `act` takes one as it was planned and approved, `follow` tells how one that is
 * running is doing, and may be called any number of times.
 * @template C
 * @typedef {object} RecoveryFunctions
 * @property {(request: RecoveryRequest<C>) => readonly Action[] | Promise<readonly Action[]>} plan
 * @property {(request: RecoveryRequest<C>, action: Required<Action>) => Progress | Promise<Progress>} act
 * @property {(request: RecoveryRequest<C>, action: Required<Action>, token: any) => Progress | Promise<Progress>} [follow]
 */

/**
 * @template {Keys} C
 * @typedef {import('./kind.js').Description<C> & RecoveryFunctions<import('./key.js').Values<C>>} RecoveryDefinition
 */

/**
 * One kind of recovery.
 * @template C
 * @extends {Kind<C>}
 */
export class RecoveryKind extends Kind {
  #follow;

  /** @param {import('./kind.js').Description<any> & RecoveryFunctions<C>} definition */
  constructor(definition) {
    super(definition);
    this.plan = definition.plan;
    this.act = definition.act;
    this.#follow = definition.follow;
    if (typeof this.act !== 'function') throw new TypeError(`the recovery \`${this.name}\` plans and never acts; hint: give it \`act\``);
  }

  /**
   * How a step that is running is doing.
   * @param {RecoveryRequest<C>} request
   * @param {Required<Action>} action
   * @param {any} token
   * @returns {Progress | Promise<Progress>}
   */
  follow(request, action, token) {
    if (this.#follow) return this.#follow(request, action, token);
    throw new TypeError(`the recovery \`${this.name}\` cannot follow a step; hint: give it \`follow\``);
  }

  /**
   * The steps that would be taken, on a configuration as JSON has it.
   * @param {RecoveryRequest<unknown>} request
   * @returns {Required<Action>[] | Promise<Required<Action>[]>}
   */
  answerPlan(request) {
    return settle(
      () => this.plan(this.#asked(request)),
      (actions) => {
        if (actions.length > ACTIONS_MAX) throw new TypeError(`the plan has ${actions.length} steps; hint: at most ${ACTIONS_MAX}`);
        return actions.map((action) => ({ idempotent: false, parameters: null, extras: {}, ...action }));
      },
      rethrow,
    );
  }

  /**
   * One step. A service that refuses it, or does not answer, has not done it.
   * @param {RecoveryRequest<unknown>} request
   * @param {Required<Action>} action
   * @returns {Progress | Promise<Progress>}
   */
  answerAct(request, action) {
    return settle(
      () => this.act(this.#asked(request), action),
      (progress) => this.#expectProgress(progress),
      (error) => {
        if (error instanceof ServiceError) return failed(`${error.failure}: ${error.message}`);
        throw error;
      },
    );
  }

  /**
   * How a step is doing. A service that does not answer says nothing about it: that is thrown, and the host asks again.
   * @param {RecoveryRequest<unknown>} request
   * @param {Required<Action>} action
   * @param {unknown} token
   * @returns {Progress | Promise<Progress>}
   */
  answerFollow(request, action, token) {
    return settle(
      () => this.follow(this.#asked(request), action, token),
      (progress) => this.#expectProgress(progress),
      rethrow,
    );
  }

  /**
   * @param {RecoveryRequest<unknown>} request
   * @returns {RecoveryRequest<C>}
   */
  #asked(request) {
    return { ...request, config: this.readConfig(request.config) };
  }

  /** @param {Progress} progress */
  #expectProgress(progress) {
    if (progress?.state === 'ended' || progress?.state === 'running') return progress;
    throw new TypeError(`a step of \`${this.name}\` returned ${typeof progress}; hint: return done(..), failed(..) or running(..)`);
  }
}

/**
 * Makes a kind of recovery. `failures` are the failure kinds that it can heal.
 * @template {Keys} [C={}]
 * @param {RecoveryDefinition<C>} definition
 * @returns {RecoveryKind<import('./key.js').Values<C>>}
 */
export function recovery(definition) {
  return new RecoveryKind(definition);
}

/**
 * @param {unknown} error
 * @returns {never}
 */
function rethrow(error) {
  throw error;
}
