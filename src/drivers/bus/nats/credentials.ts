import { createSecureContext } from 'node:tls'
import { type Authenticator, credsAuthenticator } from '@nats-io/transport-node'
import { DriverError } from '../../driver-error.ts'
import { readRegularFile } from '../../regular-file.ts'
import type { NatsAddress } from './address.ts'

/** Room for an authority's certificates, as a system has them, bytes. */
const MAX_BYTES = 1_048_576
/** In a credentials file the user's JWT comes first, between two lines of dashes. */
const JWT = /-{3,}[^\n]*\r?\n\s*([\w-]+\.[\w-]+\.[\w-]+)/

/**
 * Says who we are by a credentials file (a user's JWT and seed, as `nsc` writes them). The file is read anew for each connection, so that a user who has
 * expired, or was revoked, is back as soon as the file holds another; while it can't be used, what it held before is tried.
 * @throws DriverError `invalid` for a file that can't be used at all, in words that say what to do
 */
export function credentialsIn(path: string): Authenticator {
  let current = readCredentials(path)
  return (nonce) => {
    try {
      current = readCredentials(path)
    } catch {
      // an authenticator that throws would end the connection for good
    }
    return current(nonce)
  }
}

/** Until when the user of a credentials file is valid, as the file says (ISO 8601); undefined where it doesn't. Proves nothing, throws nothing. */
export function validUntil(path: string): string | undefined {
  try {
    const [, jwt = ''] = JWT.exec(readRegularFile(path, MAX_BYTES).toString()) ?? []
    const { exp } = JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as { exp?: unknown }
    return typeof exp === 'number' && exp > 0 ? new Date(exp * 1000).toISOString() : undefined
  } catch {
    return undefined
  }
}

/**
 * Looks whether the PEM files of an address can be used. The client reads them itself, anew for each connection.
 * @throws DriverError `invalid`, in words that say what to do
 */
export function checkTlsFiles({ caFile, certFile, keyFile }: NatsAddress['tlsFiles']): void {
  const ca = caFile === undefined ? undefined : readNamed('tls_ca', caFile)
  const cert = certFile === undefined ? undefined : readNamed('tls_cert', certFile)
  const key = keyFile === undefined ? undefined : readNamed('tls_key', keyFile)
  try {
    createSecureContext({ ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) })
  } catch (cause) {
    const message =
      'bus: tls_ca, tls_cert and tls_key in its URL name no PEM files that go together: name a certificate, and the key that it was made for'
    throw new DriverError('invalid', message, { cause })
  }
}

function readCredentials(path: string): Authenticator {
  const authenticator = credsAuthenticator(new Uint8Array(readNamed('creds', path)))
  try {
    // without a nonce nothing is signed, but all is read
    authenticator()
  } catch (cause) {
    const message = `bus: creds in its URL names ${path}, which holds no credentials: name a file with a user's JWT and seed, as nsc writes it`
    throw new DriverError('invalid', message, { cause })
  }
  return authenticator
}

function readNamed(setting: string, path: string): Buffer {
  try {
    return readRegularFile(path, MAX_BYTES)
  } catch (cause) {
    throw new DriverError('invalid', `bus: ${setting} in its URL names ${path}, ${whyNot(cause)}`, { cause })
  }
}

function whyNot(fault: unknown): string {
  const code = fault instanceof Error && 'code' in fault ? fault.code : undefined
  if (code === 'ENOENT' || code === 'ENOTDIR') return 'and there is no such file: put it there, or correct the URL'
  if (code === 'EACCES' || code === 'EPERM') return 'which this user may not read: give him the right to'
  if (code === undefined) return `which is ${fault instanceof Error ? fault.message : String(fault)}: correct the URL`
  return `which can't be read (${String(code)})`
}
