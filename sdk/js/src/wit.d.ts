// The contract as TypeScript sees it, made from `wit/` by `npm run wit-types`: do not edit.
//
// A plugin that uses the SDK needs none of this; one that speaks the contract itself gets its types with
// `/// <reference types="@sickbay/sdk/wit" />`.

declare module 'sickbay:plugin/check@0.1.0' {
  /**
   * One run. An answer that breaks a bound is recorded as `unknown`, and so is a trap or a run past its deadline.
   */
  export function run(request: Request): Report;
  export type Json = import('sickbay:plugin/types@0.1.0').Json;
  export type TimestampMs = import('sickbay:plugin/types@0.1.0').TimestampMs;
  export type Label = import('sickbay:plugin/types@0.1.0').Label;
  export type Report = import('sickbay:plugin/types@0.1.0').Report;
  export type Failure = import('sickbay:plugin/types@0.1.0').Failure;
  /**
   * An earlier run of the same check and target.
   */
  export interface Earlier {
    /**
     * When it was due.
     */
    scheduledAt: TimestampMs,
    /**
     * What it found, without its details.
     */
    report: Report,
  }
  /**
   * What one run is asked.
   */
  export interface Request {
    /**
     * Name of the check in the configuration.
     */
    check: string,
    /**
     * One of the kinds that `describe` names.
     */
    kind: string,
    /**
     * Validated against the kind's schema, at most 64 KiB. A secret is a placeholder made for this run; the host fills in
     * that exact text on the way out and puts it back into URLs on the way in.
     */
    config: Json,
    /**
     * When this run was due, or asked for by hand. It may have begun later.
     */
    scheduledAt: TimestampMs,
    /**
     * The run is ended this many milliseconds after it began.
     */
    timeoutMs: number,
    /**
     * 1 for the first try at this state, 2 for the next, ...
     */
    attempt: number,
    /**
     * The target, where the check fans out over several.
     */
    target?: string,
    /**
     * The check's labels in the configuration.
     */
    labels: Array<Label>,
    /**
     * The last run that gave a report.
     */
    previous?: Earlier,
    /**
     * Room to grow.
     */
    extras: Array<Label>,
  }
}

declare module 'sickbay:plugin/files@0.1.0' {
  /**
   * Of the name itself, not of what a link points to.
   */
  export function readInfo(path: string): FileInfo;
  /**
   * By name, at most 1000 from the first name after `after`.
   */
  export function readDirectory(path: string, after: string | undefined): Array<FileInfo>;
  /**
   * At most 1 MiB; empty at the end.
   */
  export function readBytes(path: string, offset: bigint, bytesMax: number): Uint8Array;
  /**
   * Room on the file system that holds `path`.
   */
  export function readSpace(path: string): Space;
  /**
   * These need `mode = "rw"`.
   */
  export function createDirectory(path: string): void;
  /**
   * A file, a link, or an empty directory.
   */
  export function remove(path: string): void;
  /**
   * Permission bits only, no set-user, set-group or sticky bit.
   */
  export function setMode(path: string, mode: number): void;
  export type Denial = import('sickbay:plugin/types@0.1.0').Denial;
  export type TimestampMs = import('sickbay:plugin/types@0.1.0').TimestampMs;
  /**
   * Why a file could not be used.
   */
  export type FileError =
    | {
      /**
       * Outside the grants, or writing where the grant is read-only.
       */
      tag: 'denied',
      val: Denial,
    }
    | {
      /**
       * A path that is none, a bound that was passed, or a granted folder that the host cannot enter.
       */
      tag: 'invalid',
      val: string,
    }
    | {
      /**
       * A quota of this run is used up; names it.
       */
      tag: 'quota',
      val: string,
    }
    | {
      /**
       * Nothing has that name.
       */
      tag: 'not-found',
      val: string,
    }
    | {
      /**
       * The operating system refused it to the host.
       */
      tag: 'refused',
      val: string,
    }
    | {
      /**
       * Anything else, for a person.
       */
      tag: 'other',
      val: string,
    };
  /**
   * One name and what is behind it. A link is not followed.
   */
  export interface FileInfo {
    /**
     * The last part of the path.
     */
    name: string,
    /**
     * `file`, `directory`, `link`, or another word.
     */
    kind: string,
    /**
     * Of a file; of anything else what the system says.
     */
    sizeBytes: bigint,
    /**
     * When its content last changed.
     */
    modifiedAt: TimestampMs,
    /**
     * Permission bits: 0o640 is 416.
     */
    mode: number,
    /**
     * By the host's user.
     */
    writable: boolean,
    /**
     * Another value when the name went to another file: the log was rotated.
     */
    identity: string,
  }
  /**
   * Room on the file system that holds a path.
   */
  export interface Space {
    /**
     * Bytes in all.
     */
    totalBytes: number,
    /**
     * Bytes that an ordinary user may still write.
     */
    availableBytes: number,
    /**
     * Files in all; 0 where the file system does not count them.
     */
    inodesTotal: number,
    /**
     * Files that can still be made.
     */
    inodesFree: number,
  }
}

declare module 'sickbay:plugin/http@0.1.0' {
  /**
   * A 101 is an answer (no body; the connection is closed), so a WebSocket upgrade can be checked with it.
   */
  export function send(request: Request, options: Options): Response;
  /**
   * At most 16, all at once, answers in order.
   */
  export function sendMany(requests: Array<Request>, options: Options): Array<Result<Response, HttpError>>;
  export type Denial = import('sickbay:plugin/types@0.1.0').Denial;
  export type Label = import('sickbay:plugin/types@0.1.0').Label;
  export type Timings = import('sickbay:plugin/types@0.1.0').Timings;
  export type TlsSession = import('sickbay:plugin/types@0.1.0').TlsSession;
  /**
   * One header of a request or an answer.
   */
  export interface Header {
    /**
     * Any case. A request must not set what belongs to the connection or the framing (`host`, `connection`, `content-length`, `transfer-encoding`, ...).
     */
    name: string,
    /**
     * Bytes above 0x7f as ISO-8859-1.
     */
    value: string,
  }
  /**
   * One request. Placeholders of secrets in the URL, a header or the body are filled in by the host.
   */
  export interface Request {
    /**
     * In capitals: `GET`. Not `CONNECT`.
     */
    method: string,
    /**
     * At most 8 KiB.
     */
    url: string,
    /**
     * At most 64, 32 KiB in all.
     */
    headers: Array<Header>,
    /**
     * At most 1 MiB.
     */
    body?: Uint8Array,
  }
  /**
   * How the exchange goes.
   */
  export interface Options {
    /**
     * Whole exchange; never past the run's own deadline.
     */
    timeoutMs?: number,
    /**
     * 0 answers the redirect itself. At most 10.
     */
    redirectsMax: number,
    /**
     * At most 1 MiB, 64 KiB where absent; the rest is not read.
     */
    bodyBytesMax?: number,
    /**
     * Use a kept connection when there is one. Checks want `false`: they test the connection too. This host keeps none: it changes nothing.
     */
    reuse: boolean,
    /**
     * Go on with a certificate that is not trusted; `tls.untrusted` says why.
     */
    acceptUntrusted: boolean,
    /**
     * Dial this instead of the URL's host: `10.0.0.7:443` (one backend), `unix:/run/docker.sock`. Needs its own `net` grant beside that of
     * the URL: `tcp://` (`tls://` where the URL is https), or `unix://`. `host` and the name in the certificate stay the URL's. A redirect
     * to another origin is dialled as it is written. No secret is sent there in plain.
     */
    connectTo?: string,
    /**
     * Room to grow; unknown names are ignored.
     */
    extras: Array<Label>,
  }
  /**
   * One redirect that was followed.
   */
  export interface Redirect {
    /**
     * 300 to 399.
     */
    status: number,
    /**
     * The URL that answered with this redirect.
     */
    url: string,
    /**
     * No cookie is kept: what was set on the way is only here.
     */
    headers: Array<Header>,
  }
  /**
   * A whole answer. Any status is an answer, also 500.
   */
  export interface Response {
    /**
     * 100 to 999; 101 for an upgrade.
     */
    status: number,
    /**
     * `HTTP/1.1`
     */
    version: string,
    /**
     * Names in lower case; a name may come more than once.
     */
    headers: Array<Header>,
    /**
     * Decoded from its transfer coding, at most `body-bytes-max`. Content codings (`gzip`) are left as they are.
     */
    body: Uint8Array,
    /**
     * The body went on after `body-bytes-max`.
     */
    truncated: boolean,
    /**
     * The URL that gave this answer: after redirects the last one. Secrets are placeholders again.
     */
    url: string,
    /**
     * Redirects that were followed, first one first.
     */
    redirects: Array<Redirect>,
    /**
     * `total-us` covers every redirect; the phases are those of the last request.
     */
    timings: Timings,
    /**
     * Address and port that answered: `10.0.0.7:443`. Absent for a UNIX socket.
     */
    peer?: string,
    /**
     * Absent without TLS.
     */
    tls?: TlsSession,
    /**
     * Room to grow.
     */
    extras: Array<Label>,
  }
  /**
   * Why there is no answer. Messages name at most host and port, never a credential.
   */
  export type HttpError =
    | {
      /**
       * No grant allows this URL, or the name resolves to no address that may be reached.
       */
      tag: 'denied',
      val: Denial,
    }
    | {
      /**
       * The request breaks a bound or is none: a URL that cannot be read, a line break in a header.
       */
      tag: 'invalid',
      val: string,
    }
    | {
      /**
       * A quota of this run is used up; names it.
       */
      tag: 'quota',
      val: string,
    }
    | {
      /**
       * The name does not resolve.
       */
      tag: 'dns',
      val: string,
    }
    | {
      /**
       * The port is closed.
       */
      tag: 'refused',
      val: string,
    }
    | {
      /**
       * No connection came about for another reason: unreachable, reset.
       */
      tag: 'connect',
      val: string,
    }
    | {
      /**
       * The handshake failed, or the certificate is not trusted: tells why.
       */
      tag: 'tls',
      val: string,
    }
    | {
      /**
       * Names the phase.
       */
      tag: 'timeout',
      val: string,
    }
    | {
      /**
       * What came is not HTTP, or ended early.
       */
      tag: 'protocol',
      val: string,
    }
    | {
      /**
       * Anything else, for a person.
       */
      tag: 'other',
      val: string,
    };
  export type Result<T, E> = { tag: 'ok', val: T } | { tag: 'err', val: E };
}

declare module 'sickbay:plugin/log@0.1.0' {
  /**
   * One line: `message` at most 4 KiB, `fields` bounded as labels are. What is longer is cut.
   */
  export function write(level: Level, message: string, fields: Array<Label>): void;
  export type Label = import('sickbay:plugin/types@0.1.0').Label;
  /**
   * How much a line matters.
   * # Variants
   *
   * ## `"trace"`
   *
   * Every step, for whoever writes the plugin.
   * ## `"debug"`
   *
   * Details of one run.
   * ## `"info"`
   *
   * Worth reading in normal operation.
   * ## `"warn"`
   *
   * Something is odd and the run went on.
   * ## `"error"`
   *
   * Something failed.
   */
  export type Level = 'trace' | 'debug' | 'info' | 'warn' | 'error';
}

declare module 'sickbay:plugin/net@0.1.0' {
  /**
   * A port is open when this is ok.
   */
  export function connect(target: Target): Connection;
  /**
   * `kind`: A, AAAA, CNAME, MX, TXT, SRV, NS, ...
   */
  export function dnsResolve(name: string, kind: string): DnsAnswer;
  export type Denial = import('sickbay:plugin/types@0.1.0').Denial;
  export type Label = import('sickbay:plugin/types@0.1.0').Label;
  export type Timings = import('sickbay:plugin/types@0.1.0').Timings;
  export type TlsSession = import('sickbay:plugin/types@0.1.0').TlsSession;
  /**
   * Why a connection, an exchange or a lookup failed.
   */
  export type NetError =
    | {
      /**
       * No grant allows this target, or the name resolves to no address that may be reached.
       */
      tag: 'denied',
      val: Denial,
    }
    | {
      /**
       * The target or a bound is wrong, or the connection is closed already.
       */
      tag: 'invalid',
      val: string,
    }
    | {
      /**
       * A quota of this run is used up; names it.
       */
      tag: 'quota',
      val: string,
    }
    | {
      /**
       * The name does not resolve.
       */
      tag: 'dns',
      val: string,
    }
    | {
      /**
       * The port is closed.
       */
      tag: 'refused',
      val: string,
    }
    | {
      /**
       * No connection came about for another reason: unreachable, reset.
       */
      tag: 'connect',
      val: string,
    }
    | {
      /**
       * The handshake failed, or the certificate is not trusted: tells why.
       */
      tag: 'tls',
      val: string,
    }
    | {
      /**
       * Names the phase.
       */
      tag: 'timeout',
      val: string,
    }
    | {
      /**
       * The peer closed before the answer was whole.
       */
      tag: 'closed',
      val: string,
    }
    | {
      /**
       * Anything else, for a person.
       */
      tag: 'other',
      val: string,
    };
  /**
   * Where to connect and how.
   */
  export interface Target {
    /**
     * `host:port` or `unix:/path`
     */
    address: string,
    /**
     * From the first byte.
     */
    tls: boolean,
    /**
     * For SNI and the certificate, where it is not the host of `address`.
     */
    serverName?: string,
    /**
     * Go on with a certificate that is not trusted; `tls.untrusted` says why.
     */
    acceptUntrusted: boolean,
    /**
     * Connecting, with TLS.
     */
    timeoutMs?: number,
    /**
     * Room to grow; unknown names are ignored.
     */
    extras: Array<Label>,
  }
  /**
   * A connection that stands.
   */
  export interface Opened {
    /**
     * Address and port that answered, or the path of the UNIX socket.
     */
    peer: string,
    /**
     * Of the lookup, the connection and the handshake.
     */
    timings: Timings,
    /**
     * Absent without TLS.
     */
    tls?: TlsSession,
  }
  /**
   * What a lookup found.
   */
  export interface DnsAnswer {
    /**
     * The records as text, in the order they came, at most 256: `10 mail.example.com`.
     */
    records: Array<string>,
    /**
     * The lowest time to live among them, where it is known.
     */
    ttlSeconds?: number,
    /**
     * Microseconds of the lookup.
     */
    elapsedUs: number,
  }

  export class Connection implements Disposable {
    /**
     * This type does not have a public constructor.
     */
    private constructor();
    /**
    * What is known since `connect`; a later `start-tls` does not change it.
    */
    opened(): Opened;
    /**
    * At most 1 MiB. Placeholders of secrets are filled in.
    */
    send(bytes: Uint8Array): void;
    /**
    * Up to and with `until`; where that is empty, exactly `bytes-max`, fewer when the peer closed. At most 1 MiB. It never ends within
    * a secret, of which it has the placeholder: then it is longer.
    */
    receive(until: Uint8Array, bytesMax: number, timeoutMs: number | undefined): Uint8Array;
    /**
    * STARTTLS: from here on it is encrypted. Refused while unread bytes are held.
    */
    startTls(): TlsSession;
    [Symbol.dispose](): void;
  }
}

declare module 'sickbay:plugin/plugin@0.1.0' {
  /**
   * The same answer each time. A description that breaks a bound refuses the plugin; the last good version stays.
   */
  export function describe(): Descriptor;
  export type Json = import('sickbay:plugin/types@0.1.0').Json;
  export type Label = import('sickbay:plugin/types@0.1.0').Label;
  export type MetricKind = import('sickbay:plugin/types@0.1.0').MetricKind;
  export type FailureKind = import('sickbay:plugin/types@0.1.0').FailureKind;
  /**
   * A grant that a kind needs. Advice for the operator: every call is authorised regardless.
   */
  export interface Need {
    /**
     * Name of the interface: `postgres`.
     */
    capability: string,
    /**
     * For a person: "reads pg_stat_activity".
     */
    reason: string,
    /**
     * A line of TOML that grants it, with `{NAME}` for a key of the configuration: `http = ["GET {url}"]`.
     */
    grant: string,
  }
  /**
   * One metric that a kind may report.
   */
  export interface MetricInfo {
    /**
     * As in `metric`, or the start of it and `*`.
     */
    name: string,
    /**
     * Gauge or counter.
     */
    kind: MetricKind,
    /**
     * As in `metric`.
     */
    unit: string,
    /**
     * One line for a person, at most 512 bytes.
     */
    summary: string,
  }
  /**
   * One thing that this plugin can do: a kind of check, recovery or sink.
   */
  export interface Kind {
    /**
     * What the configuration writes as `kind = "..."`: `[a-z0-9-]+`, at most 64 bytes, once in its list.
     */
    name: string,
    /**
     * One line for a person, at most 512 bytes.
     */
    summary: string,
    /**
     * JSON Schema (2020-12) of `config`, a JSON object of at most 64 KiB; the host validates against it before anything starts.
     */
    configSchema: Json,
    /**
     * A small configuration that works, shown by `inspect` and `new`.
     */
    example: Json,
    /**
     * At most 32.
     */
    needs: Array<Need>,
    /**
     * What a check reports, at most 256: conditions are validated against it. Ends with `*` where the rest depends on the configuration.
     */
    metrics: Array<MetricInfo>,
    /**
     * What a check may report, or a recovery can heal. At most 64.
     */
    failures: Array<FailureKind>,
    /**
     * Room to grow. Of a sink `tells` = `acknowledgements`: its receiver wants to hear by itself that a person took an incident.
     */
    extras: Array<Label>,
  }
  /**
   * What a plugin is and offers. At most 64 kinds of each sort.
   */
  export interface Descriptor {
    /**
     * `[a-z0-9-]+`, at most 64 bytes.
     */
    name: string,
    /**
     * Semantic version of the plugin itself, at most 64 bytes.
     */
    version: string,
    /**
     * One line for a person, at most 512 bytes.
     */
    summary: string,
    /**
     * Kinds that `check.run` serves.
     */
    checks: Array<Kind>,
    /**
     * Kinds that `recovery.plan` and `recovery.act` serve.
     */
    recoveries: Array<Kind>,
    /**
     * Kinds that `sink.deliver` serves.
     */
    sinks: Array<Kind>,
    /**
     * Where to read more.
     */
    homepage?: string,
    /**
     * SPDX expression: `Apache-2.0`.
     */
    licence?: string,
    /**
     * Room to grow.
     */
    extras: Array<Label>,
  }
}

declare module 'sickbay:plugin/postgres@0.1.0' {
  /**
   * One statement. Without `access = "read-write"` in a read-only transaction, with it in none (`VACUUM` works).
   * Read-only does not stop functions with effects (`pg_terminate_backend`): the source's role must.
   */
  export function run(source: string, query: Query): RowSet;
  /**
   * At most 32 statements in one transaction on one connection, read-only as in `run`; all or none, stops at the first error.
   */
  export function runMany(source: string, queries: Array<Query>): Array<RowSet>;
  /**
   * The simple protocol, values as text: PgBouncer's console speaks only this. One statement, parsed by the host;
   * without `access = "read-write"` only `SHOW` and a word.
   */
  export function runSimple(source: string, sql: string, timeoutMs: number | undefined): RowSet;
  export type Denial = import('sickbay:plugin/types@0.1.0').Denial;
  /**
   * A value whose type has no arm of its own.
   */
  export interface OtherValue {
    /**
     * PostgreSQL's name of the type.
     */
    typeName: string,
    /**
     * As PostgreSQL prints it.
     */
    text: string,
  }
  /**
   * One value of a row or a parameter.
   */
  export type Value =
    | {
      /**
       * SQL `NULL`, of any type.
       */
      tag: 'null',
    }
    | {
      /**
       * `boolean`
       */
      tag: 'boolean',
      val: boolean,
    }
    | {
      /**
       * `smallint`, `integer`, `bigint`, `oid`
       */
      tag: 'int',
      val: bigint,
    }
    | {
      /**
       * `real`, `double precision`
       */
      tag: 'float',
      val: number,
    }
    | {
      /**
       * `numeric`, exact, as text.
       */
      tag: 'numeric',
      val: string,
    }
    | {
      /**
       * `text`, `varchar`, `char`, `name`, enums
       */
      tag: 'text',
      val: string,
    }
    | {
      /**
       * `bytea`
       */
      tag: 'bytes',
      val: Uint8Array,
    }
    | {
      /**
       * `json`, `jsonb`
       */
      tag: 'json',
      val: string,
    }
    | {
      /**
       * `uuid`, in lower case with dashes
       */
      tag: 'uuid',
      val: string,
    }
    | {
      /**
       * Microseconds since 1970-01-01T00:00:00Z.
       */
      tag: 'timestamp-us',
      val: bigint,
    }
    | {
      /**
       * `date` as `YYYY-MM-DD`
       */
      tag: 'date',
      val: string,
    }
    | {
      /**
       * `time` as `HH:MM:SS.ffffff`
       */
      tag: 'time',
      val: string,
    }
    | {
      /**
       * Microseconds; months count 30 days.
       */
      tag: 'interval-us',
      val: bigint,
    }
    | {
      /**
       * An array of a simple type, as JSON.
       */
      tag: 'list-json',
      val: string,
    }
    | {
      /**
       * Any other type or value (`infinity`), as text.
       */
      tag: 'other',
      val: OtherValue,
    };
  /**
   * One column of an answer.
   */
  export interface Column {
    /**
     * As the statement names it; need not be unique.
     */
    name: string,
    /**
     * PostgreSQL's name of the type.
     */
    typeName: string,
  }
  /**
   * One value per column.
   */
  export type Row = Array<Value>;
  /**
   * What one statement answered.
   */
  export interface RowSet {
    /**
     * From the prepared statement: there also when no row came.
     */
    columns: Array<Column>,
    /**
     * At most `rows_max` of the grant.
     */
    rows: Array<Row>,
    /**
     * More rows or bytes than the grant allows were there.
     */
    truncated: boolean,
    /**
     * Rows that the statement changed; 0 for one that reads.
     */
    affected: bigint,
    /**
     * Microseconds from sending the statement to its last row.
     */
    elapsedUs: number,
  }
  /**
   * One statement with its parameters (`$1`, `$2`, ...).
   */
  export interface Query {
    /**
     * At most 64 KiB.
     */
    sql: string,
    /**
     * At most 256, 1 MiB in all.
     */
    params: Array<Value>,
    /**
     * Never past the run's own deadline, nor the source's `statement_timeout`.
     */
    timeoutMs?: number,
  }
  /**
   * The server's own refusal.
   */
  export interface ServerError {
    /**
     * Five characters: `42P01`.
     */
    sqlstate: string,
    /**
     * `ERROR`, `FATAL`, `PANIC`
     */
    severity: string,
    /**
     * The server's main message, cut at 1 KiB.
     */
    message: string,
    /**
     * The server's detail, cut at 1 KiB.
     */
    detail?: string,
  }
  /**
   * No message names a host, a user or a database.
   */
  export type PostgresError =
    | {
      /**
       * Also for a source that does not exist.
       */
      tag: 'denied',
      val: Denial,
    }
    | {
      /**
       * Also: more than one statement, or `BEGIN`, `COMMIT`, `SET`, `COPY` and other statements that change the session.
       */
      tag: 'invalid',
      val: string,
    }
    | {
      /**
       * A quota of this run is used up; names it.
       */
      tag: 'quota',
      val: string,
    }
    | {
      /**
       * The server cannot be reached.
       */
      tag: 'connect',
      val: string,
    }
    | {
      /**
       * The server refused the source's credentials.
       */
      tag: 'authentication',
      val: string,
    }
    | {
      /**
       * The server has no connection left. Waiting for Sickbay's own pool is `quota`.
       */
      tag: 'too-many-connections',
      val: string,
    }
    | {
      /**
       * The statement or the connection took too long; names which.
       */
      tag: 'timeout',
      val: string,
    }
    | {
      /**
       * The server refused the statement.
       */
      tag: 'server',
      val: ServerError,
    }
    | {
      /**
       * Anything else, for a person.
       */
      tag: 'other',
      val: string,
    };
}

declare module 'sickbay:plugin/recovery@0.1.0' {
  /**
   * At most 16 steps. Grants are narrowed: HTTP `GET` and `HEAD`, Redis commands flagged read-only, PostgreSQL read-only, files read-only, no `net`.
   */
  export function plan(request: Request): Array<Action>;
  /**
   * One step, as it was planned and approved. Grants are whole.
   */
  export function act(request: Request, action: Action): Progress;
  /**
   * How a step that is `running` is doing; may be called any number of times. Grants as in `plan`.
   */
  export function follow(request: Request, action: Action, token: Json): Progress;
  export type Json = import('sickbay:plugin/types@0.1.0').Json;
  export type TimestampMs = import('sickbay:plugin/types@0.1.0').TimestampMs;
  export type Label = import('sickbay:plugin/types@0.1.0').Label;
  export type Report = import('sickbay:plugin/types@0.1.0').Report;
  export type Failure = import('sickbay:plugin/types@0.1.0').Failure;
  export type FailureKind = import('sickbay:plugin/types@0.1.0').FailureKind;
  export type Severity = import('sickbay:plugin/types@0.1.0').Severity;
  /**
   * What is to be healed.
   */
  export interface Incident {
    /**
     * Stable for one firing episode.
     */
    id: string,
    /**
     * Name of the check in the configuration.
     */
    check: string,
    /**
     * The target, where the check fans out over several.
     */
    target?: string,
    /**
     * The failure kind of the last report that had one.
     */
    failure?: FailureKind,
    /**
     * The alert's severity.
     */
    severity: Severity,
    /**
     * When the check became bad for good.
     */
    since: TimestampMs,
    /**
     * Failed runs in a row, this one included.
     */
    consecutiveFailures: number,
    /**
     * The labels of the alert.
     */
    labels: Array<Label>,
    /**
     * The report that the incident rests on, without its details.
     */
    lastReport: Report,
    /**
     * Room to grow.
     */
    extras: Array<Label>,
  }
  /**
   * One step that would be taken. Shown as it is by dry runs and approvals.
   */
  export interface Action {
    /**
     * Stable for the same step on the same target: the host never starts it twice for one incident unless `idempotent`.
     */
    id: string,
    /**
     * One line for a person who approves it, at most 512 bytes.
     */
    title: string,
    /**
     * What it acts on: a process id, a service, a pod. At most 512 bytes.
     */
    target: string,
    /**
     * Doing it twice does no more than doing it once.
     */
    idempotent: boolean,
    /**
     * Handed back to `act` unchanged.
     */
    parameters: Json,
    /**
     * Room to grow.
     */
    extras: Array<Label>,
  }
  /**
   * How a step ended.
   */
  export interface Outcome {
    /**
     * The step did what it was to do; whether the check is well again is for the check to say.
     */
    success: boolean,
    /**
     * One line for a person, at most 512 bytes.
     */
    reason: string,
    /**
     * What was really done, one line each.
     */
    actions: Array<string>,
    /**
     * What a person should do next.
     */
    recommendation?: string,
    /**
     * A JSON object, at most 64 KiB.
     */
    details?: Json,
    /**
     * Room to grow.
     */
    extras: Array<Label>,
  }
  /**
   * What a recovery is asked.
   */
  export interface Request {
    /**
     * Name of the recovery in the configuration.
     */
    recovery: string,
    /**
     * One of the kinds that `describe` names.
     */
    kind: string,
    /**
     * Validated against the kind's schema, at most 64 KiB.
     */
    config: Json,
    /**
     * The call is ended this many milliseconds after it began.
     */
    timeoutMs: number,
    /**
     * What it is about.
     */
    incident: Incident,
    /**
     * The same key means the same step: an orchestrator may drop the second. Empty in `plan`.
     */
    idempotencyKey: string,
    /**
     * Room to grow.
     */
    extras: Array<Label>,
  }
  /**
   * A step that has not ended.
   */
  export interface Running {
    /**
     * Handed back to `follow`, also after a restart of the host. At most 4 KiB.
     */
    token: Json,
    /**
     * One line for a person, at most 512 bytes.
     */
    summary: string,
    /**
     * When to ask again, 1 second to 1 hour.
     */
    againAfterMs: number,
  }
  /**
   * How far a step is.
   */
  export type Progress =
    | {
      /**
       * It ended, well or not.
       */
      tag: 'done',
      val: Outcome,
    }
    | {
      /**
       * Started and not finished: a deployment, a restart.
       */
      tag: 'running',
      val: Running,
    };
}

declare module 'sickbay:plugin/redis@0.1.0' {
  /**
   * One command. `timeout-ms` never goes past the run's own deadline.
   */
  export function run(source: string, command: Command, timeoutMs: number | undefined): Reply;
  /**
   * One round trip, at most 256 commands, answers in order; an error reply is a node, not an error.
   */
  export function runMany(source: string, commands: Array<Command>, timeoutMs: number | undefined): Array<Reply>;
  export type Denial = import('sickbay:plugin/types@0.1.0').Denial;
  /**
   * A reply as a flat list in pre-order: an array of n is followed by its n elements.
   */
  export type Node =
    | {
      /**
       * No value.
       */
      tag: 'nil',
    }
    | {
      /**
       * An integer.
       */
      tag: 'int',
      val: bigint,
    }
    | {
      /**
       * A double (RESP3).
       */
      tag: 'float',
      val: number,
    }
    | {
      /**
       * A boolean (RESP3).
       */
      tag: 'boolean',
      val: boolean,
    }
    | {
      /**
       * A status: `OK`.
       */
      tag: 'simple',
      val: string,
    }
    | {
      /**
       * A string; bytes of any encoding.
       */
      tag: 'bulk',
      val: Uint8Array,
    }
    | {
      /**
       * An error reply: `WRONGTYPE ...`.
       */
      tag: 'failed',
      val: string,
    }
    | {
      /**
       * n nodes follow.
       */
      tag: 'array-of',
      val: number,
    }
    | {
      /**
       * n pairs follow: key, value, key, value, ...
       */
      tag: 'map-of',
      val: number,
    }
    | {
      /**
       * n nodes follow, in no order.
       */
      tag: 'set-of',
      val: number,
    }
    | {
      /**
       * Decimal digits of a number beyond 64 bits.
       */
      tag: 'big-number',
      val: string,
    }
    | {
      /**
       * Anything else, as text.
       */
      tag: 'other',
      val: string,
    };
  /**
   * One whole reply, at least one node. At most 100,000 nodes and the run's bytes.
   */
  export type Reply = Array<Node>;
  /**
   * A command and its arguments: `LLEN`, `celery`. At most 1,000 arguments, 1 MiB.
   */
  export type Command = Array<Uint8Array>;
  /**
   * Why there is no reply. No message names a host, a user or a password.
   */
  export type RedisError =
    | {
      /**
       * The grant does not allow this command or one of its keys. Also for a source that does not exist.
       */
      tag: 'denied',
      val: Denial,
    }
    | {
      /**
       * Also commands that change the connection: `SELECT`, `MULTI`, `SUBSCRIBE`, `MONITOR`, `CLIENT REPLY`, ...
       */
      tag: 'invalid',
      val: string,
    }
    | {
      /**
       * A quota of this run is used up; names it.
       */
      tag: 'quota',
      val: string,
    }
    | {
      /**
       * The server cannot be reached.
       */
      tag: 'connect',
      val: string,
    }
    | {
      /**
       * The server refused the source's credentials.
       */
      tag: 'authentication',
      val: string,
    }
    | {
      /**
       * No reply in time.
       */
      tag: 'timeout',
      val: string,
    }
    | {
      /**
       * Anything else, for a person.
       */
      tag: 'other',
      val: string,
    };
}

declare module 'sickbay:plugin/secrets@0.1.0' {
  /**
   * Tells when a secret changed, never what it is.
   */
  export function inspect(secret: string): SecretInfo;
  /**
   * One signature per active version, newest first. `algorithm`: `hmac-sha256`, `hmac-sha512`, `hmac-sha1`.
   * The key is `prefix` and then the secret (AWS: `AWS4`). At most 1 MiB of data.
   */
  export function sign(secret: string, algorithm: string, prefix: string, data: Uint8Array): Array<Uint8Array>;
  /**
   * A new placeholder for `text` in `encoding` (`base64`, `percent`) with the placeholders in it filled: HTTP Basic, SMTP AUTH.
   */
  export function encode(text: string, encoding: string): string;
  export type Denial = import('sickbay:plugin/types@0.1.0').Denial;
  export type TimestampMs = import('sickbay:plugin/types@0.1.0').TimestampMs;
  /**
   * Why a secret was not used.
   */
  export type SecretError =
    | {
      /**
       * Not granted. Also for a secret that does not exist.
       */
      tag: 'denied',
      val: Denial,
    }
    | {
      /**
       * An algorithm or encoding that is not known, or a bound that was passed.
       */
      tag: 'invalid',
      val: string,
    }
    | {
      /**
       * A quota of this run is used up; names it.
       */
      tag: 'quota',
      val: string,
    }
    | {
      /**
       * Anything else, for a person.
       */
      tag: 'other',
      val: string,
    };
  /**
   * What may be known of a secret.
   */
  export interface SecretInfo {
    /**
     * Where the host can know it.
     */
    changedAt?: TimestampMs,
    /**
     * 2 while one is being rotated.
     */
    versions: number,
  }
}

declare module 'sickbay:plugin/sink@0.1.0' {
  /**
   * Tells once. A trap or a run past its deadline counts as `retryable`.
   */
  export function deliver(request: Request): Receipt;
  export type Json = import('sickbay:plugin/types@0.1.0').Json;
  export type TimestampMs = import('sickbay:plugin/types@0.1.0').TimestampMs;
  export type Label = import('sickbay:plugin/types@0.1.0').Label;
  export type Severity = import('sickbay:plugin/types@0.1.0').Severity;
  export type Status = import('sickbay:plugin/types@0.1.0').Status;
  export type Evidence = import('sickbay:plugin/types@0.1.0').Evidence;
  export type FailureKind = import('sickbay:plugin/types@0.1.0').FailureKind;
  /**
   * Where an alert is in its life.
   * # Variants
   *
   * ## `"firing"`
   *
   * It is bad, newly or still.
   * ## `"acknowledged"`
   *
   * A person has taken it.
   * ## `"resolved"`
   *
   * It is well again.
   * ## `"other"`
   *
   * A later word, in the extra `phase`: answer ok and do nothing.
   */
  export type Phase = 'firing' | 'acknowledged' | 'resolved' | 'other';
  /**
   * One alert of a notification.
   */
  export interface Alert {
    /**
     * Stable for one firing episode: the receiver's key to thread or resolve by.
     */
    incidentId: string,
    /**
     * Name of the check in the configuration.
     */
    check: string,
    /**
     * The target, where the check fans out over several.
     */
    target?: string,
    /**
     * Of this alert; the notification has its own.
     */
    phase: Phase,
    /**
     * The check's status.
     */
    status: Status,
    /**
     * The failure kind of the last report that had one.
     */
    failure?: FailureKind,
    /**
     * The alert's severity.
     */
    severity: Severity,
    /**
     * One line for a person, at most 512 bytes.
     */
    summary: string,
    /**
     * The named reason of the transition.
     */
    reason: string,
    /**
     * What routing matched.
     */
    labels: Array<Label>,
    /**
     * When the incident began.
     */
    startedAt: TimestampMs,
    /**
     * When it was resolved.
     */
    endedAt?: TimestampMs,
    /**
     * What made it not ok, worst first.
     */
    evidence: Array<Evidence>,
    /**
     * Where to read more.
     */
    url?: string,
    /**
     * Room to grow.
     */
    extras: Array<Label>,
  }
  /**
   * What a sink is to tell, once.
   */
  export interface Notification {
    /**
     * The same key means the same notification: a receiver may drop the second.
     */
    idempotencyKey: string,
    /**
     * Key of the group that routing made.
     */
    group: string,
    /**
     * Firing while any of the alerts is.
     */
    phase: Phase,
    /**
     * The worst of the alerts.
     */
    severity: Severity,
    /**
     * At most 100; the extra `more` counts the rest.
     */
    alerts: Array<Alert>,
    /**
     * From the receipt of this sink's last delivery for the group: to thread, edit or resolve it.
     */
    reference?: string,
    /**
     * 1 for the first try at this delivery.
     */
    attempt: number,
    /**
     * Room to grow.
     */
    extras: Array<Label>,
  }
  /**
   * What a sink is asked.
   */
  export interface Request {
    /**
     * Name of the sink in the configuration.
     */
    sink: string,
    /**
     * One of the kinds that `describe` names.
     */
    kind: string,
    /**
     * Validated against the kind's schema, at most 64 KiB.
     */
    config: Json,
    /**
     * The call is ended this many milliseconds after it began.
     */
    timeoutMs: number,
    /**
     * What to tell.
     */
    notification: Notification,
    /**
     * Room to grow.
     */
    extras: Array<Label>,
  }
  /**
   * The receiver has it.
   */
  export interface Receipt {
    /**
     * What the receiver called it: a message id, a dedup key.
     */
    reference?: string,
    /**
     * Room to grow.
     */
    extras: Array<Label>,
  }
  /**
   * The receiver could not take it now.
   */
  export interface Retry {
    /**
     * For a person, at most 1 KiB.
     */
    message: string,
    /**
     * What the receiver asked for, where it asked.
     */
    afterMs?: number,
  }
  /**
   * Why the receiver does not have it.
   */
  export type DeliveryError =
    | {
      /**
       * Try again.
       */
      tag: 'retryable',
      val: Retry,
    }
    | {
      /**
       * Trying again cannot help.
       */
      tag: 'permanent',
      val: string,
    };
}

declare module 'sickbay:plugin/state@0.1.0' {
  /**
   * What was put under this key, by an earlier run or by this one.
   */
  export function get(key: string): Uint8Array | undefined;
  /**
   * An error names the bound that was passed.
   */
  export function put(key: string, value: Uint8Array): void;
  /**
   * Forgets a key; no matter whether it was there.
   */
  export function remove(key: string): void;
}

declare module 'sickbay:plugin/system@0.1.0' {
  /**
   * Grant: `cpu`.
   */
  export function readCpu(): Cpu;
  /**
   * Grant: `memory`.
   */
  export function readMemory(): Memory;
  /**
   * Grant: `load`.
   */
  export function readLoad(): Load;
  /**
   * Grant: `disk`. At most 256 mounts, pseudo file systems included.
   */
  export function readDisks(): Array<Disk>;
  /**
   * Grant: `io`. At most 256 devices.
   */
  export function readDiskIo(): Array<DiskIo>;
  /**
   * Grant: `processes:NAME`. Processes with exactly this name, at most 1000.
   */
  export function readProcesses(name: string): Array<Process>;
  /**
   * Grant: `listeners`. At most 1000.
   */
  export function readListeners(): Array<Listener>;
  /**
   * Grant: `files`.
   */
  export function readOpenFiles(): OpenFiles;
  export type Denial = import('sickbay:plugin/types@0.1.0').Denial;
  export type TimestampMs = import('sickbay:plugin/types@0.1.0').TimestampMs;
  /**
   * Why nothing was read.
   */
  export type SystemError =
    | {
      /**
       * Not granted.
       */
      tag: 'denied',
      val: Denial,
    }
    | {
      /**
       * Not on this operating system.
       */
      tag: 'unsupported',
      val: string,
    }
    | {
      /**
       * The system did not tell the host, for a person.
       */
      tag: 'other',
      val: string,
    };
  /**
   * How busy the processors are, all of them together.
   */
  export interface Cpu {
    /**
     * 0 to 1, mean over the last whole `window-ms`, sampled by the host: the same answer for every reader.
     */
    busyRatio: number,
    /**
     * 0 to 1, time in which a processor had nothing to do but wait for a disk; 0 where the system does not tell.
     */
    iowaitRatio: number,
    /**
     * Processors that are online.
     */
    cores: number,
    /**
     * Length of the window that the ratios are means over.
     */
    windowMs: number,
  }
  /**
   * Memory of the machine, not of Sickbay.
   */
  export interface Memory {
    /**
     * Memory in all.
     */
    totalBytes: number,
    /**
     * Memory that programs can still have without swapping; caches count as available.
     */
    availableBytes: number,
    /**
     * Swap space in all; 0 without any.
     */
    swapTotalBytes: number,
    /**
     * Swap space that is used.
     */
    swapUsedBytes: number,
  }
  /**
   * Processes that run or want to run, as exponentially damped means.
   */
  export interface Load {
    /**
     * Over 1 minute.
     */
    one: number,
    /**
     * Over 5 minutes.
     */
    five: number,
    /**
     * Over 15 minutes.
     */
    fifteen: number,
  }
  /**
   * One mounted file system.
   */
  export interface Disk {
    /**
     * Where it is mounted: `/var`.
     */
    mount: string,
    /**
     * What is mounted: `/dev/sda1`. Several mounts may share it.
     */
    device: string,
    /**
     * Its type: `ext4`, `tmpfs`.
     */
    fileSystem: string,
    /**
     * Bytes in all.
     */
    totalBytes: number,
    /**
     * Bytes that an ordinary user may still write.
     */
    availableBytes: number,
    /**
     * Files in all; 0 where the file system does not count them.
     */
    inodesTotal: number,
    /**
     * Files that can still be made.
     */
    inodesFree: number,
    /**
     * Mounted read-only, by choice or after an error.
     */
    readOnly: boolean,
  }
  /**
   * Counted since boot.
   */
  export interface DiskIo {
    /**
     * Name of the block device: `sda`.
     */
    device: string,
    /**
     * Bytes read from it.
     */
    readBytes: number,
    /**
     * Bytes written to it.
     */
    writtenBytes: number,
    /**
     * Seconds in which it had at least one request to work on.
     */
    busySeconds: number,
  }
  /**
   * One process.
   */
  export interface Process {
    /**
     * Its number.
     */
    pid: number,
    /**
     * Its short name; Linux keeps 15 bytes.
     */
    name: string,
    /**
     * Memory it holds, shared pages included.
     */
    residentBytes: number,
    /**
     * Processor time it has used, user and system together.
     */
    cpuSeconds: number,
    /**
     * When it started.
     */
    startedAt: TimestampMs,
  }
  /**
   * One socket that waits for peers.
   */
  export interface Listener {
    /**
     * `tcp`, `udp`
     */
    protocol: string,
    /**
     * Address it is bound to: `0.0.0.0`, `::1`.
     */
    address: string,
    /**
     * 1 to 65535.
     */
    port: number,
    /**
     * Where the host may see it.
     */
    process?: string,
  }
  /**
   * Open files of the whole machine.
   */
  export interface OpenFiles {
    /**
     * Files that are open.
     */
    open: number,
    /**
     * Files that may be open at once.
     */
    maximum: number,
  }
}

declare module 'sickbay:plugin/types@0.1.0' {
  /**
   * UTF-8 JSON text. Bounds are the host's (see each use); a host refuses longer text, it never cuts it silently.
   */
  export type Json = string;
  /**
   * Milliseconds since 1970-01-01T00:00:00Z.
   */
  export type TimestampMs = bigint;
  /**
   * The four states of a check. `unknown` comes first so that a report nobody filled in (Go, C) is not `ok`.
   * The host takes the worse of this and its own conditions.
   * # Variants
   *
   * ## `"unknown"`
   *
   * The target answered, and its answer cannot be judged (yet). Pages nobody.
   * ## `"ok"`
   *
   * The target answered as it should.
   * ## `"warning"`
   *
   * It works and needs attention.
   * ## `"critical"`
   *
   * Also when the target refused, timed out or answered wrongly.
   */
  export type Status = 'unknown' | 'ok' | 'warning' | 'critical';
  /**
   * One named text: a label, an extra, a field of a log line. Name at most 64 bytes, value 1 KiB, a list 32.
   */
  export interface Label {
    /**
     * Not empty. Of a metric: `[a-zA-Z_][a-zA-Z0-9_]*`, none of `check`, `metric`, `le`, `quantile`, not beginning with `__`.
     */
    name: string,
    /**
     * Any text; where it is shown as one line, control characters become spaces.
     */
    value: string,
  }
  /**
   * How a number behaves over time.
   * # Variants
   *
   * ## `"gauge"`
   *
   * May go up and down.
   * ## `"counter"`
   *
   * Only grows, except when the thing counted restarts.
   */
  export type MetricKind = 'gauge' | 'counter';
  /**
   * One number. The host exports it as `sickbay_check_metric` and offers it to conditions as `report.metrics.NAME`.
   */
  export interface Metric {
    /**
     * `[a-z_][a-z0-9_]*`, at most 64 bytes, base unit last: `latency_seconds`, `used_bytes`, `hit_ratio`.
     */
    name: string,
    /**
     * A double, as conditions see it.
     */
    value: number,
    /**
     * Gauge or counter.
     */
    kind: MetricKind,
    /**
     * Base unit: `seconds`, `bytes`, `ratio` (0 to 1), or empty for a plain count.
     */
    unit: string,
    /**
     * What tells series of one name apart (`mount`, `device`). Each label once.
     */
    labels: Array<Label>,
  }
  /**
   * Why a check is not ok, as an open word that recoveries are matched by:
   * `connection`, `too-many-connections`, `timeout`, `authentication`, `capacity`, `memory`, `disk`, `file-system`, `replication`,
   * `latency`, `content`, `certificate`, `expired`, `configuration`, ... Lower case, `-` between words, at most 64 bytes.
   */
  export type FailureKind = string;
  /**
   * What was measured against what was allowed.
   */
  export interface Evidence {
    /**
     * Empty where no metric is behind it.
     */
    metric: string,
    /**
     * What was measured, as text for a person; cut at 1 KiB.
     */
    actual: string,
    /**
     * What would have been well, as text for a person; cut at 1 KiB.
     */
    expected: string,
    /**
     * As in `metric`.
     */
    unit: string,
  }
  /**
   * What one run found.
   */
  export interface Report {
    /**
     * What the check thinks of its target.
     */
    status: Status,
    /**
     * One line for a person, at most 512 bytes.
     */
    summary: string,
    /**
     * Set when `status` is not ok.
     */
    failure?: FailureKind,
    /**
     * At most 256, each name with its labels once; one that is not finite is dropped and counted.
     */
    metrics: Array<Metric>,
    /**
     * What made it not ok, worst first, at most 8. The host adds its own conditions.
     */
    evidence: Array<Evidence>,
    /**
     * Anything worth keeping with the result: a JSON object, at most 64 KiB.
     */
    details?: Json,
    /**
     * Room to grow without changing this record. Names without a dot are this package's.
     */
    extras: Array<Label>,
  }
  /**
   * Ours, not the target's: a denial, a quota, a wrong configuration, a defect. The host records `unknown` and tells
   * the plugin's owner. Errors `denied`, `invalid` and `quota` of a capability belong here, and every error of `system`, which has no
   * target that could be down; all others are the target's.
   */
  export interface Failure {
    /**
     * `denied`, `quota`, `configuration`, `internal`. No recovery is matched by it.
     */
    kind: FailureKind,
    /**
     * At most 1 KiB.
     */
    message: string,
    /**
     * Room to grow.
     */
    extras: Array<Label>,
  }
  /**
   * A capability said no. `hint` is the line of configuration that would allow it.
   */
  export interface Denial {
    /**
     * What was not allowed and why, for a person.
     */
    reason: string,
    /**
     * A line for the operator's configuration, or empty where no line would help.
     */
    hint: string,
  }
  /**
   * The value of the label `severity`: `P0` (worst) to `P3`, or the word that a foreign alert came with (`critical`, `page`). At most 64 bytes.
   */
  export type Severity = string;
  /**
   * Microseconds, at most 71 minutes; absent where the phase did not happen.
   */
  export interface Timings {
    /**
     * Looking the name up; absent for an address.
     */
    dnsUs?: number,
    /**
     * Opening the TCP or UNIX connection; absent on a kept connection.
     */
    connectUs?: number,
    /**
     * The TLS handshake; absent without TLS.
     */
    tlsUs?: number,
    /**
     * From sending the request to the first byte of the answer; absent where none is awaited.
     */
    firstByteUs?: number,
    /**
     * From the start of the exchange to its last byte, redirects included.
     */
    totalUs: number,
  }
  /**
   * One X.509 certificate as the server sent it.
   */
  export interface Certificate {
    /**
     * Distinguished name, as text: `CN=example.com`.
     */
    subject: string,
    /**
     * Distinguished name of who signed it, as text.
     */
    issuer: string,
    /**
     * DNS names and IP addresses it is for, at most 100.
     */
    dnsNames: Array<string>,
    /**
     * Valid from here on.
     */
    notBefore: TimestampMs,
    /**
     * Valid up to here.
     */
    notAfter: TimestampMs,
    /**
     * Fingerprint of the whole certificate: 64 lower-case hex digits.
     */
    sha256: string,
  }
  /**
   * What a TLS handshake agreed on.
   */
  export interface TlsSession {
    /**
     * `TLS 1.2`, `TLS 1.3`.
     */
    version: string,
    /**
     * IANA name of the cipher suite.
     */
    cipher: string,
    /**
     * Why the certificate would be refused (`expired`, `self-signed`, `wrong-name`, ...); absent when it is trusted.
     */
    untrusted?: string,
    /**
     * Leaf first, at most 8.
     */
    chain: Array<Certificate>,
  }
}
