import type { JetStreamManager } from '@nats-io/jetstream'
import { DriverError } from '../../driver-error.ts'
import type { NatsAddress } from './address.ts'
import { isLeaderless, isNobody, toDriverError } from './faults.ts'
import type { NatsLink } from './link.ts'

/** The first that has direct reads and consumers with a name. */
const OLDEST = [2, 9, 0] as const

/** Refuses a server that can't be used, in words that say what to do. @throws DriverError `invalid`, or `unavailable` for one that only has to be started. */
export async function checkServer(
  link: NatsLink,
  manager: JetStreamManager,
  { servers, replicas }: NatsAddress,
): Promise<void> {
  const where = servers.join(', ')
  const { version = '0.0.0', jetstream = false, cluster } = link.info ?? {}
  if (isOlder(version)) {
    throw new DriverError('invalid', `bus: nats-server ${version} at ${where} is too old: ${OLDEST.join('.')} or newer`)
  }
  try {
    await manager.getAccountInfo()
  } catch (fault) {
    if (isLeaderless(fault) && cluster !== undefined) {
      const message = `bus: the cluster of NATS at ${where} has no leader at the moment: most of its servers have to run, and to reach each other`
      throw new DriverError('unavailable', message, { cause: fault })
    }
    if (!isNobody(fault) && !/not enabled/i.test(String(fault))) throw toDriverError(fault)
    const message = `bus: JetStream is off at ${where}: start nats-server with -js, or with jetstream { store_dir: … } in its configuration; an account has to have it too`
    throw new DriverError('unavailable', message, { cause: fault })
  }
  if (replicas > 1 && jetstream && cluster === undefined) throw tooManyReplicas(replicas)
}

/** That a server, or a cluster, is too small for what a URL asks of it. @param cause what it says itself */
export function tooManyReplicas(replicas: number, cause?: unknown): DriverError {
  const advice = 'it takes a cluster of as many servers, or fewer replicas in its URL'
  return new DriverError('invalid', `bus: this NATS can't keep ${replicas} replicas: ${advice}`, { cause })
}

/**
 * Refuses a cluster of which fewer servers are there than an address wants replicas, by what it tells its clients, for who makes nothing there; one that tells
 * nothing (`no_advertise`), or several addresses of each server, may still refuse. @throws DriverError `unavailable`
 */
export function wantServers({ info }: Pick<NatsLink, 'info'>, { replicas }: Pick<NatsAddress, 'replicas'>): void {
  const { connect_urls: known = [] } = info ?? {}
  if (known.length === 0 || known.length >= replicas) return
  const message = `bus: to make a stream of ${replicas} replicas takes ${replicas} servers of NATS, and ${known.length} are there: start the others, or ask for fewer replicas in its URL`
  throw new DriverError('unavailable', message)
}

/**
 * What an operator should know of a server's version: a line each, for the log at start.
 * @param version as the server says it, such as `2.9.10`
 */
export function notesOn(version: string, replicas: number): readonly string[] {
  const copies = replicas === 1 ? 'it is stored by one server' : `most of ${replicas} servers have it`
  return [
    `NATS ${version}: a message is acknowledged when ${copies}, which needn't be on disk yet: the server syncs every 2 minutes${
      isBefore(version, [2, 10, 0])
        ? ', and this version has no setting for that'
        : ' unless sync_interval says otherwise'
    }`,
  ]
}

function isOlder(version: string): boolean {
  return isBefore(version, OLDEST)
}

function isBefore(version: string, least: readonly number[]): boolean {
  const parts = version.split(/[.-]/).map(Number)
  for (const [at, wanted] of least.entries()) {
    const part = parts[at] ?? 0
    if (part !== wanted) return part < wanted
  }
  return false
}
