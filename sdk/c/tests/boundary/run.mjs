// node run.mjs NODE_MODULES MODULE: runs guest.c on a host that knows what must cross the boundary, in both directions and field by field.
// The host is what `jco` makes of the contract, which shares no line with the SDK.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

import { jcoOf, withComponentType } from './component.mjs';

const bytes = (...values) => Uint8Array.from(values);
const text = (string) => new TextEncoder().encode(string);
const error = (tag, val) => {
    throw { tag, val };
};
const asked = {};
const note = (name, ...values) => {
    (asked[name] ??= []).push(values);
};

const timings = { dnsUs: 1, connectUs: undefined, tlsUs: 3, firstByteUs: undefined, totalUs: 4294967295 };
const certificate = {
    subject: 'CN=a',
    issuer: 'CN=b',
    dnsNames: ['a', '10.0.0.1'],
    notBefore: 1n,
    notAfter: 18446744073709551615n,
    sha256: 'ab',
};
const session = { version: 'TLS 1.3', cipher: 'AES', untrusted: 'expired', chain: [{ ...certificate, subject: 'CN=leaf' }, certificate] };
const response = {
    status: 65535,
    version: 'HTTP/1.1',
    headers: [
        { name: 'a', value: 'é' },
        { name: 'b', value: '' },
    ],
    body: text('body'),
    truncated: true,
    url: 'http://last/',
    redirects: [{ status: 301, url: 'http://first/', headers: [{ name: 'location', value: '/' }] }],
    timings,
    peer: '10.0.0.7:443',
    tls: session,
    extras: [{ name: 'x', value: 'y' }],
};
const bare = { ...response, status: 204, headers: [], body: bytes(), truncated: false, redirects: [], peer: undefined, tls: undefined, extras: [] };
const told = {
    timings: [1, null, 3, null, 4294967295],
    certificate: { ...certificate, notBefore: '1', notAfter: '18446744073709551615' },
};
told.session = { ...session, chain: [{ ...told.certificate, subject: 'CN=leaf' }, told.certificate] };
told.response = {
    ...response,
    headers: ['a=é', 'b='],
    body: 'body',
    redirects: [301, 'http://first/', ['location=/']],
    timings: told.timings,
    tls: told.session,
    extras: ['x=y'],
};
told.bare = { ...told.response, status: 204, headers: [], body: '', truncated: false, redirects: [], peer: null, extras: [] };
delete told.bare.tls;

const rows = {
    columns: [
        { name: 'a', typeName: 'int4' },
        { name: 'b', typeName: 'text' },
    ],
    rows: [
        [{ tag: 'null' }, { tag: 'boolean', val: true }],
        [{ tag: 'int', val: -9223372036854775808n }, { tag: 'float', val: 0.1 }],
        [{ tag: 'numeric', val: '1.5' }, { tag: 'text', val: 'é' }],
        [{ tag: 'bytes', val: text('b') }, { tag: 'json', val: '{}' }],
        [{ tag: 'uuid', val: 'u' }, { tag: 'timestamp-us', val: -5n }],
        [{ tag: 'date', val: 'd' }, { tag: 'time', val: 't' }],
        [{ tag: 'interval-us', val: 7n }, { tag: 'list-json', val: '[]' }],
        [{ tag: 'other', val: { typeName: 'inet', text: '::1' } }, { tag: 'null' }],
    ],
    truncated: true,
    affected: 18446744073709551615n,
    elapsedUs: 9,
};
told.rows = {
    columns: ['a int4', 'b text'],
    rows: ['0:null', '1:true', '2:-9223372036854775808', '3:0.1', '4:1.5', '5:é', '6:b', '7:{}', '8:u', '9:-5', '10:d', '11:t', '12:7']
        .concat(['13:[]', '14:inet/::1', '0:null']),
    truncated: true,
    affected: '18446744073709551615',
    elapsedUs: 9,
};
const reply = [
    { tag: 'array-of', val: 5 },
    { tag: 'nil' },
    { tag: 'map-of', val: 1 },
    { tag: 'int', val: -1n },
    { tag: 'float', val: 2.5 },
    { tag: 'set-of', val: 1 },
    { tag: 'boolean', val: true },
    { tag: 'simple', val: 'OK' },
    { tag: 'array-of', val: 4 },
    { tag: 'bulk', val: text('b') },
    { tag: 'failed', val: 'ERR' },
    { tag: 'big-number', val: '123' },
    { tag: 'other', val: 'o' },
];
told.reply = ['7:5', '0:', '8:1', '1:-1', '2:2.5', '9:1', '3:true', '4:OK', '7:4', '5:b', '6:ERR', '10:123', '11:o'];

class Connection {
    opened() {
        return { peer: 'mail:25', timings, tls: session };
    }
    send(sent) {
        note('net.send', sent);
    }
    receive(until, bytesMax, timeoutMs) {
        note('net.receive', until, bytesMax, timeoutMs);
        return timeoutMs === undefined ? error('closed', 'the peer closed') : text('250 ok\n');
    }
    startTls() {
        return session;
    }
    [Symbol.dispose]() {
        note('net.close');
    }
}

const file = { name: 'a', kind: 'file', sizeBytes: 1n, modifiedAt: 2n, mode: 420, writable: true, identity: '1:2' };
const imports = {
    'sickbay:plugin/http': {
        send(request, options) {
            note('http.send', request, options);
            if (request.url === 'http://denied/') error('denied', { reason: 'no', hint: 'http = [...]' });
            return request.method === 'GET' ? bare : response;
        },
        sendMany(requests, options) {
            note('http.sendMany', requests, options);
            return [
                { tag: 'ok', val: response },
                { tag: 'err', val: { tag: 'timeout', val: 'late' } },
            ];
        },
    },
    'sickbay:plugin/postgres': {
        run(source, query) {
            note('postgres.run', source, query);
            if (source === 'refused') error('server', { sqlstate: '57014', severity: 'ERROR', message: 'too slow', detail: 'd' });
            if (source === 'late') error('timeout', 'connecting');
            if (source === 'denied') error('denied', { reason: 'no', hint: '' });
            return rows;
        },
        runMany(source, queries) {
            note('postgres.runMany', source, queries);
            if (source === 'refused') error('server', { sqlstate: '42P01', severity: 'ERROR', message: 'no table' });
            return [{ ...rows, rows: [] }, rows];
        },
        runSimple(source, sql, timeoutMs) {
            note('postgres.runSimple', source, sql, timeoutMs);
            return rows;
        },
    },
    'sickbay:plugin/redis': {
        run(source, command, timeoutMs) {
            note('redis.run', source, command, timeoutMs);
            return source === 'late' ? error('timeout', 'late') : reply;
        },
        runMany(source, commands, timeoutMs) {
            note('redis.runMany', source, commands, timeoutMs);
            return [[{ tag: 'nil' }], reply];
        },
    },
    'sickbay:plugin/net': {
        Connection,
        connect(target) {
            note('net.connect', target);
            return target.address === 'refused:1' ? error('refused', 'closed port') : new Connection();
        },
        dnsResolve(name, kind) {
            note('net.dnsResolve', name, kind);
            return { records: ['10 mail', '20 mail2'], ttlSeconds: 60, elapsedUs: 5 };
        },
    },
    'sickbay:plugin/secrets': {
        inspect: (secret) => (secret === 'key' ? { changedAt: 9n, versions: 2 } : error('denied', { reason: 'no', hint: 'secrets = []' })),
        sign(...values) {
            note('secrets.sign', ...values);
            return [text('first'), text('second')];
        },
        encode: (plain, encoding) => `${encoding} of ${plain}`,
    },
    'sickbay:plugin/files': {
        readInfo: () => file,
        readDirectory(path, after) {
            note('files.readDirectory', path, after);
            return [file, { ...file, name: 'b', kind: 'link', sizeBytes: 18446744073709551615n, writable: false }];
        },
        readBytes(path, offset, bytesMax) {
            note('files.readBytes', path, offset, bytesMax);
            return text('content');
        },
        readSpace: () => ({ totalBytes: 4, availableBytes: 3, inodesTotal: 2, inodesFree: 1 }),
        createDirectory: (path) => note('files.createDirectory', path),
        remove: (path) => error('not-found', path),
        setMode: (path, mode) => note('files.setMode', path, mode),
    },
    'sickbay:plugin/system': {
        readCpu: () => ({ busyRatio: 0.5, iowaitRatio: 0.25, cores: 2, windowMs: 1000 }),
        readMemory: () => ({ totalBytes: 4, availableBytes: 3, swapTotalBytes: 2, swapUsedBytes: 1 }),
        readLoad: () => ({ one: 1, five: 5, fifteen: 15 }),
        readDisks: () => [0, 1].map((number) => ({
            mount: `/${number}`, device: 'sda', fileSystem: 'ext4', totalBytes: 4, availableBytes: 3, inodesTotal: 2, inodesFree: 1, readOnly: true,
        })),
        readDiskIo: () => [0, 1].map((number) => ({ device: `sd${number}`, readBytes: 1, writtenBytes: 2, busySeconds: 0.5 })),
        readProcesses: (name) => [1, 2].map((pid) => ({ pid, name, residentBytes: 10, cpuSeconds: 1.5, startedAt: 7n })),
        readListeners: () => [
            { protocol: 'tcp', address: '::1', port: 65535, process: undefined },
            { protocol: 'udp', address: '0.0.0.0', port: 53, process: 'dnsmasq' },
        ],
        readOpenFiles: () => error('unsupported', 'not here'),
    },
    'sickbay:plugin/state': {
        get: (key) => (key === 'key' ? text('kept') : undefined),
        put(key, value) {
            note('state.put', key, value);
            if (key === 'full') throw 'the room is used up';
        },
        remove: (key) => note('state.remove', key),
    },
    'sickbay:plugin/log': { write: (level, message, fields) => note('log.write', level, message, fields) },
    'wasi:clocks/wall-clock': { now: () => ({ seconds: 1800000000n, nanoseconds: 123456789 }), resolution: () => ({ seconds: 0n, nanoseconds: 1 }) },
};

const report = {
    status: 'critical',
    summary: 'before',
    failure: 'disk',
    metrics: [
        { name: 'a', value: 1, kind: 'gauge', unit: '', labels: [] },
        { name: 'used_ratio', value: 0.9, kind: 'counter', unit: 'ratio', labels: [{ name: 'mount', value: '/var' }] },
    ],
    evidence: [{ metric: 'used_ratio', actual: '0.9', expected: 'at most 0.8', unit: 'ratio' }],
    details: undefined,
    extras: [{ name: 'r', value: 's' }],
};
const checkRequest = {
    check: 'check',
    kind: 'everything',
    config: '{}',
    scheduledAt: 18446744073709551615n,
    timeoutMs: 5000,
    attempt: 2,
    target: 'db1',
    labels: [{ name: 'service', value: 'api' }],
    previous: { scheduledAt: 3n, report },
    extras: [{ name: 'e', value: 'f' }],
};

async function instantiate(nodeModules, path) {
    const jco = await jcoOf(nodeModules);
    const component = await jco.componentNew(await withComponentType(jco, await readFile(path), 'full-plugin'), []);
    const { files } = await jco.transpile(component, { name: 'guest', instantiation: 'sync', wasiShim: false });
    const folder = await mkdtemp(join(tmpdir(), 'boundary-'));
    try {
        const modules = {};
        for (const [name, content] of Object.entries(files)) {
            if (name.endsWith('.wasm')) modules[name] = new WebAssembly.Module(content);
        }
        await writeFile(join(folder, 'guest.mjs'), files['guest.js']);
        const { instantiate } = await import(pathToFileURL(join(folder, 'guest.mjs')));
        return instantiate((name) => modules[name], imports);
    } finally {
        await rm(folder, { recursive: true });
    }
}

const [nodeModules, path] = process.argv.slice(2);
const guest = await instantiate(nodeModules, path);
const { plugin, check, recovery, sink } = guest;
const cases = {
    'it describes itself': () => {
        const described = plugin.describe();
        assert.deepEqual([described.name, described.version, described.homepage, described.licence], ['boundary', '1.2.3', 'https://example.com/', 'Apache-2.0']);
        assert.deepEqual(described.checks[0].needs[1], { capability: 'net', reason: 'talks', grant: 'net = []' });
        assert.deepEqual(described.checks[0].metrics[1], { name: 'two', kind: 'counter', unit: '', summary: 'second' });
        assert.deepEqual([described.checks[0].failures, described.checks[1].name], [['content', 'timeout'], 'memory']);
        assert.equal(JSON.parse(described.checks[0].configSchema).additionalProperties, false);
        assert.deepEqual([described.recoveries[0].name, described.recoveries[0].example, described.sinks[0].name], ['mend', '{}', 'tell']);
    },
    'what is answered arrives field by field': () => {
        const found = check.run(checkRequest);
        const details = JSON.parse(found.details);
        assert.deepEqual(details.request, {
            check: 'check', config: '{}', scheduledAt: '18446744073709551615', timeoutMs: 5000, attempt: 2, target: 'db1', labels: ['service=api'],
            previous: '3', status: 3, summary: 'before', failure: 'disk', metric: 'used_ratio 0.9 1 ratio /var', evidence: 'at most 0.8', details: null,
            'report extras': ['r=s'], extras: ['e=f'],
        });
        delete details.request;
        assert.deepEqual(details, {
            send: told.response,
            'send default': told.bare,
            'many 0': told.response,
            'many 1': '1 timeout: late',
            'http denied': '2 denied: no; hint: http = [...]',
            run: told.rows,
            'run many': told.rows,
            refused: '1 timeout: too slow (57014)',
            late: '1 timeout: connecting',
            denied: '2 denied: no',
            'refused many': '2 configuration: no table (42P01)',
            redis: told.reply,
            'redis many': told.reply,
            'redis late': '1 timeout: late',
            peer: 'mail:25',
            opened: told.timings,
            'opened tls': told.session,
            received: '250 ok\n',
            'started tls': told.session,
            closed: '1 protocol: the peer closed',
            'no connection': '1 refused: closed port',
            records: ['10 mail', '20 mail2'],
            ttl: 60,
            lookup: 5,
            changed: '9',
            versions: 2,
            signatures: ['first', 'second'],
            placeholder: 'base64 of user:x',
            'no secret': '2 denied: no; hint: secrets = []',
            file: ['a', 'file', '1', '2', 420, true, '1:2', 'b', 'link', '18446744073709551615', '2', 420, false, '1:2'],
            bytes: 'content',
            space: '4 3 2 1',
            'not removed': '1 missing: /gone',
            cpu: '0.5 0.25 2 1000',
            memory: '4 3 2 1',
            load: '1 5 15',
            disk: '/1 sda ext4 4 3 2 1 1',
            io: 'sd1 1 2 0.5',
            process: '2 nginx 10 1.5 7',
            'listener 0': 'tcp ::1 65535 0 -',
            'listener 1': 'udp 0.0.0.0 53 1 dnsmasq',
            'open files': '2 configuration: not here',
            absent: true,
            state: '1 kept',
            'not put': '2 quota: the room is used up',
            now: '1800000000123',
        });
    },
    'what is asked arrives field by field': () => {
        const put = { method: 'PUT', url: 'http://a/', headers: [{ name: 'x', value: '1' }, { name: 'y', value: '2' }], body: bytes(255, 1) };
        const get = { method: 'GET', url: 'http://b/', headers: [], body: undefined };
        const options = {
            timeoutMs: 11, redirectsMax: 3, bodyBytesMax: 12, reuse: true, acceptUntrusted: true, connectTo: '10.0.0.7:443',
            extras: [{ name: 'later', value: 'word' }],
        };
        const defaults = { timeoutMs: undefined, redirectsMax: 5, bodyBytesMax: undefined, reuse: false, acceptUntrusted: false, connectTo: undefined, extras: [] };
        const params = [
            { tag: 'null' }, { tag: 'boolean', val: true }, { tag: 'int', val: -9223372036854775808n }, { tag: 'float', val: 0.1 },
            { tag: 'numeric', val: '1.50' }, { tag: 'text', val: 'é' }, { tag: 'bytes', val: bytes(255) }, { tag: 'timestamp-us', val: 5n },
            { tag: 'other', val: { typeName: 'inet', text: '::1' } },
        ];
        const queries = [{ sql: 'SELECT $1', params, timeoutMs: 7 }, { sql: 'SELECT 2', params: [], timeoutMs: undefined }];
        assert.deepEqual(asked['http.send'].slice(0, 2), [[put, options], [get, defaults]]);
        assert.deepEqual(asked['http.sendMany'][0], [[put, get], options]);
        assert.deepEqual(asked['postgres.run'][0], ['main', queries[0]]);
        assert.deepEqual(asked['postgres.runMany'][0], ['main', queries]);
        assert.deepEqual(asked['postgres.runSimple'][0], ['pool', 'SHOW POOLS', 8]);
        assert.deepEqual(asked['redis.run'][0], ['cache', [text('LLEN'), bytes(255)], 9]);
        assert.deepEqual(asked['redis.runMany'][0], ['cache', [[text('LLEN'), bytes(255)], [text('GET'), text('a')]], undefined]);
        assert.deepEqual(asked['net.connect'][0], [{
            address: 'mail:25', tls: true, serverName: 'mail.example.com', acceptUntrusted: true, timeoutMs: 13, extras: [{ name: 'later', value: 'word' }],
        }]);
        assert.deepEqual(asked['net.receive'], [[text('\n'), 100, 14], [bytes(), 1, undefined]]);
        assert.deepEqual([asked['net.send'][0], asked['net.close'].length], [[text('EHLO\r\n')], 1]);
        assert.deepEqual(asked['net.dnsResolve'][0], ['example.com', 'MX']);
        assert.deepEqual(asked['secrets.sign'][0], ['key', 'hmac-sha256', 'AWS4', bytes(255)]);
        assert.deepEqual(asked['files.readDirectory'][0], ['/', 'z']);
        assert.deepEqual(asked['files.readBytes'][0], ['/a', 18446744073709551615n, 77]);
        assert.deepEqual([asked['files.createDirectory'][0], asked['files.setMode'][0]], [['/d'], ['/a', 384]]);
        assert.deepEqual(asked['state.put'], [['key', bytes(255, 2)], ['full', bytes()]]);
        assert.deepEqual([asked['state.remove'][0], asked['log.write'][0]], [['key'], ['error', 'said', [{ name: 'name', value: 'value' }]]]);
    },
    'a report arrives whole, run after run on one instance': () => {
        for (let round = 0; round < 200; round++) {
            const found = check.run({ ...checkRequest, previous: undefined, target: undefined });
            assert.deepEqual([found.status, found.summary, found.failure], ['warning', 'odd', 'content']);
            assert.deepEqual(found.metrics, [
                { name: 'one', value: 0.1, kind: 'gauge', unit: 'seconds', labels: [{ name: 'a', value: 'b' }] },
                { name: 'two', value: 2, kind: 'counter', unit: '', labels: [] },
            ]);
            assert.deepEqual(found.evidence, [{ metric: 'one', actual: '0.1', expected: 'at most 0', unit: 'seconds' }]);
            assert.deepEqual(found.extras, [{ name: 'c.extra', value: 'x' }]);
        }
    },
    'memory that is used again is cleared and nobody else\'s': () => {
        const runs = Array.from({ length: 5 }, () => check.run({ ...checkRequest, kind: 'memory' }));
        assert.deepEqual(runs.map((run) => run.summary), Array(5).fill('as it should be'));
        assert.deepEqual(runs.map((run) => run.metrics[0].value), Array(5).fill(runs[0].metrics[0].value));
    },
    'a failure arrives': () => {
        const failed = (call) => {
            try {
                call();
            } catch (thrown) {
                return thrown.payload;
            }
            return assert.fail('it did not fail');
        };
        assert.deepEqual(failed(() => check.run({ ...checkRequest, config: '{"a":1}' })), {
            kind: 'configuration', message: 'no key `a` is known', extras: [],
        });
        assert.equal(failed(() => check.run({ ...checkRequest, kind: 'none' })).kind, 'internal');
    },
    'a recovery plans, acts and follows': () => {
        const request = {
            recovery: 'r', kind: 'mend', config: '{}', timeoutMs: 1, idempotencyKey: '', extras: [],
            incident: {
                id: 'i-1', check: 'c', target: 'db1', failure: 'disk', severity: 'P1', since: 18446744073709551615n, consecutiveFailures: 3,
                labels: [{ name: 'l', value: 'v' }], lastReport: report, extras: [{ name: 'm', value: 'n' }],
            },
        };
        const plan = recovery.plan(request);
        assert.deepEqual(plan[0], { id: 'a', title: 't', target: 'x', idempotent: true, parameters: '{"b":1}', extras: [{ name: 'c.d', value: 'e' }] });
        assert.deepEqual(plan[1], {
            id: 'i-1', title: 'c db1 P1 18446744073709551615 3 before', target: 'disk v n', idempotent: false, parameters: 'null', extras: [],
        });
        assert.deepEqual(recovery.act({ ...request, idempotencyKey: 'k' }, plan[0]), {
            tag: 'running', val: { token: '{"f":2}', summary: 'k a {"b":1}', againAfterMs: 2000 },
        });
        assert.deepEqual(recovery.follow(request, plan[0], '{"f":2}'), {
            tag: 'done',
            val: { success: true, reason: 'x {"f":2}', actions: ['first', 'second'], recommendation: 'rest', details: '{}', extras: [] },
        });
        assert.throws(() => recovery.act(request, plan[1]), (thrown) => thrown.payload.kind === 'quota');
        assert.throws(() => recovery.plan({ ...request, idempotencyKey: 'k', incident: { ...request.incident, id: '' } }).length);
    },
    'a sink delivers, is told to come again, and gives up': () => {
        const alert = {
            incidentId: 'i-1', check: 'c', target: 'db1', phase: 'resolved', status: 'ok', failure: 'disk', severity: 'P1', summary: 's', reason: 'Passed',
            labels: [{ name: 'l', value: 'v' }], startedAt: 5n, endedAt: 6n, evidence: report.evidence, url: 'http://u/', extras: [{ name: 'x', value: 'y' }],
        };
        const notification = {
            idempotencyKey: 'k', group: 'g', phase: 'other', severity: 'P0', alerts: [{ ...alert, evidence: [] }, alert], reference: 'm-1', attempt: 1,
            extras: [{ name: 'more', value: '2' }],
        };
        const request = { sink: 'room', kind: 'tell', config: '{}', timeoutMs: 1, notification, extras: [{ name: 'p', value: 'q' }] };
        assert.deepEqual(JSON.parse(sink.deliver(request).reference), [
            'room', 'k', 'g', 3, 'P0', 'm-1', ['more=2'], 'i-1', 'c', 'db1', 2, 1, 'disk', 'P1', 's', 'Passed', ['l=v'], '5', '6', '0.9', 'http://u/', ['x=y'],
            ['p=q'],
        ]);
        const refused = (attempt) => {
            try {
                return sink.deliver({ ...request, notification: { ...notification, attempt } });
            } catch (thrown) {
                return thrown.payload;
            }
        };
        assert.deepEqual(refused(2), { tag: 'retryable', val: { message: 'later', afterMs: 3000 } });
        assert.deepEqual(refused(3), { tag: 'permanent', val: 'never' });
    },
};

let failed = 0;
for (const [name, run] of Object.entries(cases)) {
    try {
        run();
    } catch (thrown) {
        failed++;
        console.log(`FAILED ${name}\n${thrown.message ?? thrown}`);
    }
}
console.log(`${Object.keys(cases).length - failed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
