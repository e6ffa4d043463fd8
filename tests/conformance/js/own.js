// What needs no service: the kinds `request`, `report`, `end`, `state` and `log`.

import { check, ConfigurationError, InternalError, key, log, QuotaError, Report, ServiceError, state } from '@sickbay/sdk';
import { labels, Lines, milliseconds, number, optional, string, text } from './told.js';

// One more than a report may have.
const METRICS = 257;
const EVIDENCE = 9;
const SUMMARY_CHARACTERS = 300;
const DETAILS_BYTES = 70_000;
const STATE_BYTES = 20_000;
const BLOCK_BYTES = 1 << 20;

export const asked = check({
  name: 'request',
  summary: 'Tells what it was asked',

  run(request) {
    const lines = new Lines();
    lines.push(`check ${text(request.check)}`, `kind ${text(request.kind)}`, `target ${optional(request.target)}`);
    lines.push(`attempt ${request.attempt}`, `timeout-ms ${request.timeoutMs}`, `scheduled-at ${milliseconds(request.scheduledAt)}`);
    labels(lines, 'label', request.labels);
    labels(lines, 'extra', request.extras);
    if (request.previous === undefined) lines.push('previous null');
    else earlier(lines, request.previous);
    return lines.report();
  },
});

/**
 * @param {Lines} lines
 * @param {{ scheduledAt: Date, report: Report }} told
 */
function earlier(lines, { scheduledAt, report }) {
  const { status, summary, failure, metrics, evidence, extras } = report;
  lines.push(`previous ${milliseconds(scheduledAt)} ${status} ${text(summary)} ${optional(failure)}`);
  for (const metric of metrics) {
    lines.push(`metric ${text(metric.name)} ${number(metric.value)} ${metric.kind} ${text(metric.unit)}`);
    labels(lines, 'metric-label', metric.labels);
  }
  for (const { metric, actual, expected, unit } of evidence) {
    lines.push(`evidence ${[metric, actual, expected, unit].map(text).join(' ')}`);
  }
  labels(lines, 'previous-extra', extras);
}

export const reports = check({
  name: 'report',
  summary: 'Reports everything that a report may hold',
  config: { what: key.oneOf('Which report', ['whole', 'findings', 'unknown', 'not-finite', 'too-much']) },
  example: { what: 'unknown' },

  run({ config }) {
    switch (config.what) {
      case 'whole':
        return whole();
      case 'findings':
        return Report.ok('fine')
          .warning('latency', 'slow')
          .critical('content', 'wrong')
          .critical('certificate', 'expired')
          .warning('capacity', 'full');
      case 'unknown':
        return Report.unknown('it cannot be judged yet');
      case 'not-finite':
        return Report.ok('one number of three').addMetric('not_a_number', NaN).addMetric('endless', Infinity).addMetric('finite', 1);
      default:
        return tooMuch();
    }
  },
});

function whole() {
  return Report.ok('é ☃ "quoted" \\')
    .addMetric('latency_seconds', 0.25, 'seconds')
    .addMetric('used_bytes', 1024, 'bytes')
    .addMetric('hit_ratio', 0.5, 'ratio')
    .addMetric('jobs', -3)
    .addCounter('served', 7)
    .addMetric('queue_jobs', 2, '', { queue: 'é"\\', state: 'waiting' })
    .addMetric('queue_jobs', 4, '', { queue: 'mail', state: 'waiting' })
    .addEvidence('latency_seconds', '0.25', 'at most 0.1', 'seconds')
    .addEvidence('', 'é', '☃')
    .warning('capacity', 'é ☃ it is too much')
    .withDetails({ nested: { list: [1, true, 'é\n'] } })
    .addExtra('conformance.extra', 'é');
}

function tooMuch() {
  const report = Report.ok('é'.repeat(SUMMARY_CHARACTERS)).withDetails({ text: 'x'.repeat(DETAILS_BYTES) });
  for (let count = 0; count < METRICS; count += 1) report.addMetric(`metric_${count}`, count);
  for (let count = 0; count < EVIDENCE; count += 1) report.addEvidence('', count, '☃'.repeat(2 * SUMMARY_CHARACTERS));
  return report;
}

const ENDS = /** @type {const} */ (['service', 'configuration', 'quota', 'internal', 'defect', 'trap', 'loop', 'memory']);

export const end = check({
  name: 'end',
  summary: 'Ends in every way that is no report',
  config: { how: key.oneOf('How the run ends', ENDS) },
  example: { how: 'service' },
  failures: ['stale'],

  run({ config, labels: none }) {
    switch (config.how) {
      case 'service':
        throw new ServiceError('stale', 'the newest entry is é old');
      case 'configuration':
        throw new ConfigurationError('it cannot be so');
      case 'quota':
        throw new QuotaError('it is too much');
      case 'internal':
        throw new InternalError('it is broken');
      case 'defect':
        return /** @type {any} */ (none)['absent'].report;
      case 'trap':
        return trap();
      case 'loop':
        for (;;);
      default:
        return exhaust();
    }
  },
});

// What is thrown becomes a failure. Only an answer that is none of the contract's ends the run.
function trap() {
  const report = Report.ok('');
  report.status = /** @type {any} */ ('none of the four');
  return report;
}

/** @returns {never} */
function exhaust() {
  const blocks = [];
  for (;;) blocks.push(new Uint8Array(BLOCK_BYTES).fill(1));
}

export const kept = check({
  name: 'state',
  summary: 'Counts its runs, and keeps bytes',
  config: { what: key.oneOf('What is kept', ['count', 'too-much']).default('count') },

  run({ config }) {
    if (config.what === 'too-much') state.setBytes('much', new Uint8Array(STATE_BYTES).fill(0x78));
    const lines = new Lines();
    const runs = (state.get('runs') ?? 0) + 1;
    state.set('runs', runs);
    lines.push(`runs ${runs}`, `before ${bytesOrNull(state.getBytes('raw'))}`);
    state.setBytes('raw', new Uint8Array([0x00, 0xff]));
    lines.push(`after ${bytesOrNull(state.getBytes('raw'))}`);
    state.remove('gone');
    return lines.report();
  },
});

/** @param {Uint8Array | undefined} value */
function bytesOrNull(value) {
  return value === undefined ? 'null' : string(value);
}

export const logged = check({
  name: 'log',
  summary: 'Logs a line of each level',

  run() {
    for (const level of /** @type {const} */ (['trace', 'debug', 'info', 'warn', 'error'])) {
      log.write(level, `conformance ${level}`, { number: 7, text: 'é' });
    }
    return Report.ok('logged');
  },
});
