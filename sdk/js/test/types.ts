// What TypeScript makes of a plugin's code: a wrong line here fails `npm run check`.

import { check, gauge, http, key, plugin, recovery, Report, sink, done } from '@sickbay/sdk';
import type { CheckRequest, Values } from '@sickbay/sdk';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function same<A, B>(_: Same<A, B>): void {}

const KEYS = {
  url: key.string('Where', { pattern: '^https?://' }),
  limit: key.integer('How many', { minimum: 0 }).default(100),
  mode: key.oneOf('How', ['fast', 'slow']),
  hosts: key.array('Which', key.string()).optional(),
  until: key.date('When'),
  owner: key.object('Who', { name: key.string(), mail: key.string().optional() }),
};

check({
  name: 'typed',
  summary: 'Its configuration has types',
  config: KEYS,
  example: { url: 'https://example.com', mode: 'fast', until: '2026-01-01T00:00:00Z', owner: { name: 'ops' } },
  metrics: [gauge('length', 'jobs that wait')],
  run({ config, previous, scheduledAt }) {
    same<typeof config.url, string>(true);
    same<typeof config.limit, number>(true);
    same<typeof config.mode, 'fast' | 'slow'>(true);
    same<typeof config.hosts, string[] | undefined>(true);
    same<typeof config.until, Date>(true);
    same<typeof config.owner.mail, string | undefined>(true);
    same<typeof scheduledAt, Date>(true);
    same<typeof previous, { scheduledAt: Date; report: Report } | undefined>(true);
    // @ts-expect-error: no such key
    config.frob;
    const body = http.get(config.url).json(key.object('', { length: key.integer() }));
    same<typeof body.length, number>(true);
    return Report.ok('fine').addMetric('length', body.length);
  },
});

const asked: CheckRequest<Values<typeof KEYS>> | undefined = undefined;
same<typeof asked, CheckRequest<Values<typeof KEYS>> | undefined>;

// @ts-expect-error: the example has no `mode`
check({ name: 'x', summary: 'x', config: { mode: key.oneOf('', ['a']) }, example: {}, run: () => Report.ok('') });
// @ts-expect-error: `c` is none of the choices
check({ name: 'x', summary: 'x', config: { mode: key.oneOf('', ['a']) }, example: { mode: 'c' }, run: () => Report.ok('') });
// @ts-expect-error: a check answers a report
check({ name: 'x', summary: 'x', run: () => 5 });
// @ts-expect-error: the default is no number
key.integer('').default('5');

const asynchronous = check({
  name: 'asynchronous',
  summary: 'Waits',
  run: async () => Report.ok(await (await fetch('https://example.com')).text()),
});
const healed = recovery({ name: 'heal', summary: 'Heals', plan: () => [], act: (_, action) => done(action.title) });
const told = sink({ name: 'tell', summary: 'Tells', deliver: async ({ notification }) => ({ reference: notification.group }) });

export default plugin({ name: 'typed', version: '1.0.0', summary: 'x', checks: [asynchronous], recoveries: [healed], sinks: [told] });
