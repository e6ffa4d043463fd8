// `deadline`: how long it is until something ends.

import { check, clock, gauge, key, plugin, Report } from '@sickbay/sdk';

const DAY_SECONDS = 86_400;

export const deadline = check({
  name: 'deadline',
  summary: 'How long it is until something ends',
  config: {
    until: key.date('When it ends, such as 2030-01-31T08:00:00Z'),
    warning_days: key.number('Warning when fewer days are left', { minimum: 0 }).default(14),
  },
  // A configuration that works: `sickbay probe --plugin` runs it.
  example: { until: '2099-01-01T00:00:00Z' },
  // Grants that a run needs, such as need('http', 'asks the service', 'http = ["GET {url}"]'). This one needs none.
  needs: [],
  metrics: [gauge('left_seconds', 'until it ends, negative afterwards', 'seconds')],
  failures: ['expired', 'expiring'],

  run({ config }) {
    const seconds = (config.until.getTime() - clock.nowMs()) / 1000;
    const days = Math.floor(Math.abs(seconds) / DAY_SECONDS);
    const report = Report.ok(`${days} days are left`).addMetric('left_seconds', seconds, 'seconds');
    if (seconds <= 0) return report.critical('expired', `it ended ${days} days ago`);
    if (seconds < config.warning_days * DAY_SECONDS) {
      report.warning('expiring', `only ${days} days are left`);
      report.addEvidence('left_seconds', Math.round(seconds), `at least ${config.warning_days * DAY_SECONDS}`, 'seconds');
    }
    return report;
  },
});

export default plugin({
  name: 'my-check',
  version: '0.1.0',
  summary: 'How long it is until something ends',
  checks: [deadline],
});
