import { JetStreamApiError } from '@nats-io/jetstream'
import { errors } from '@nats-io/transport-node'
import { DriverError } from '../../driver-error.ts'
import type { NatsAddress } from './address.ts'
import { validUntil } from './credentials.ts'

/** Seconds after which a server that is away is worth asking again. */
const RETRY_AFTER_S = 1

/**
 * What JetStream says where there is no room (nats-server, server/errors.json): insufficient resources, storage resources exceeded for an account or a
 * server, maximum messages, bytes or message size of a stream.
 */
const FULL = new Set([10023, 10028, 10047, 10077, 10002])
/** A condition on the last message of a subject or a stream doesn't hold. */
const WRONG_LAST = new Set([10071, 10070, 10164])
const STREAM_NOT_FOUND = 10059
/** A message with this id is being stored; servers before 2.11 say that it is a duplicate, of none. */
const ID_UNDER_WAY = 10158
const NO_MESSAGE = 10037
/** JetStream is off for an account or a server, or has no such account. */
const NO_JETSTREAM = new Set([10039, 10076, 10035])
/** A cluster without a leader: most of its servers don't reach each other. */
const NO_LEADER = 10008

/** What JetStream says that is wrong, as it answers a publication or a request. */
export interface ApiFault {
  readonly code: number
  readonly err_code?: number
  readonly description?: string
}

/** Whether somebody else wrote meanwhile. */
export function isOvertaken(fault: unknown): boolean {
  return WRONG_LAST.has(codeOf(fault))
}

/** Whether a publication is refused since one with its id is being stored. */
export function isUnderWay(fault: ApiFault | undefined): boolean {
  return fault?.err_code === ID_UNDER_WAY
}

/** Whether the server hasn't got the stream. */
export function isNoStream(fault: unknown): boolean {
  return codeOf(fault) === STREAM_NOT_FOUND
}

/** Whether the message that was to go wasn't there. */
export function isMissing(fault: unknown): boolean {
  const cause = fault instanceof DriverError ? fault.cause : fault
  return cause instanceof JetStreamApiError && (codeOf(cause) === NO_MESSAGE || /no message found/.test(cause.message))
}

/** Whether a cluster can't say anything at the moment, or says nothing at all: most of its servers are away, or choose who leads. */
export function isLeaderless(fault: unknown): boolean {
  return codeOf(fault) === NO_LEADER || fault instanceof errors.TimeoutError
}

/** Whether nobody is there to answer. */
export function isNobody(fault: unknown): boolean {
  if (fault instanceof errors.NoRespondersError) return true
  return fault instanceof errors.RequestError && fault.isNoResponders()
}

/** What any fault of the client or the server is for callers. */
export function toDriverError(fault: unknown): DriverError {
  if (fault instanceof DriverError) return fault
  const code = codeOf(fault)
  const text = textOf(fault)
  if (FULL.has(code)) {
    return new DriverError('full', `NATS has no room: ${text}; free some, or raise its limits`, { cause: fault })
  }
  if (NO_JETSTREAM.has(code)) return away(`JetStream is off there: ${text}`, fault)
  if (code > 0) return away(text, fault)
  if (isNobody(fault)) return away('JetStream does not answer there', fault)
  if (fault instanceof errors.TimeoutError) return away('no answer in time', fault)
  const refused = permissionOf(fault)
  if (refused !== undefined) {
    return new DriverError('invalid', `NATS lets this user not ${refused}: give him that right`, { cause: fault })
  }
  if (fault instanceof errors.ClosedConnectionError || fault instanceof errors.DrainingConnectionError) {
    return new DriverError('closed', 'the bus is closed', { cause: fault })
  }
  return away(text, fault)
}

/** A publication's answer that says no, as an error. */
export function refusal(fault: ApiFault): JetStreamApiError {
  return new JetStreamApiError({ description: '', err_code: 0, ...fault })
}

/**
 * Something is larger than the server takes in one message.
 * @param what names it, as at the beginning of a sentence @param bytes what it takes with its headers
 * @param room bytes of the server's `max_payload` that are kept free. Default 0
 */
export function tooLarge(what: string, bytes: number, maxPayload: number, room = 0): DriverError {
  const kept = room === 0 ? '' : `, of which ${room} are kept for what is noted beside it later`
  const message = `${what} is too large: it has ${bytes} bytes as it is stored, and NATS takes at most ${maxPayload - room} (its max_payload is ${maxPayload}${kept}): send less, or raise max_payload`
  return new DriverError('too-large', message)
}

/** There is no connection, and hasn't been for some time. @param shutOutBy what the server said that lets us in no longer; not for callers */
export function lostLink(cause: unknown, shutOutBy?: Error): DriverError {
  const gone = away('no connection to it at the moment', cause)
  if (shutOutBy === undefined) return gone
  const message = `NATS: it lets us in no longer (${shutOutBy.message}): renew the user, or his credentials; it is tried again all the time`
  return new DriverError('unavailable', message, { cause: shutOutBy, told: gone.told, retryAfterS: RETRY_AFTER_S })
}

/** Why the first connection came to nothing, and what to do. */
export function connectFault(fault: unknown, { servers, credentials, tlsFiles }: NatsAddress): DriverError {
  const where = servers.join(', ')
  const options = { cause: fault }
  if (fault instanceof errors.AuthorizationError || fault instanceof errors.UserAuthenticationExpiredError) {
    return new DriverError(
      'invalid',
      `bus: NATS at ${where} refuses these credentials: ${remedy(credentials)}`,
      options,
    )
  }
  const text = textOf(fault)
  if (fault instanceof errors.TimeoutError) {
    // with TLS 1.3 a server hangs up on who shows no certificate, or one that it doesn't trust, after the client believes to be connected
    const hint =
      tlsFiles.certFile === undefined
        ? 'where it wants a certificate of its clients, name it by tls_cert and tls_key'
        : 'see whether it trusts who signed the certificate that tls_cert names'
    const message = `bus: NATS at ${where} does not answer in time: start it, or correct its URL; ${hint}`
    return new DriverError('unavailable', message, { ...options, retryAfterS: RETRY_AFTER_S })
  }
  if (/tls|ssl|certificate|self.signed|altname/i.test(text)) {
    const message = `bus: no encrypted connection to NATS at ${where}: ${text}; name who signed its certificate by tls_ca=, or use nats:// where it has none`
    return new DriverError('invalid', message, options)
  }
  const message = `bus: no NATS at ${where}: ${text}; start it, or correct its URL`
  return new DriverError('unavailable', message, { ...options, retryAfterS: RETRY_AFTER_S })
}

function remedy(credentials: string | undefined): string {
  if (credentials === undefined) return 'correct user and password, token or creds in its URL'
  const until = validUntil(credentials)
  const whose = until === undefined ? '' : `, whose user is valid until ${until}`
  return `correct ${credentials}${whose}, or name another file by creds in its URL`
}

function away(what: string, cause: unknown): DriverError {
  return new DriverError('unavailable', `NATS: ${what}`, { cause, retryAfterS: RETRY_AFTER_S })
}

function codeOf(fault: unknown): number {
  return fault instanceof JetStreamApiError ? fault.code : 0
}

function permissionOf(fault: unknown): string | undefined {
  const found = [fault, fault instanceof Error ? fault.cause : undefined].find(
    (one) => one instanceof errors.PermissionViolationError,
  )
  if (!(found instanceof errors.PermissionViolationError)) return undefined
  return `${found.operation === 'subscription' ? 'subscribe to' : 'publish to'} ${found.subject}`
}

function textOf(fault: unknown): string {
  if (!(fault instanceof Error)) return String(fault)
  const { cause } = fault
  const why =
    cause instanceof Error && cause.message !== '' && cause.message !== fault.message ? `: ${cause.message}` : ''
  return `${fault.message || fault.name}${why}`
}
