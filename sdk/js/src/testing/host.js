// The scripted host itself, and runs on it.

import { serveWith } from '#host/served.js';
import { ConfigurationError } from '../errors.js';
import { Mismatch } from '../key.js';
import { expectValid } from '../violation.js';
import { report as wireReport, reportHere } from '../wire.js';
import { FakeClock } from './clock.js';
import { FakeFiles } from './files.js';
import { FakeHttp } from './http.js';
import { FakeSystem } from './machine.js';
import { FakeNet } from './net.js';
import { FakeLog, FakeSecrets, FakeState } from './rest.js';
import { incident as sampleIncident, notification as sampleNotification } from './samples.js';
import { FakePostgres, FakeRedis } from './sources.js';

const TIMEOUT_MS = 5_000;

/** @typedef {import('../report.js').Report} Report */
/** @typedef {import('../recovery.js').Action} Action */
/** @typedef {import('../recovery.js').Incident} Incident */

/** What the host answers, and what the plugin did. */
export class FakeHost {
  clock = new FakeClock();
  http = new FakeHttp(this.clock);
  postgres = new FakePostgres(this.clock);
  redis = new FakeRedis(this.clock);
  net = new FakeNet(this.clock);
  secrets = new FakeSecrets();
  files = new FakeFiles(this.clock);
  system = new FakeSystem();
  state = new FakeState();
  log = new FakeLog();

  /**
   * Runs a check with this configuration, its example where there is none.
   *
   * What the service did is in the report. What the plugin or its configuration did is thrown (`PluginError`), and changes no state; so is any
   * other error, which in a component would be a failure `internal`.
   * @param {import('../check.js').CheckKind<any>} kind
   * @param {Readonly<Record<string, unknown>>} [config]
   * @param {{
   *   check?: string,
   *   timeoutMs?: number,
   *   attempt?: number,
   *   target?: string,
   *   labels?: Record<string, string>,
   *   previous?: Report,
   * }} [told]
   * @returns {Promise<Report>}
   */
  async run(kind, config, { check = 'test', timeoutMs = TIMEOUT_MS, attempt = 1, target, labels = {}, previous } = {}) {
    const now = this.clock.now;
    const request = {
      check,
      kind: kind.name,
      config: asked(kind, config),
      scheduledAt: now,
      timeoutMs,
      attempt,
      target,
      labels,
      previous: previous === undefined ? undefined : { scheduledAt: now, report: previous },
      extras: {},
    };
    // As it would be recorded: fitted into the contract's bounds.
    const answer = async () => reportHere(wireReport(await kind.answer(request)));
    const before = this.state.values;
    try {
      return await this.#run(timeoutMs, answer);
    } catch (error) {
      this.state.values = before;
      throw error;
    }
  }

  /**
   * Asks a recovery for its steps.
   * @param {import('../recovery.js').RecoveryKind<any>} kind
   * @param {Readonly<Record<string, unknown>>} [config]
   * @param {{ incident?: Incident, timeoutMs?: number }} [told]
   * @returns {Promise<Required<Action>[]>}
   */
  async plan(kind, config, { incident = sampleIncident(), timeoutMs = TIMEOUT_MS } = {}) {
    const request = recoveryRequest(kind, config, incident, timeoutMs, '');
    const before = this.state.values;
    try {
      return await this.#run(timeoutMs, async () => kind.answerPlan(request));
    } finally {
      // A plan changes nothing.
      this.state.values = before;
    }
  }

  /**
   * Takes one step of a recovery.
   * @param {import('../recovery.js').RecoveryKind<any>} kind
   * @param {Action} action
   * @param {Readonly<Record<string, unknown>>} [config]
   * @param {{ incident?: Incident, timeoutMs?: number, idempotencyKey?: string }} [told]
   * @returns {Promise<import('../recovery.js').Progress>}
   */
  async act(kind, action, config, { incident = sampleIncident(), timeoutMs = TIMEOUT_MS, idempotencyKey = 'test-key' } = {}) {
    const request = recoveryRequest(kind, config, incident, timeoutMs, idempotencyKey);
    return this.#run(timeoutMs, async () => kind.answerAct(request, whole(action)));
  }

  /**
   * Asks a recovery how a step is doing.
   * @param {import('../recovery.js').RecoveryKind<any>} kind
   * @param {Action} action
   * @param {unknown} token
   * @param {Readonly<Record<string, unknown>>} [config]
   * @param {{ incident?: Incident, timeoutMs?: number, idempotencyKey?: string }} [told]
   * @returns {Promise<import('../recovery.js').Progress>}
   */
  async follow(kind, action, token, config, { incident = sampleIncident(), timeoutMs = TIMEOUT_MS, idempotencyKey = 'test-key' } = {}) {
    const request = recoveryRequest(kind, config, incident, timeoutMs, idempotencyKey);
    return this.#run(timeoutMs, async () => kind.answerFollow(request, whole(action), asJson(token)));
  }

  /**
   * Has a sink tell something. Throws a `RetryableError` or a `PermanentError` where it did not come about.
   * @param {import('../sink.js').SinkKind<any>} kind
   * @param {Readonly<Record<string, unknown>>} [config]
   * @param {{ notification?: import('../sink.js').Notification, sink?: string, timeoutMs?: number }} [told]
   * @returns {Promise<import('../sink.js').Receipt>}
   */
  async deliver(kind, config, { notification = sampleNotification(), sink = 'test', timeoutMs = TIMEOUT_MS } = {}) {
    const request = { sink, kind: kind.name, config: asked(kind, config), timeoutMs, notification, extras: {} };
    return this.#run(timeoutMs, async () => kind.answer(request));
  }

  /**
   * Answers whatever the work calls.
   * @template T
   * @param {() => T} work
   * @returns {T}
   */
  serve(work) {
    return serveWith(this, work);
  }

  /**
   * @template T
   * @param {number} timeoutMs
   * @param {() => Promise<T>} work
   */
  async #run(timeoutMs, work) {
    this.clock.begin(timeoutMs);
    try {
      return await this.serve(work);
    } finally {
      this.clock.end();
    }
  }
}

/**
 * @param {import('../recovery.js').RecoveryKind<any>} kind
 * @param {Readonly<Record<string, unknown>> | undefined} config
 * @param {Incident} incident
 * @param {number} timeoutMs
 * @param {string} idempotencyKey
 */
function recoveryRequest(kind, config, incident, timeoutMs, idempotencyKey) {
  return { recovery: 'test', kind: kind.name, config: asked(kind, config), timeoutMs, incident, idempotencyKey, extras: {} };
}

/**
 * A configuration as it would come from the host, which looks at it first.
 * @param {import('../kind.js').Kind<any>} kind
 * @param {Readonly<Record<string, unknown>>} [config]
 */
function asked(kind, config = kind.example) {
  const told = asJson(config);
  try {
    expectValid(kind.config, told, 'config');
  } catch (error) {
    if (error instanceof Mismatch) throw new ConfigurationError(error.message);
    throw error;
  }
  return told;
}

/**
 * @param {Action} action
 * @returns {Required<Action>}
 */
function whole(action) {
  return { idempotent: false, parameters: null, extras: {}, ...action };
}

/**
 * What JSON makes of it: what JSON cannot hold is a mistake of the test.
 * @param {unknown} value
 */
function asJson(value) {
  return JSON.parse(JSON.stringify(value));
}
