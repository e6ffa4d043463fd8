// `bench-javascript`: reads its configuration and reports one metric.

import { check, gauge, key, plugin, Report } from '@sickbay/sdk';

const backlog = check({
  name: 'backlog',
  summary: 'How many jobs wait',
  config: {
    waiting: key.number('How many wait', { minimum: 0 }),
    limit: key.number('How many may wait', { minimum: 0 }),
  },
  example: { waiting: 7, limit: 10 },
  needs: [],
  metrics: [gauge('waiting', 'jobs that wait')],
  failures: [],

  run({ config }) {
    return Report.ok(`${config.waiting} of at most ${config.limit} jobs wait`).addMetric('waiting', config.waiting);
  },
});

export default plugin({
  name: 'bench-javascript',
  version: '0.1.0',
  summary: 'What a run costs of a plugin in JavaScript',
  checks: [backlog],
});
