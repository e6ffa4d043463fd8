// The kinds `http`, `net` and `dns`.

import { check, gauge, http, key, net } from '@sickbay/sdk';
import { byName, digest, failure, Lines, optional, session, string, text, timings } from './told.js';

// A longer body is told by its length and a digest.
const BODY_BYTES_TOLD_MAX = 256;
const LINE_BYTES_MAX = 1024;
const BEHIND_TLS_BYTES = 4;

const PHASES = [
  gauge('dns_seconds', 'looking the name up', 'seconds'),
  gauge('connect_seconds', 'opening the connection', 'seconds'),
  gauge('tls_seconds', 'the TLS handshake', 'seconds'),
  gauge('first_byte_seconds', 'from the request to the first byte of the answer', 'seconds'),
  gauge('total_seconds', 'the whole exchange', 'seconds'),
];

export const askHttp = check({
  name: 'http',
  summary: 'Tells what a web server answered',
  config: {
    urls: key.array('Where to', key.string()),
    method: key.string().default('GET'),
    body: key.string('What is sent, as `text/plain`; nothing where it is empty').default(''),
    redirects_max: key.integer('', { minimum: 0, maximum: 10 }).default(http.REDIRECTS_MAX_DEFAULT),
    body_bytes_max: key.integer('0: as many as there are unless told otherwise', { minimum: 0 }).default(0),
    accept_untrusted: key.boolean().default(false),
    together: key.boolean('In one call').default(false),
    tell_errors: key.boolean('Whether an error is a line').default(false),
  },
  example: { urls: ['http://127.0.0.1:9470/livez'] },
  metrics: PHASES,

  run({ config }) {
    const lines = new Lines();
    /** @type {import('@sickbay/sdk').Timings | undefined} */
    let last;
    const content = config.body === '' ? {} : { headers: { 'content-type': 'text/plain' }, body: config.body };
    const requests = config.urls.map((url) => ({ method: config.method, url, ...content }));
    const options = {
      redirectsMax: config.redirects_max,
      acceptUntrusted: config.accept_untrusted,
      ...(config.body_bytes_max > 0 ? { bodyBytesMax: config.body_bytes_max } : {}),
    };
    /** @param {http.Response} answer */
    const tell = (answer) => {
      tellResponse(lines, answer);
      last = answer.timings;
    };
    if (config.together) {
      for (const answer of http.sendMany(requests, options)) {
        if (answer instanceof http.Response) tell(answer);
        else if (config.tell_errors) lines.push(failure(answer));
        else throw answer;
      }
    } else {
      for (const request of requests) lines.attempt(config.tell_errors, () => tell(http.send(request, options)));
    }
    return timings(lines.report(), last);
  },
});

/**
 * @param {Lines} lines
 * @param {http.Response} answer
 */
function tellResponse(lines, answer) {
  lines.push(`status ${answer.status}`, `version ${text(answer.version)}`, `url ${text(answer.url)}`);
  tellHeaders(lines, 'header', answer.headers);
  lines.push(body(answer.body), `truncated ${answer.truncated}`);
  for (const { status, url, headers } of answer.redirects) {
    lines.push(`redirect ${status} ${text(url)}`);
    tellHeaders(lines, 'redirect-header', headers);
  }
  lines.push(`peer ${optional(answer.peer)}`);
  session(lines, answer.tls);
}

/**
 * By name; those of one name in their order.
 * @param {Lines} lines
 * @param {string} word
 * @param {Iterable<readonly [string, string]>} headers
 */
function tellHeaders(lines, word, headers) {
  for (const [name, value] of [...headers].sort(byName)) lines.push(`${word} ${text(name)} ${text(value)}`);
}

/** @param {Uint8Array} told */
function body(told) {
  return told.length <= BODY_BYTES_TOLD_MAX ? `body ${string(told)}` : `body ${told.length} ${digest([told])}`;
}

export const connect = check({
  name: 'net',
  summary: 'Tells of connections',
  config: {
    addresses: key.array('Where to connect', key.string()),
    tls: key.boolean('From the first byte').default(false),
    server_name: key.string().default(''),
    accept_untrusted: key.boolean().default(false),
    say: key.string('What is sent, before a line is received; nothing where it is empty').default(''),
    start_tls: key.boolean('TLS after that, and four bytes').default(false),
    tell_errors: key.boolean('Whether an error is a line').default(false),
  },
  example: { addresses: ['127.0.0.1:9470'] },
  metrics: PHASES,

  run({ config }) {
    const lines = new Lines();
    /** @type {import('@sickbay/sdk').Timings | undefined} */
    let last;
    for (const address of config.addresses) {
      lines.attempt(config.tell_errors, () => {
        const { tls, server_name: serverName, accept_untrusted: acceptUntrusted } = config;
        const connection = net.connect(address, { tls, acceptUntrusted, ...(serverName === '' ? {} : { serverName }) });
        try {
          talk(lines, connection, config);
          last = connection.timings;
        } finally {
          connection.close();
        }
      });
    }
    return timings(lines.report(), last);
  },
});

/**
 * @param {Lines} lines
 * @param {net.Connection} connection
 * @param {{ say: string, start_tls: boolean }} config
 */
function talk(lines, connection, { say, start_tls: startTls }) {
  lines.push(`peer ${text(connection.peer)}`);
  session(lines, connection.tls);
  if (say !== '') {
    connection.send(say);
    lines.push(`received ${string(connection.receiveUntil('\n', LINE_BYTES_MAX))}`);
  }
  if (startTls) {
    session(lines, connection.startTls());
    lines.push(`received ${string(connection.receive(BEHIND_TLS_BYTES))}`);
  }
}

export const resolve = check({
  name: 'dns',
  summary: 'Tells what a name resolves to',
  config: {
    names: key.array('What is looked up', key.string()),
    record: key.string('A, AAAA, CNAME, MX, TXT, SRV, NS, ...').default('A'),
    tell_errors: key.boolean('Whether an error is a line').default(false),
  },
  example: { names: ['localhost'] },
  metrics: [gauge('elapsed_seconds', 'the last lookup', 'seconds')],

  run({ config }) {
    const lines = new Lines();
    /** @type {number | undefined} */
    let last;
    for (const name of config.names) {
      lines.attempt(config.tell_errors, () => {
        const { records, ttlSeconds, elapsedSeconds } = net.resolve(name, config.record);
        lines.push(...records.map((record) => `record ${text(record)}`), `ttl ${ttlSeconds ?? 'null'}`);
        last = elapsedSeconds;
      });
    }
    const report = lines.report();
    return last === undefined ? report : report.addMetric('elapsed_seconds', last, 'seconds');
  },
});
