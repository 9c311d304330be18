import type { ConnectionOptions } from 'node:tls'
import { DriverError } from '../../driver-error.ts'
import { readRegularFile } from '../../regular-file.ts'

/** Room for an authority's certificates, as a system has them, bytes. */
const MAX_BYTES = 1_048_576
/** How much TLS is wanted, as libpq means it (https://www.postgresql.org/docs/15/libpq-ssl.html), from none at all to a certificate made out to the host. */
export const SSL_MODES = ['disable', 'allow', 'prefer', 'require', 'verify-ca', 'verify-full'] as const
/** One of them. */
export type SslMode = (typeof SSL_MODES)[number]

/** What a URL says of TLS. */
export interface TlsSettings {
  readonly mode: SslMode
  /** Path of the certificates to believe, `system` or undefined: those that this machine believes. */
  readonly rootCert: string | undefined
  /** Paths of a certificate and its key to show to the server. */
  readonly cert: string | undefined
  readonly key: string | undefined
}

/** Whether a word is a mode. */
export function isSslMode(word: string): word is SslMode {
  return (SSL_MODES as readonly string[]).includes(word)
}

/**
 * What to try, the first first, until a server takes it: options of a TLS connection, or false for one in plain text.
 * Throws DriverError `invalid` for a file that can't be read.
 */
export function tlsAttempts({ mode, rootCert, cert, key }: TlsSettings): readonly (ConnectionOptions | false)[] {
  if (mode === 'disable') return [false]
  const ownRoots = rootCert !== undefined && rootCert !== 'system'
  const files: ConnectionOptions = {
    ...(ownRoots && { ca: read('sslrootcert', rootCert) }),
    ...(cert !== undefined && { cert: read('sslcert', cert) }),
    ...(key !== undefined && { key: read('sslkey', key) }),
  }
  const unverified: ConnectionOptions = { ...files, rejectUnauthorized: false }
  const issued: ConnectionOptions = { ...files, rejectUnauthorized: true, checkServerIdentity: () => undefined }
  switch (mode) {
    case 'allow':
      return [false, unverified]
    case 'prefer':
      return [unverified, false]
    case 'require':
      // whoever names the roots wants them to count, as with libpq
      return [ownRoots ? issued : unverified]
    case 'verify-ca':
      return [issued]
    case 'verify-full':
      return [{ ...files, rejectUnauthorized: true }]
  }
}

function read(name: string, path: string): string {
  try {
    return readRegularFile(path, MAX_BYTES).toString()
  } catch (cause) {
    throw new DriverError('invalid', `store: the file that ${name} names can't be read: ${path}`, { cause })
  }
}
