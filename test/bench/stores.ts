import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { jetstream, jetstreamManager } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import type { Bus } from '../../src/drivers/bus/contract.ts'
import { openBus } from '../../src/drivers/bus/open.ts'
import { systemClock as clock } from '../../src/drivers/clock.ts'
import { startNats } from '../servers/nats.ts'
import { startPostgres } from '../servers/postgres.ts'
import { allPaid } from './before.ts'
import { inTurn, ROUNDS } from './in-turn.ts'
import type { Load } from './load.ts'
import { OFFSET, type Platform, startPlatform } from './platform.ts'
import { type Bar, ratio } from './report.ts'

/** Messages under way at the same time, and of each measurement. */
const IN_FLIGHT = 256
const MESSAGES = 30_000
const PAYLOAD = JSON.stringify({ text: 'x'.repeat(180) })
const TOPIC = 'bench.message'

/** What the same work takes on servers, with every commit on their disks, and on the embedded stores. */
export async function stores(wrk: string, folder: string): Promise<Bar[]> {
  return [await journeys(wrk, folder), await publishes(folder)]
}

async function journeys(wrk: string, folder: string): Promise<Bar> {
  await using postgres = await startPostgres()
  const config = 'gateway:\n  write_limit: null\n'
  await using embedded = await startPlatform(join(folder, 'sqlite'), 'all', { config })
  await using served = await startPlatform(join(folder, 'postgres'), 'all', {
    config: `${config}store: ${postgres.url}\n`,
    offset: OFFSET + 1_000,
  })
  const [onSqlite, onPostgres] = ['orders on SQLite', 'orders on PostgreSQL']
  const between = (name: string) => allPaid((name === onSqlite ? embedded : served).url('order'))
  const rounds = await inTurn(wrk, { [onSqlite]: load(embedded), [onPostgres]: load(served) }, { between })
  return {
    name: 'POST order through the gateway on PostgreSQL, of the same on SQLite',
    figure: ratio(rounds, onPostgres, onSqlite),
    bar: { atLeast: 0 },
    rounds,
    note: 'to be known, not to be held: each order is paid before the next measurement',
  }
}

function load(platform: Platform): Load {
  const token = platform.token('orders:write', 'orders:read')
  return {
    url: `${platform.url('gateway')}/gateway/api/orders`,
    method: 'POST',
    connections: 64,
    seconds: 5,
    warmUpSeconds: 5,
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: `'{"user_id":' .. (n % 2 + 1) .. ',"product_name":"Laptop","quantity":1}'`,
  }
}

async function publishes(folder: string): Promise<Bar> {
  mkdirSync(folder, { recursive: true })
  await using nats = await startNats()
  const embedded = await openBus({ url: 'embedded:', folder: join(folder, 'bus'), clock })
  const ours = await openBus({ url: nats.url, folder: join(folder, 'nats'), clock })
  const connection = await connect({ servers: nats.url.replace('nats://', '') })
  const manager = await jetstreamManager(connection)
  await manager.streams.add({ name: 'BENCH', subjects: ['bare.>'], duplicate_window: 120_000_000_000 })
  const client = jetstream(connection)
  const bytes = new TextEncoder().encode(PAYLOAD)
  const through = (bus: Bus) => (id: string) => bus.publish([{ id, topic: TOPIC, payload: PAYLOAD, attributes: {} }])
  const ways: Readonly<Record<string, (id: string) => Promise<unknown>>> = {
    'embedded bus': through(embedded),
    'bare NATS client': (id) => client.publish('bare.message', bytes, { msgID: id }),
    'our NATS driver': through(ours),
  }
  const rounds: Record<string, number[]> = {}
  try {
    for (let round = -1; round < ROUNDS; round++) {
      for (const [name, publish] of Object.entries(ways)) {
        const perSecond = await rate((n) => publish(`${round}-${n}`))
        // the first round is the warm-up
        if (round < 0) continue
        rounds[name] = [...(rounds[name] ?? []), perSecond]
        console.error(`  ${name}: ${perSecond.toLocaleString('en')}/s`)
      }
    }
  } finally {
    await Promise.all([embedded.close(), ours.close(), connection.close()])
  }
  return {
    name: 'publishes of 200 bytes through our NATS driver, of the bare client',
    figure: ratio(rounds, 'our NATS driver', 'bare NATS client'),
    bar: { atLeast: 0.7 },
    rounds,
    note: `${IN_FLIGHT} under way, each with an id that makes no copy, and awaited; the embedded bus syncs to disk before it says so, NATS does not`,
  }
}

/** How often a second something is done, so many at the same time. */
async function rate(once: (n: number) => Promise<unknown>): Promise<number> {
  let n = 0
  const since = performance.now()
  const worker = async () => {
    while (n < MESSAGES) await once(n++)
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
  return Math.round(MESSAGES / ((performance.now() - since) / 1_000))
}
