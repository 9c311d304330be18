import { ReplyError } from 'ioredis'
import { DriverError } from '../../driver-error.ts'
import type { RedisAddress } from './address.ts'

/** The oldest Redis that is tried: it has the effects of scripts replicated, not their text, and users with rights of their own. */
const OLDEST = [6, 0] as const

/** What asks a server; a part of the client's methods. */
export interface VersionSource {
  call(command: string, ...args: string[]): Promise<unknown>
}

/**
 * Throws DriverError `invalid` for a server that says it is an older Redis than is needed. Other servers count for themselves: the first Valkey is newer. One that
 * doesn't say what it is, or doesn't let this user ask, passes: whether it does what is needed is tried out anyway. Rejects with what the client does.
 */
export async function refuseOld(client: VersionSource, { shown }: RedisAddress): Promise<void> {
  const { server, version } = await versionOf(client)
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? []
  if (server !== 'redis' || major === undefined) return
  if (Number(major) > OLDEST[0] || (Number(major) === OLDEST[0] && Number(minor) >= OLDEST[1])) return
  throw new DriverError(
    'invalid',
    `cache: ${shown} is a Redis ${version}; use one from ${OLDEST.join('.')} on, or a Valkey`,
  )
}

interface Version {
  readonly server: string
  /** Empty where it isn't said. */
  readonly version: string
}

/** HELLO is open to every user (https://redis.io/docs/latest/commands/hello/), and new in 6.0; INFO, older, is refused to many. */
async function versionOf(client: VersionSource): Promise<Version> {
  const hello = await said(client.call('HELLO', '2'))
  if (Array.isArray(hello)) {
    const fieldOf = (name: string) => String(hello[hello.indexOf(name) + 1])
    return { server: fieldOf('server'), version: fieldOf('version') }
  }
  const info = hello === UNKNOWN ? await said(client.call('INFO', 'server')) : undefined
  const [, version = ''] = /^redis_version:(\S+)/m.exec(String(info)) ?? []
  return { server: 'redis', version }
}

const UNKNOWN = Symbol('the server has no such command')

/** An answer; undefined for a refusal. */
async function said(asking: Promise<unknown>): Promise<unknown> {
  try {
    return await asking
  } catch (cause) {
    if (!(cause instanceof ReplyError)) throw cause
    return /unknown command/i.test(String(cause)) ? UNKNOWN : undefined
  }
}
