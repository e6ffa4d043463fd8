// `feed-age`: how old the newest entry of a JSON feed is.
//
// What it shows: a typed configuration, an answer read into a shape, metrics, evidence, a rate out of `state`, and whose mistake it was: a feed
// that does not answer, or answers something else, is critical without a line of code for it.

import { check, clock, ConfigurationError, ContentError, gauge, http, key, need, plugin, Report, state } from '@sickbay/sdk';

const FEED = key.object('', {
  total: key.integer(),
  entries: key.array('', key.object('', { published_at: key.date() })),
});

export const feedAge = check({
  name: 'feed-age',
  summary: 'How old the newest entry of a JSON feed is',
  config: {
    url: key.string('Where the feed is', { pattern: '^https?://' }),
    warning_seconds: key.number('Warning when the newest entry is older', { minimum: 0 }).default(300),
    critical_seconds: key.number('Critical when the newest entry is older', { minimum: 0 }).default(3600),
  },
  example: { url: 'https://example.com/feed.json' },
  needs: [need('http', 'reads the feed', 'http = ["GET {url}"]')],
  metrics: [
    gauge('age_seconds', 'since the newest entry', 'seconds'),
    gauge('entries_new', 'entries since the run before'),
    gauge('latency_seconds', 'the whole exchange', 'seconds'),
  ],
  failures: ['content', 'stale', 'dns', 'refused', 'connection', 'tls', 'timeout', 'protocol'],

  run({ config }) {
    if (config.critical_seconds < config.warning_seconds) throw new ConfigurationError('`critical_seconds` is below `warning_seconds`');
    const response = http.get(config.url, { headers: { accept: 'application/json' } }).expectOk();
    const feed = response.json(FEED);
    const seconds = (clock.nowMs() - newest(feed.entries)) / 1000;
    const added = feed.total - (state.get('total') ?? feed.total);
    state.set('total', feed.total);
    console.info('read the feed', { entries: feed.entries.length, age_seconds: Math.round(seconds) });

    const told = `the newest entry is ${Math.round(seconds)} s old`;
    const report = Report.ok(told)
      .addMetric('age_seconds', seconds, 'seconds')
      .addMetric('entries_new', added)
      .addMetric('latency_seconds', response.latencySeconds, 'seconds');
    for (const [limit, status] of /** @type {const} */ ([[config.critical_seconds, 'critical'], [config.warning_seconds, 'warning']])) {
      if (seconds <= limit) continue;
      report.addEvidence('age_seconds', Math.round(seconds), `at most ${limit}`, 'seconds');
      return report[status]('stale', `${told}, more than ${limit} s`);
    }
    return report;
  },
});

/**
 * When the newest entry came. A feed without one is the service's fault.
 * @param {{ published_at: Date }[]} entries
 */
function newest(entries) {
  if (entries.length === 0) throw new ContentError('the feed has no entry');
  return Math.max(...entries.map((entry) => entry.published_at.getTime()));
}

export default plugin({
  name: 'feed-age',
  version: '0.1.0',
  summary: 'How old the newest entry of a JSON feed is',
  licence: 'Apache-2.0',
  checks: [feedAge],
});
