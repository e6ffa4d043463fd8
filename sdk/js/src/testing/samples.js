// What a recovery or a sink is told, to begin with: a check `test` that is critical.

import { Report } from '../report.js';

const SINCE = new Date(Date.UTC(2026, 0, 1));

/**
 * An incident; properties may be told.
 * @param {Partial<import('../recovery.js').Incident>} [told]
 * @returns {import('../recovery.js').Incident}
 */
export function incident(told = {}) {
  return {
    id: '01INCIDENT',
    check: 'test',
    target: undefined,
    failure: 'connection',
    severity: 'P3',
    since: SINCE,
    consecutiveFailures: 1,
    labels: {},
    lastReport: Report.ok('').critical('connection', 'the service does not answer'),
    extras: {},
    ...told,
  };
}

/**
 * An alert that fires; properties may be told.
 * @param {Partial<import('../sink.js').Alert>} [told]
 * @returns {import('../sink.js').Alert}
 */
export function alert(told = {}) {
  return {
    incidentId: '01INCIDENT',
    check: 'test',
    target: undefined,
    phase: 'firing',
    status: 'critical',
    failure: 'connection',
    severity: 'P3',
    summary: 'the service does not answer',
    reason: 'Reported',
    labels: { alertname: 'test' },
    startedAt: SINCE,
    endedAt: undefined,
    evidence: [],
    url: undefined,
    extras: {},
    ...told,
  };
}

/**
 * A notification of these alerts, of one that fires where there are none; properties may be told.
 * @param {readonly import('../sink.js').Alert[]} [alerts]
 * @param {Partial<import('../sink.js').Notification>} [told]
 * @returns {import('../sink.js').Notification}
 */
export function notification(alerts = [alert()], told = {}) {
  const phase = alerts.some((one) => one.phase === 'firing') ? 'firing' : (alerts[0]?.phase ?? 'firing');
  return { idempotencyKey: 'test-key', group: 'test', phase, severity: 'P3', alerts, reference: undefined, attempt: 1, extras: {}, ...told };
}
