// `client-js`: asks for a page with `fetch`, as libraries do.

import { check, gauge, key, need, plugin, Report } from '@sickbay/sdk';

const page = check({
  name: 'page',
  summary: 'Whether a page is there',
  config: { url: key.string('What is asked for') },
  example: { url: 'https://example.com/' },
  needs: [need('http', 'asks for the page', 'http = ["GET {url}"]')],
  metrics: [gauge('status', 'of the answer')],
  failures: ['content', 'dns', 'refused', 'connection', 'tls', 'timeout', 'protocol'],

  async run({ config }) {
    const response = await fetch(config.url, { headers: { accept: 'text/plain' } });
    const told = `HTTP ${response.status}, ${(await response.text()).length} bytes of ${response.url}`;
    const report = Report.ok(told).addMetric('status', response.status);
    return response.ok ? report : report.critical('content', told);
  },
});

export default plugin({
  name: 'client-js',
  version: '0.1.0',
  summary: 'Asks with fetch',
  checks: [page],
});
