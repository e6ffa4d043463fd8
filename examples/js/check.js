// `hello`: fetches a URL, counts its runs and reports how long the answer took.
//
// It speaks the contract of `wit/` directly. The objects `plugin` and `check` are the two interfaces that a check plugin
// exports. Names are camelCase, enums are strings, variants are `{ tag, val }`, 64-bit integers are BigInt; an import that
// answers an error throws with the error as `payload`, and an export answers one by throwing it.

import { send } from 'sickbay:plugin/http@0.1.0';
import { write } from 'sickbay:plugin/log@0.1.0';
import { get, put } from 'sickbay:plugin/state@0.1.0';

const SCHEMA = {
  $schema: 'https://json-schema.org/draft/2020-12/schema',
  type: 'object',
  properties: { url: { type: 'string', minLength: 1, description: 'Where to look.' } },
  required: ['url'],
  additionalProperties: false,
};

// The failure kinds of what a service may do; any other is a `connection` that did not come about.
const FAILURES = ['dns', 'refused', 'tls', 'timeout', 'protocol'];

export const plugin = {
  describe() {
    return {
      name: 'hello-js',
      version: '0.1.0',
      summary: 'A check in JavaScript',
      checks: [
        {
          name: 'hello',
          summary: 'Fetches a URL and counts its runs',
          configSchema: JSON.stringify(SCHEMA),
          example: JSON.stringify({ url: 'https://example.com/' }),
          needs: [{ capability: 'http', reason: 'fetches the URL', grant: 'http = ["GET {url}"]' }],
          metrics: [
            { name: 'status', kind: 'gauge', unit: '', summary: 'the status of the answer' },
            { name: 'latency_seconds', kind: 'gauge', unit: 'seconds', summary: 'the whole exchange' },
            { name: 'runs', kind: 'counter', unit: '', summary: 'runs that found an answer' },
          ],
          failures: ['content', 'connection', ...FAILURES],
          extras: [],
        },
      ],
      recoveries: [],
      sinks: [],
      homepage: undefined,
      licence: 'Apache-2.0',
      extras: [],
    };
  },
};

export const check = {
  run(request) {
    const { url } = JSON.parse(request.config);
    let response;
    try {
      response = send({ method: 'GET', url, headers: [], body: undefined }, OPTIONS);
    } catch (error) {
      return judgeError(payloadOf(error));
    }

    const runs = countRun();
    write('info', 'fetched', [{ name: 'status', value: String(response.status) }]);
    const seconds = response.timings.totalUs / 1e6;
    const well = response.status >= 200 && response.status < 400;
    return {
      status: well ? 'ok' : 'critical',
      summary: `HTTP ${response.status} in ${(seconds * 1000).toFixed(1)} ms, run ${runs}`,
      failure: well ? undefined : 'content',
      metrics: [
        { name: 'status', value: response.status, kind: 'gauge', unit: '', labels: [] },
        { name: 'latency_seconds', value: seconds, kind: 'gauge', unit: 'seconds', labels: [] },
        { name: 'runs', value: runs, kind: 'counter', unit: '', labels: [] },
      ],
      evidence: well ? [] : [{ metric: 'status', actual: String(response.status), expected: '200 to 399', unit: '' }],
      details: undefined,
      extras: [],
    };
  },
};

const OPTIONS = {
  timeoutMs: undefined,
  redirectsMax: 5,
  bodyBytesMax: undefined,
  reuse: false,
  acceptUntrusted: false,
  connectTo: undefined,
  extras: [],
};

// One more than the last run kept; the host writes it together with this run's result.
function countRun() {
  const kept = get('runs');
  const runs = kept ? Number(new TextDecoder().decode(kept)) + 1 : 1;
  try {
    put('runs', new TextEncoder().encode(String(runs)));
  } catch (error) {
    throw failure('quota', payloadOf(error));
  }
  return runs;
}

// What the service did is critical; what the plugin or its configuration did is a failure, which becomes unknown.
function judgeError({ tag, val }) {
  if (tag === 'denied') throw failure('denied', `${val.reason}; hint: ${val.hint}`);
  if (tag === 'invalid') throw failure('configuration', val);
  if (tag === 'quota') throw failure('quota', val);
  return {
    status: 'critical',
    summary: val,
    failure: FAILURES.includes(tag) ? tag : 'connection',
    metrics: [],
    evidence: [],
    details: undefined,
    extras: [],
  };
}

// An error of the contract carries its value; anything else is a defect of this plugin and may end the run.
function payloadOf(error) {
  if (error.payload === undefined) throw error;
  return error.payload;
}

function failure(kind, message) {
  return { kind, message, extras: [] };
}
