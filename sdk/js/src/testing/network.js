// TLS sessions of the scripted host.

/**
 * A session with one certificate, for `localhost`, that is good until then.
 * @param {Date} notAfter
 * @returns {import('../network.js').TlsSession}
 */
export function tlsUntil(notAfter) {
  const certificate = {
    subject: 'CN=localhost',
    issuer: 'CN=test',
    dnsNames: ['localhost'],
    notBefore: new Date(Date.UTC(2020, 0, 1)),
    notAfter,
    sha256: '00'.repeat(32),
  };
  return { version: 'TLS 1.3', cipher: 'TLS_AES_128_GCM_SHA256', untrusted: undefined, chain: [certificate] };
}

/**
 * @param {import('../network.js').TlsSession} session
 * @returns {import('sickbay:plugin/types@0.1.0').TlsSession}
 */
export function wireTlsSession({ version, cipher, untrusted, chain }) {
  const certificates = chain.map((certificate) => ({
    ...certificate,
    notBefore: BigInt(certificate.notBefore.getTime()),
    notAfter: BigInt(certificate.notAfter.getTime()),
  }));
  return { version, cipher, chain: certificates, ...(untrusted === undefined ? {} : { untrusted }) };
}
