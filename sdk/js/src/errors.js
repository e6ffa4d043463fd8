// Whose mistake a failed call was.
//
// "Unknown is not down": a service that refuses, hangs or answers wrongly is critical; a missing grant, a spent quota or a wrong
// configuration says nothing about the service, and the host records `unknown`.
//
// - `ServiceError`: what the *service* did. A check that lets it pass becomes a critical report with its failure kind.
// - `PluginError`: what the *plugin or its configuration* did. The run becomes a failure, which the host records as `unknown`.
// - Any other error is a defect of the plugin: a failure `internal`, with its stack in the log.

import { expectWord } from './words.js';

/** Anything that a call to the host can fail with. */
export class SickbayError extends Error {
  /**
   * @param {string} message
   * @param {ErrorOptions} [options]
   */
  constructor(message, options) {
    super(message, options);
    Object.defineProperty(this, 'name', { value: new.target.name, configurable: true });
  }
}

/** The service did it. `failure` is the word that recoveries are matched by. */
export class ServiceError extends SickbayError {
  /**
   * @param {string} failure
   * @param {string} message
   * @param {ErrorOptions} [options]
   */
  constructor(failure, message, options) {
    super(message, options);
    /** @readonly */
    this.failure = expectWord('failure kind', failure);
  }
}

/** The name does not resolve. */
export class DnsError extends ServiceError {
  /** @param {string} message @param {ErrorOptions} [options] */
  constructor(message, options) {
    super('dns', message, options);
  }
}

/** The port is closed. */
export class RefusedError extends ServiceError {
  /** @param {string} message @param {ErrorOptions} [options] */
  constructor(message, options) {
    super('refused', message, options);
  }
}

/** No connection came about for another reason, or nobody knows why. */
export class UnreachableError extends ServiceError {
  /** @param {string} message @param {ErrorOptions} [options] */
  constructor(message, options) {
    super('connection', message, options);
  }
}

/** The handshake failed, or the certificate is not trusted. */
export class TlsError extends ServiceError {
  /** @param {string} message @param {ErrorOptions} [options] */
  constructor(message, options) {
    super('tls', message, options);
  }
}

/** No answer in time; `timeoutMs` and the run's own deadline bound each call. */
export class TimeoutError extends ServiceError {
  /** @param {string} message @param {ErrorOptions} [options] */
  constructor(message, options) {
    super('timeout', message, options);
  }
}

/** What came is not what the protocol says, or ended early. */
export class ProtocolError extends ServiceError {
  /** @param {string} message @param {ErrorOptions} [options] */
  constructor(message, options) {
    super('protocol', message, options);
  }
}

/** The server refused the source's credentials. */
export class AuthenticationError extends ServiceError {
  /** @param {string} message @param {ErrorOptions} [options] */
  constructor(message, options) {
    super('authentication', message, options);
  }
}

/** The server has no connection left. */
export class TooManyConnectionsError extends ServiceError {
  /** @param {string} message @param {ErrorOptions} [options] */
  constructor(message, options) {
    super('too-many-connections', message, options);
  }
}

/** The service answered, and not what it should. */
export class ContentError extends ServiceError {
  /** @param {string} message @param {ErrorOptions} [options] */
  constructor(message, options) {
    super('content', message, options);
  }
}

// Statuses below 500 that ask to come again: with another credential, which can be mended, or later.
const PASSING = [401, 403, 407, 408, 425, 429];

/** An HTTP status that is not 2xx, by `response.expectOk()`. */
export class StatusError extends ContentError {
  /**
   * @param {string} message
   * @param {number} status
   * @param {{ retryAfterMs?: number | undefined }} [told]
   */
  constructor(message, status, { retryAfterMs } = {}) {
    super(message);
    /** @readonly */
    this.status = status;
    /** Where the service asked for it. @readonly */
    this.retryAfterMs = retryAfterMs;
  }

  /** Whether the same request would be refused again. */
  get isForGood() {
    return this.status >= 400 && this.status < 500 && !PASSING.includes(this.status);
  }
}

/** Nothing has that name. */
export class MissingFileError extends ServiceError {
  /** @param {string} message @param {ErrorOptions} [options] */
  constructor(message, options) {
    super('missing', message, options);
  }
}

/** The operating system refused a file to the host. */
export class FileSystemError extends ServiceError {
  /** @param {string} message @param {ErrorOptions} [options] */
  constructor(message, options) {
    super('file-system', message, options);
  }
}

/** The plugin, its configuration or its grants did it. */
export class PluginError extends SickbayError {
  /** What the host records: `denied`, `quota`, `configuration` or `internal`. */
  get kind() {
    return 'internal';
  }
}

/** A grant is missing. `hint` is the line of configuration that would allow it, or empty where none would help. */
export class DeniedError extends PluginError {
  /**
   * @param {string} reason
   * @param {string} [hint]
   */
  constructor(reason, hint = '') {
    super(hint === '' ? reason : `${reason}; hint: ${hint}`);
    /** @readonly */
    this.reason = reason;
    /** @readonly */
    this.hint = hint;
  }

  /** @override */
  get kind() {
    return 'denied';
  }
}

/** A quota of the run is used up. */
export class QuotaError extends PluginError {
  /** @override */
  get kind() {
    return 'quota';
  }
}

/** The configuration cannot be worked with, or the request breaks a bound. */
export class ConfigurationError extends PluginError {
  /** @override */
  get kind() {
    return 'configuration';
  }
}

/** A defect of the plugin, or an answer of the host that nothing can be judged by. */
export class InternalError extends PluginError {}

/** The receiver of a sink could not take it now; `afterMs` is what it asked for, where it asked. */
export class RetryableError extends SickbayError {
  /**
   * @param {string} message
   * @param {ErrorOptions & { afterMs?: number | undefined }} [options]
   */
  constructor(message, options = {}) {
    super(message, options);
    /** @readonly */
    this.afterMs = options.afterMs;
  }
}

/** The receiver of a sink refused it, and trying again cannot help. */
export class PermanentError extends SickbayError {}
