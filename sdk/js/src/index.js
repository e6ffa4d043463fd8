/// <reference path="./wit.d.ts" preserve="true" />

// Write Sickbay plugins in JavaScript.
//
// A plugin is a WebAssembly component that describes the kinds of checks, recoveries and sinks that it offers, and runs them.
//
// - `check`, `recovery`, `sink`: make a kind; `plugin`: what a component is made of. `key` says what a configuration holds.
// - `Report` is what a check answers; `done`, `failed` and `running` what a recovery does.
// - `ServiceError` and `PluginError`: whose mistake it was. What the *service* did becomes a critical report, what the *plugin or its
//   configuration* did becomes a failure, which the host records as `unknown`.
// - `http`, `postgres`, `redis`, `net`, `secrets`, `files`, `system`, `state`, `clock`, `log`: what a run may use, as far as the operator
//   granted it. They wait for their answer: there is nothing to `await`.
// - `@sickbay/sdk/testing`: a scripted host, so that a test runs a check without WebAssembly.
//
// Invariant: a component imports only the interfaces whose modules its code names.

export * as clock from './clock.js';
export * as files from './files.js';
export * as http from './http.js';
export * as key from './key.js';
export * as log from './log.js';
export * as net from './net.js';
export * as postgres from './postgres.js';
export * as redis from './redis.js';
export * as secrets from './secrets.js';
export * as state from './state.js';
export * as system from './system.js';

export { check } from './check.js';
export * from './errors.js';
export { counter, gauge, need } from './kind.js';
export { plugin } from './plugin.js';
export { done, failed, recovery, running } from './recovery.js';
export { Report } from './report.js';
export { sink } from './sink.js';

/**
 * @template C
 * @typedef {import('./check.js').CheckKind<C>} CheckKind
 */
/**
 * @template C
 * @typedef {import('./check.js').CheckRequest<C>} CheckRequest
 */
/**
 * @template C
 * @typedef {import('./recovery.js').RecoveryKind<C>} RecoveryKind
 */
/**
 * @template C
 * @typedef {import('./recovery.js').RecoveryRequest<C>} RecoveryRequest
 */
/**
 * @template C
 * @typedef {import('./sink.js').SinkKind<C>} SinkKind
 */
/**
 * @template C
 * @typedef {import('./sink.js').SinkRequest<C>} SinkRequest
 */
/** @typedef {import('./kind.js').MetricInfo} MetricInfo */
/** @typedef {import('./kind.js').Need} Need */
/** @typedef {import('./network.js').Certificate} Certificate */
/** @typedef {import('./network.js').Timings} Timings */
/** @typedef {import('./network.js').TlsSession} TlsSession */
/** @typedef {import('./plugin.js').Plugin} Plugin */
/** @typedef {import('./recovery.js').Action} Action */
/** @typedef {import('./recovery.js').Incident} Incident */
/** @typedef {import('./recovery.js').Outcome} Outcome */
/** @typedef {import('./recovery.js').Progress} Progress */
/** @typedef {import('./recovery.js').Running} Running */
/** @typedef {import('./report.js').Evidence} Evidence */
/** @typedef {import('./report.js').Metric} Metric */
/** @typedef {import('./report.js').MetricKind} MetricKind */
/** @typedef {import('./report.js').Status} Status */
/** @typedef {import('./sink.js').Alert} Alert */
/** @typedef {import('./sink.js').Notification} Notification */
/** @typedef {import('./sink.js').Phase} Phase */
/** @typedef {import('./sink.js').Receipt} Receipt */
/**
 * What a run sees of these keys.
 * @template {import('./key.js').Keys} C
 * @typedef {import('./key.js').Values<C>} Values
 */
