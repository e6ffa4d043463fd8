// A scripted host, so that a test runs a plugin's functions without WebAssembly.
//
//     const host = new FakeHost();
//     host.http.reply(200, { json: { length: 12 } });
//     const report = await host.run(queue, { url: 'https://example.com/queue.json' });
//     assert.equal(report.status, 'ok');
//     assert.equal(host.http.sent[0].url, 'https://example.com/queue.json');
//
// A `FakeHost` holds what the host would answer and keeps what the plugin did; nothing is sent anywhere. Its clock stands still until a reply
// takes time (`afterMs: 200`) or the test moves it (`host.clock.advance(60_000)`). What a test did not script is denied, as on a real host
// without grants; a request without an answer left fails the test.
//
// While this module is loaded, `fetch` and `console` of a run on a scripted host are its own; outside of a run they are what they were.

import { isServed } from '#host/served.js';
import { console } from '../console.js';
import { fetch } from '../fetch.js';

const outside = globalThis.fetch;

globalThis.console = console;
globalThis.fetch = /** @type {typeof globalThis.fetch} */ (
  (/** @type {any} */ input, /** @type {any} */ init) => (isServed() ? fetch(input, init) : outside(input, init))
);

export { FakeClock } from './clock.js';
export { assertAsDescribed } from './described.js';
export { FakeFiles } from './files.js';
export { FakeHost } from './host.js';
export { FakeHttp, SentRequest } from './http.js';
export { FakeSystem } from './machine.js';
export { Dialogue, FakeNet } from './net.js';
export { tlsUntil } from './network.js';
export { FakeLog, FakeSecrets, FakeState } from './rest.js';
export { alert, incident, notification } from './samples.js';
export { NotScriptedError } from './script.js';
export { FakePostgres, FakeRedis } from './sources.js';
