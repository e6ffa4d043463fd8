// What a component exports: the contract's interfaces, answered by the kinds of a plugin. `sickbay-build` writes the entry that calls this.

import { serve } from '#host/served.js';
import { InternalError, PermanentError, PluginError, RetryableError, ServiceError } from './errors.js';
import { error as logError } from './log.js';
import { settle } from './settle.js';
import { MESSAGE_BYTES_MAX, U32_MAX, clean, cut, json, shown } from './text.js';
import * as wire from './wire.js';

/** @typedef {import('./plugin.js').Plugin} Plugin */
/** @typedef {import('sickbay:plugin/plugin@0.1.0').Descriptor} Descriptor */
/** @typedef {import('sickbay:plugin/plugin@0.1.0').Kind} WireKind */

/**
 * The interface `plugin`.
 * @param {Plugin} plugin
 */
export function pluginOf(plugin) {
  return { describe: () => describe(plugin) };
}

/**
 * What the plugin says of itself.
 * @param {Plugin} plugin
 * @returns {Descriptor}
 */
export function describe({ name, version, summary, checks, recoveries, sinks, homepage, licence }) {
  return {
    name,
    version,
    summary: clean(summary),
    checks: checks.map(described),
    recoveries: recoveries.map(described),
    sinks: sinks.map(described),
    homepage,
    licence,
    extras: [],
  };
}

/**
 * @param {import('./kind.js').Kind<any>} kind
 * @returns {WireKind}
 */
function described(kind) {
  return {
    name: kind.name,
    summary: clean(kind.summary),
    configSchema: json('the schema', kind.configSchema()),
    example: json('the example', kind.example),
    needs: [...kind.needs],
    metrics: [...kind.metrics],
    failures: [...kind.failures],
    extras: [],
  };
}

/**
 * The interface `check`.
 * @param {Plugin} plugin
 */
export function checkOf({ checks }) {
  return {
    /** @param {import('sickbay:plugin/check@0.1.0').Request} request */
    run(request) {
      serve();
      return settle(() => find('check', checks, request.kind).answer(wire.checkRequest(request)), wire.report, throwFailure);
    },
  };
}

/**
 * The interface `recovery`.
 * @param {Plugin} plugin
 */
export function recoveryOf({ recoveries }) {
  /** @typedef {import('sickbay:plugin/recovery@0.1.0').Request} Request */
  /** @typedef {import('sickbay:plugin/recovery@0.1.0').Action} Action */
  return {
    /** @param {Request} request */
    plan(request) {
      serve();
      const plan = () => find('recovery', recoveries, request.kind).answerPlan(wire.recoveryRequest(request));
      return settle(plan, (actions) => actions.map(wire.action), throwFailure);
    },
    /** @param {Request} request @param {Action} action */
    act(request, action) {
      serve();
      const act = () => find('recovery', recoveries, request.kind).answerAct(wire.recoveryRequest(request), wire.actionHere(action));
      return settle(act, wire.progress, throwFailure);
    },
    /** @param {Request} request @param {Action} action @param {string} token */
    follow(request, action, token) {
      serve();
      const asked = () => wire.recoveryRequest(request);
      const follow = () => find('recovery', recoveries, request.kind).answerFollow(asked(), wire.actionHere(action), JSON.parse(token));
      return settle(follow, wire.progress, throwFailure);
    },
  };
}

/**
 * The interface `sink`.
 * @param {Plugin} plugin
 */
export function sinkOf({ sinks }) {
  return {
    /** @param {import('sickbay:plugin/sink@0.1.0').Request} request */
    deliver(request) {
      serve();
      return settle(() => find('sink', sinks, request.kind).answer(wire.sinkRequest(request)), receipt, throwDeliveryError);
    },
  };
}

/**
 * @template {{ name: string }} K
 * @param {string} sort
 * @param {readonly K[]} kinds
 * @param {string} name
 */
function find(sort, kinds, name) {
  const kind = kinds.find((kind) => kind.name === name);
  if (kind === undefined) throw new InternalError(`this plugin has no kind of ${sort} named \`${name}\``);
  return kind;
}

/**
 * @param {import('./sink.js').Receipt} receipt
 * @returns {import('sickbay:plugin/sink@0.1.0').Receipt}
 */
function receipt({ reference, extras = {} }) {
  return { reference: reference == null ? undefined : clean(reference), extras: wire.labels(extras) };
}

/**
 * An error as the contract's failure: bindings answer what is thrown and is no `Error`.
 * @param {unknown} error
 * @returns {never}
 */
function throwFailure(error) {
  const kind = error instanceof PluginError ? error.kind : error instanceof ServiceError ? error.failure : 'internal';
  throw { kind, message: messageOf(error), extras: [] };
}

/**
 * Whether to deliver again. A defect is tried again, as a trap would be: the next version may mend it.
 * @param {unknown} error
 * @returns {never}
 */
function throwDeliveryError(error) {
  const message = messageOf(error);
  if (error instanceof PermanentError) throw { tag: 'permanent', val: message };
  const afterMs = error instanceof RetryableError ? error.afterMs : undefined;
  throw { tag: 'retryable', val: { message, afterMs: afterMs === undefined ? undefined : Math.round(Math.min(Math.max(0, afterMs), U32_MAX)) } };
}

/**
 * What went wrong, for a person. A defect goes to the log with its stack.
 * @param {unknown} error
 */
function messageOf(error) {
  const isMeant = [PluginError, ServiceError, PermanentError, RetryableError].some((meant) => error instanceof meant);
  if (!isMeant) logError(shown(error));
  return cut(isMeant ? /** @type {Error} */ (error).message : String(error), MESSAGE_BYTES_MAX);
}
