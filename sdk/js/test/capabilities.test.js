import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  clock,
  ConfigurationError,
  ContentError,
  DeniedError,
  files,
  http,
  key,
  log,
  MissingFileError,
  net,
  postgres,
  ProtocolError,
  QuotaError,
  redis,
  RefusedError,
  secrets,
  state,
  StatusError,
  system,
  TimeoutError,
  TlsError,
} from '@sickbay/sdk';
import { FakeHost, NotScriptedError, tlsUntil } from '@sickbay/sdk/testing';

test('a request goes out as it was written and its answer is read', () => {
  const host = new FakeHost();
  host.http.reply(201, { json: { length: 12 }, headers: { 'Content-Type': 'application/json' }, afterMs: 20, tls: tlsUntil(new Date(0)) });
  const response = host.serve(() => http.post(new URL('https://example.com/x'), { json: { a: 1n }, headers: [['X-A', 'b']], timeoutMs: 50 }));
  const [sent] = host.http.sent;
  assert.deepEqual([sent?.method, sent?.url, sent?.json(), sent?.headers.get('x-a')], ['POST', 'https://example.com/x', { a: 1 }, 'b']);
  assert.deepEqual([sent?.headers.get('content-type'), sent?.options.timeoutMs, sent?.options.redirectsMax], ['application/json', 50, 5]);
  assert.deepEqual([response.status, response.ok, response.url, response.latencySeconds], [201, true, 'https://example.com/x', 0.02]);
  assert.equal(response.headers.get('CONTENT-TYPE'), 'application/json');
  assert.deepEqual(response.tls?.chain[0]?.notAfter, new Date(0));
  assert.equal(response.json(key.object('', { length: key.integer() })).length, 12);
  assert.throws(() => response.json(key.array('', key.string())), /^ContentError: the body is not the JSON that was expected: body is a table/);
});

test('an answer that is not what it should be is the fault of the service', () => {
  const host = new FakeHost();
  host.http.reply(200, { body: '<html>', truncated: true });
  host.http.reply(503, { headers: { 'retry-after': '7' } });
  host.serve(() => {
    assert.throws(() => http.get('https://x').json(), (error) => error instanceof ContentError && /only the first part/.test(error.message));
    assert.throws(() => http.get('https://x').expectOk(), (error) => error instanceof StatusError && error.retryAfterMs === 7_000);
  });
});

test('many requests are answered in order, with errors in their places', () => {
  const host = new FakeHost();
  host.http.reply(200);
  host.http.fail(new RefusedError('closed'));
  const answers = host.serve(() => http.sendMany(['a', 'b'].map((name) => ({ method: 'GET', url: `https://${name}/` }))));
  assert.ok(answers[0] instanceof http.Response);
  assert.ok(answers[1] instanceof RefusedError);
});

test('what cannot be sent is refused before it is sent', () => {
  const host = new FakeHost();
  host.serve(() => {
    assert.throws(() => http.get('https://x', { timeoutMs: -1 }), ConfigurationError);
    assert.throws(() => http.get('https://x', { timeoutMs: NaN }), ConfigurationError);
    assert.throws(() => http.get('https://x', { redirectsMax: 300 }), ConfigurationError);
    assert.throws(() => http.post('https://x', { body: 'a', json: 1 }), TypeError);
  });
  assert.deepEqual(host.http.sent, []);
});

test('an answer that takes longer than the call may is a timeout of the service', async () => {
  const host = new FakeHost();
  host.http.reply(200, { afterMs: 300 });
  const began = host.clock.now;
  assert.throws(() => host.serve(() => http.get('https://x', { timeoutMs: 200 })), TimeoutError);
  assert.equal(host.clock.now.getTime() - began.getTime(), 200);
});

test('what a test did not script fails it, and outside of a run nobody answers', () => {
  const host = new FakeHost();
  assert.throws(() => host.serve(() => http.get('https://x')), NotScriptedError);
  assert.throws(() => http.get('https://x'), /no host answers `http` here; hint: /);
});

test('rows are found by the names of their columns', () => {
  const host = new FakeHost();
  host.postgres.reply([{ state: 'waiting', count: 3, big: 2n ** 60n, at: new Date(5), tags: ['a'], none: null, bytes: new Uint8Array([1]) }]);
  const rows = host.serve(() => postgres.source('main').query('select $1', ['x', 5, 1.5, 2n ** 70n, true, null, { a: 1 }], { timeoutMs: 10 }));
  assert.deepEqual(rows.one(), { state: 'waiting', count: 3, big: 2n ** 60n, at: new Date(5), tags: ['a'], none: null, bytes: new Uint8Array([1]) });
  assert.deepEqual([rows.length, rows.value(), [...rows].length, rows.columns[0]?.name], [1, 'waiting', 1, 'state']);
  const params = ['x', 5, 1.5, String(2n ** 70n), true, null, { a: 1 }];
  assert.deepEqual(host.postgres.queries[0], { source: 'main', sql: 'select $1', params, timeoutMs: 10 });
});

test('a timestamp keeps its microseconds on the way in and out', () => {
  const host = new FakeHost();
  for (const microseconds of [1_767_323_045_678_901n, -1n, 1_000n]) {
    host.postgres.reply([{ at: new postgres.Timestamp(microseconds) }]);
    const at = host.serve(() => postgres.source('main').query('select $1', [new postgres.Timestamp(microseconds)]).value());
    assert.equal(at instanceof postgres.Timestamp ? at.microseconds : BigInt(at.getTime()) * 1000n, microseconds);
    assert.equal(at.getTime(), Math.floor(Number(microseconds) / 1000));
  }
});

test('one row is one row, and a refusal says whose mistake it was', () => {
  const host = new FakeHost();
  host.postgres.reply([], { columns: ['a'] });
  host.postgres.fail(postgres.refused({ sqlstate: '42P01', message: 'no such table' }));
  host.serve(() => {
    assert.throws(() => postgres.source('main').query('select a from b').one(), ContentError);
    const refused = (/** @type {unknown} */ error) => error instanceof postgres.StatementError && error.sqlstate === '42P01';
    assert.throws(() => postgres.source('main').show('SHOW POOLS'), refused);
  });
});

test('a reply of redis is a tree', () => {
  const host = new FakeHost();
  const reply = [1, 'two', null, { three: [3.5, true] }, 2n ** 60n];
  host.redis.reply(reply);
  assert.deepEqual(host.serve(() => redis.source('cache').run('EVAL', 'x', 0)), reply);
  assert.deepEqual(host.redis.commands, ['EVAL x 0']);

  host.redis.refuse('WRONGTYPE no list');
  assert.throws(() => host.serve(() => redis.source('cache').run('LLEN', 'x')), redis.ReplyError);
  host.redis.reply('raw');
  assert.deepEqual(host.serve(() => redis.source('cache', { binary: true }).run('GET', 'x')), new Uint8Array([114, 97, 119]));
});

test('INFO is read by field from all sections', () => {
  const host = new FakeHost();
  host.redis.reply('# Memory\r\nused_memory:10\r\n');
  host.redis.reply('role:master\r\n');
  const info = host.serve(() => redis.source('cache').info('memory', 'replication'));
  assert.deepEqual([info.number('used_memory'), info.get('role')], [10, 'master']);
  assert.throws(() => info.number('role'), ContentError);
});

test('a reply that is no tree is a failure', () => {
  const host = new FakeHost();
  host.redis.run = () => [{ tag: 'array-of', val: 4_000_000_000 }];
  assert.throws(() => host.serve(() => redis.source('cache').run('GET', 'x')), /the reply is not a tree/);
  host.redis.run = () => [...Array(40).fill({ tag: 'array-of', val: 1 }), { tag: 'nil' }];
  assert.throws(() => host.serve(() => redis.source('cache').run('GET', 'x')), /the reply is not a tree/);
});

test('a dialogue is played in order and what was said is kept', () => {
  const host = new FakeHost();
  const dialogue = host.net.dialogue(['220 rea', 'dy\r\nrest'], { startTls: tlsUntil(new Date(1)) });
  host.serve(() => {
    const connection = net.connect('mail.internal:25', { timeoutMs: 100 });
    connection.send('EHLO x\r\n');
    assert.equal(connection.receiveLine(), '220 ready');
    assert.equal(connection.startTls().chain.length, 1);
    assert.throws(() => connection.receiveLine(), ProtocolError);
    assert.equal(new TextDecoder().decode(connection.receive(100)), 'rest');
    connection.close();
    connection.close();
    assert.throws(() => connection.send('late'), /the connection is closed/);
  });
  assert.deepEqual([dialogue.said, dialogue.isClosed, host.net.targets[0]?.address], [['EHLO x\r\n'], true, 'mail.internal:25']);
});

test('a connection that does not come about and a lookup are scripted too', () => {
  const host = new FakeHost();
  host.net.fail(new TlsError('expired'));
  host.net.records(['10 mail.example.com']);
  host.serve(() => {
    assert.throws(() => net.connect('x:443', { tls: true }), TlsError);
    assert.deepEqual(net.resolve('example.com', 'MX').records, ['10 mail.example.com']);
  });
  assert.deepEqual(host.net.lookups, [{ name: 'example.com', kind: 'MX' }]);
});

test('files are listed by name and read from an offset to the end', () => {
  const host = new FakeHost();
  host.files.add('/logs/b', 'two', { modifiedAt: new Date(7) });
  host.files.add('/logs/a/deep', 'x');
  host.serve(() => {
    const entries = files.readdir('/logs');
    assert.deepEqual(entries.map(({ name, kind }) => [name, kind]), [['a', 'directory'], ['b', 'file']]);
    assert.deepEqual([entries[1]?.sizeBytes, entries[1]?.modifiedAt], [3, new Date(7)]);
    assert.equal(files.readText('/logs/b', { offset: 1, bytesMax: 1 }), 'w');
    assert.deepEqual([...files.chunks('/logs/b')].length, 1);
    assert.throws(() => files.readdir('/logs', { entriesMax: 1 }), QuotaError);
    assert.throws(() => files.stat('/none'), MissingFileError);
    files.mkdir('/new');
    files.chmod('/new', 0o700);
    assert.equal(files.stat('/new').mode, 0o700);
    files.remove('/new');
    assert.throws(() => files.stat('/new'), MissingFileError);
  });
});

test('the machine, secrets and the clock answer what the test set, and deny the rest', () => {
  const host = new FakeHost();
  host.system.processes = [{ pid: 1, name: 'init', residentBytes: 5, cpuSeconds: 1, startedAt: new Date(9) }];
  host.secrets.add('hook', { changedAt: new Date(3), versions: 2 });
  host.clock.now = new Date(1_000);
  host.clock.advance(500);
  host.serve(() => {
    assert.deepEqual(system.processes('init')[0]?.startedAt, new Date(9));
    assert.throws(() => system.cpu(), (error) => error instanceof DeniedError && error.hint === 'system = ["cpu"]');
    assert.deepEqual(secrets.inspect('hook'), { changedAt: new Date(3), versions: 2 });
    assert.equal(secrets.sign('hook', 'data').length, 2);
    assert.throws(() => secrets.inspect('other'), DeniedError);
    assert.deepEqual([clock.now(), clock.nowMs()], [new Date(1_500), 1_500]);
  });
});

test('state keeps JSON within its bounds', () => {
  const host = new FakeHost();
  host.serve(() => {
    assert.equal(state.get('none'), undefined);
    state.set('count', { runs: 3 });
    assert.deepEqual(state.get('count'), { runs: 3 });
    state.setBytes('raw', new Uint8Array([0xff]));
    assert.equal(state.get('raw'), undefined);
    assert.throws(() => state.setBytes('big', new Uint8Array(16 << 10)), (error) => error instanceof QuotaError && /16384/.test(error.message));
    state.remove('count');
    assert.equal(state.get('count'), undefined);
  });
  assert.deepEqual([...host.state.values.keys()], ['raw']);
});

test('log lines have fields as text', () => {
  const host = new FakeHost();
  host.serve(() => log.warn('odd', { status: 500, big: 1n, list: [1], error: undefined }));
  assert.deepEqual(host.log.lines, [{ level: 'warn', message: 'odd', fields: { status: '500', big: '"1"', list: '[1]', error: 'undefined' } }]);
});
