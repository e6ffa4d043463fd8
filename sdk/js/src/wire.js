// What a run is asked and answers, between the contract's records and the SDK's.

import { time } from './network.js';
import { Report } from './report.js';
import { MESSAGE_BYTES_MAX, SUMMARY_BYTES_MAX, clean, cut, encode, json } from './text.js';

const METRICS_MAX = 256;
const EVIDENCE_MAX = 8;
const DETAILS_BYTES_MAX = 64 << 10;
const AGAIN_AFTER_MS_MIN = 1_000;
const AGAIN_AFTER_MS_MAX = 3_600_000;

/** @typedef {import('sickbay:plugin/types@0.1.0').Label} Label */
/** @typedef {import('sickbay:plugin/types@0.1.0').Report} WireReport */

/**
 * Labels and extras, by name.
 * @param {readonly Label[]} labels
 * @returns {Record<string, string>}
 */
export function labelsHere(labels) {
  return Object.fromEntries(labels.map(({ name, value }) => [name, value]));
}

/**
 * @param {Readonly<Record<string, unknown>>} labels
 * @returns {Label[]}
 */
export function labels(labels) {
  return Object.entries(labels).map(([name, value]) => ({ name: clean(name), value: clean(value) }));
}

/**
 * A report within the contract's bounds, which the host refuses to see passed. Text for people is cut; what machines read is not mended: a wrong
 * label is refused by the host.
 * @param {Report} report
 * @returns {WireReport}
 */
export function report({ status, summary, failure, metrics, evidence, details, extras }) {
  const text = details === undefined ? undefined : json('the details', details);
  const bytes = text === undefined ? 0 : encode(text).length;
  const isTooLong = bytes > DETAILS_BYTES_MAX;
  return {
    status,
    summary: cut(summary, SUMMARY_BYTES_MAX),
    failure,
    metrics: metrics.slice(0, METRICS_MAX).map((metric) => ({ ...metric, unit: clean(metric.unit), labels: labels(metric.labels) })),
    evidence: evidence.slice(0, EVIDENCE_MAX).map(({ metric, actual, expected, unit }) => ({
      metric: clean(metric),
      actual: cut(actual, MESSAGE_BYTES_MAX),
      expected: cut(expected, MESSAGE_BYTES_MAX),
      unit: clean(unit),
    })),
    details: isTooLong ? undefined : text,
    extras: labels(isTooLong ? { ...extras, 'sdk.details-dropped-bytes': bytes } : extras),
  };
}

/**
 * @param {WireReport} wire
 * @returns {Report}
 */
export function reportHere(wire) {
  return Object.assign(new Report(wire.status, wire.summary), {
    failure: wire.failure ?? undefined,
    metrics: wire.metrics.map((metric) => ({ ...metric, labels: labelsHere(metric.labels) })),
    evidence: wire.evidence,
    details: wire.details == null ? undefined : JSON.parse(wire.details),
    extras: labelsHere(wire.extras),
  });
}

/**
 * @param {import('sickbay:plugin/check@0.1.0').Request} wire
 * @returns {import('./check.js').CheckRequest<unknown>}
 */
export function checkRequest({ check, kind, config, scheduledAt, timeoutMs, attempt, target, labels, previous, extras }) {
  return {
    check,
    kind,
    config: JSON.parse(config),
    scheduledAt: time(scheduledAt),
    timeoutMs,
    attempt,
    target: target ?? undefined,
    labels: labelsHere(labels),
    previous: previous == null ? undefined : { scheduledAt: time(previous.scheduledAt), report: reportHere(previous.report) },
    extras: labelsHere(extras),
  };
}

/**
 * @param {import('sickbay:plugin/recovery@0.1.0').Request} wire
 * @returns {import('./recovery.js').RecoveryRequest<unknown>}
 */
export function recoveryRequest({ recovery, kind, config, timeoutMs, incident, idempotencyKey, extras }) {
  return {
    recovery,
    kind,
    config: JSON.parse(config),
    timeoutMs,
    incident: {
      ...incident,
      target: incident.target ?? undefined,
      failure: incident.failure ?? undefined,
      since: time(incident.since),
      labels: labelsHere(incident.labels),
      lastReport: reportHere(incident.lastReport),
      extras: labelsHere(incident.extras),
    },
    idempotencyKey,
    extras: labelsHere(extras),
  };
}

/**
 * @param {Required<import('./recovery.js').Action>} action
 * @returns {import('sickbay:plugin/recovery@0.1.0').Action}
 */
export function action({ id, title, target, idempotent, parameters, extras }) {
  return {
    id: clean(id),
    title: cut(title, SUMMARY_BYTES_MAX),
    target: cut(target, SUMMARY_BYTES_MAX),
    idempotent,
    parameters: json('the parameters', parameters),
    extras: labels(extras),
  };
}

/**
 * @param {import('sickbay:plugin/recovery@0.1.0').Action} wire
 * @returns {Required<import('./recovery.js').Action>}
 */
export function actionHere(wire) {
  return { ...wire, parameters: JSON.parse(wire.parameters), extras: labelsHere(wire.extras) };
}

/**
 * @param {import('./recovery.js').Progress} progress
 * @returns {import('sickbay:plugin/recovery@0.1.0').Progress}
 */
export function progress(progress) {
  if (progress.state === 'running') {
    const { token, summary, againAfterMs } = progress;
    const bounded = Math.round(Math.min(Math.max(againAfterMs, AGAIN_AFTER_MS_MIN), AGAIN_AFTER_MS_MAX));
    return { tag: 'running', val: { token: json('the token', token), summary: cut(summary, SUMMARY_BYTES_MAX), againAfterMs: bounded } };
  }
  const { success, reason, actions, recommendation, details, extras } = progress;
  return {
    tag: 'done',
    val: {
      success,
      reason: cut(reason, SUMMARY_BYTES_MAX),
      actions: actions.map((line) => cut(line, SUMMARY_BYTES_MAX)),
      recommendation: recommendation === undefined ? undefined : cut(recommendation, SUMMARY_BYTES_MAX),
      details: details === undefined ? undefined : json('the details', details),
      extras: labels(extras),
    },
  };
}

/**
 * @param {import('sickbay:plugin/sink@0.1.0').Request} wire
 * @returns {import('./sink.js').SinkRequest<unknown>}
 */
export function sinkRequest({ sink, kind, config, timeoutMs, notification, extras }) {
  return {
    sink,
    kind,
    config: JSON.parse(config),
    timeoutMs,
    notification: {
      ...notification,
      alerts: notification.alerts.map(alert),
      reference: notification.reference ?? undefined,
      extras: labelsHere(notification.extras),
    },
    extras: labelsHere(extras),
  };
}

/**
 * @param {import('sickbay:plugin/sink@0.1.0').Alert} wire
 * @returns {import('./sink.js').Alert}
 */
function alert(wire) {
  return {
    ...wire,
    target: wire.target ?? undefined,
    failure: wire.failure ?? undefined,
    labels: labelsHere(wire.labels),
    startedAt: time(wire.startedAt),
    endedAt: wire.endedAt == null ? undefined : time(wire.endedAt),
    url: wire.url ?? undefined,
    extras: labelsHere(wire.extras),
  };
}
