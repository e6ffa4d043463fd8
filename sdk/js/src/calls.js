// What a failed call to the host means. The contract's errors are variants, `{ tag, val }`; their names mean the same in every interface but
// for `OTHER_MEANINGS`.

import {
  AuthenticationError,
  ConfigurationError,
  DeniedError,
  DnsError,
  FileSystemError,
  InternalError,
  MissingFileError,
  ProtocolError,
  QuotaError,
  RefusedError,
  ServiceError,
  SickbayError,
  TimeoutError,
  TlsError,
  TooManyConnectionsError,
  UnreachableError,
} from './errors.js';

/** @typedef {(message: string) => SickbayError} Meaning */

/** @type {Record<string, Meaning>} */
const MEANINGS = {
  invalid: (message) => new ConfigurationError(message),
  quota: (message) => new QuotaError(message),
  dns: (message) => new DnsError(message),
  refused: (message) => new RefusedError(message),
  connect: (message) => new UnreachableError(message),
  tls: (message) => new TlsError(message),
  timeout: (message) => new TimeoutError(message),
  protocol: (message) => new ProtocolError(message),
  closed: (message) => new ProtocolError(message),
  authentication: (message) => new AuthenticationError(message),
  'too-many-connections': (message) => new TooManyConnectionsError(message),
  'not-found': (message) => new MissingFileError(message),
  unsupported: (message) => new ConfigurationError(message),
  other: (message) => new UnreachableError(message),
};

/** @type {Record<string, Record<string, Meaning>>} */
const OTHER_MEANINGS = {
  // A file is what a check is about: one that the system does not give is the target's state.
  files: { refused: (message) => new FileSystemError(message), other: (message) => new FileSystemError(message) },
  secrets: { other: (message) => new ServiceError('secret', message) },
  redis: {
    // The contract has no arm for it; the host's message names the setting that refused.
    connect: (message) => (message.includes('`maxclients`') ? new TooManyConnectionsError(message) : new UnreachableError(message)),
  },
  // The machine is no service that could refuse: what cannot be read cannot be judged.
  system: { other: (message) => new InternalError(message) },
};

/**
 * Calls the host. What it failed with is thrown as the error that it means.
 * @template T
 * @param {string} capability
 * @param {() => T} work
 * @param {(refusal: any) => SickbayError} [refused] What a refusal of the server itself means.
 * @returns {T}
 */
export function call(capability, work, refused) {
  try {
    return work();
  } catch (error) {
    throw meaning(capability, error, refused);
  }
}

/**
 * What an error of the contract means; anything else is itself.
 * @param {string} capability
 * @param {unknown} error
 * @param {(refusal: any) => SickbayError} [refused]
 */
export function meaning(capability, error, refused) {
  const variant = payloadOf(error);
  if (typeof variant !== 'object' || variant === null || !('tag' in variant)) return error;
  const { tag, val } = /** @type {{ tag: string, val: any }} */ (variant);
  if (tag === 'denied') return new DeniedError(val.reason, val.hint);
  if (tag === 'server' && refused) return refused(val);
  const means = OTHER_MEANINGS[capability]?.[tag] ?? MEANINGS[tag];
  return means ? means(String(val)) : new InternalError(`${tag}: ${val}`);
}

/**
 * What a call of the host failed with: engines throw it in an error's `payload`, or as it is.
 * @param {unknown} error
 */
export function payloadOf(error) {
  return typeof error === 'object' && error !== null && 'payload' in error ? error.payload : error;
}
