import { ReplyError } from 'ioredis'
import { DriverError, type DriverErrorKind } from '../../driver-error.ts'
import type { RedisAddress } from './address.ts'

/** What a fault means, by what it says or its code, and what to do; the first that fits. */
const MEANINGS: readonly (readonly [pattern: RegExp, kind: DriverErrorKind, words: string])[] = [
  [
    /^WRONGPASS|invalid password|invalid username-password/i,
    'invalid',
    'refuses the user and password of the URL; correct them',
  ],
  [
    /^NOAUTH|Authentication required/i,
    'invalid',
    'wants a password; write it into the URL, as :password and an @ before the host',
  ],
  [/^ERR AUTH|without any password configured/i, 'invalid', 'has no password for this user; leave it out of the URL'],
  [
    /^NOPERM|can't run this command|can't access at least one/i,
    'invalid',
    'does not let this user do what is needed; allow it: ACL SETUSER name ~* +@read +@write +@scripting +time',
  ],
  [/unknown command 'sentinel'/i, 'invalid', 'is no Sentinel; use redis:// for a server'],
  [
    /unknown command/i,
    'invalid',
    'lacks a command that is needed, such as EVAL; use a Redis from 6.0 on, or a Valkey, with its commands as they are',
  ],
  [/non deterministic commands/i, 'invalid', 'is too old; use a Redis from 6.0 on, or a Valkey'],
  [/cluster support disabled/i, 'invalid', 'is no cluster; use redis://'],
  [/^(?:MOVED|CROSSSLOT)/, 'invalid', 'is part of a cluster; use redis+cluster://'],
  [/DB index is out of range/i, 'invalid', 'has no database of this number'],
  [/^Unknown RESP type 21 /, 'invalid', 'speaks TLS; use rediss://'],
  [/^Unknown RESP type/, 'invalid', 'answers, and is no Redis; correct the address'],
  [/wrong version number|packet length too long|SSL routines|EPROTO/i, 'invalid', 'speaks no TLS; use redis://'],
  [
    /self.signed|certificate|ERR_TLS|altname|unable to (?:get|verify)/i,
    'invalid',
    'shows a certificate that is not trusted here; NODE_EXTRA_CA_CERTS names a file with its issuer',
  ],
  [/No such master with that name/, 'invalid', 'has Sentinels that watch nothing of this name; correct the path'],
  [/^OOM/, 'full', 'is full (maxmemory); give it more, or let it evict'],
  [/^MISCONF/, 'full', 'can not write to its disk; make room there'],
  [/^READONLY/, 'unavailable', 'is a replica, which takes no writes; name the primary, or its Sentinels'],
  [/^(?:LOADING|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|NOREPLICAS)/, 'unavailable', 'is not ready'],
]

/** A fault of Redis or of the way to it as the one error that leaves a driver, with where it was and what to do. */
export function redisFault({ shown }: RedisAddress, cause: unknown): DriverError {
  if (cause instanceof DriverError) return cause
  const said = textOf(cause)
  const [, kind, words] =
    MEANINGS.find(([pattern]) => pattern.test(said)) ?? (cause instanceof ReplyError ? ODD : UNREACHABLE)
  // what is to be done is said to who runs it
  const told = `cache: its server ${words.split(';', 1)[0]}`
  return new DriverError(kind, `cache: ${shown} ${words} (${said.slice(0, 200)})`, { cause, told })
}

/** A server that took connections, or nothing, and never said a word. */
export function noWord({ shown, tls }: RedisAddress): DriverError {
  const hint = tls ? 'where it speaks no TLS, use redis://' : 'where it wants TLS, use rediss://'
  const told = 'cache: its server has not said a word'
  return new DriverError('unavailable', `cache: ${shown} has not said a word; ${hint}`, { told })
}

const ODD = [/./, 'unavailable', 'answers with an error'] as const
const UNREACHABLE = [/./, 'unavailable', 'can not be reached; start it, or correct the address'] as const

/** Whether a connection should be made anew for a fault that a command was answered with: its server is no primary any more. */
export function wantsReconnect(cause: Error): boolean {
  return cause.message.startsWith('READONLY')
}

/** What a fault says, with its code; without what was asked, where passwords are. */
function textOf(cause: unknown): string {
  if (cause instanceof AggregateError && cause.message === '') return textOf(cause.errors[0])
  if (!(cause instanceof Error)) return String(cause)
  const code =
    'code' in cause && typeof cause.code === 'string' && !cause.message.includes(cause.code) ? ` ${cause.code}` : ''
  return `${cause.message}${code}`.split('\n', 1)[0] ?? ''
}
