import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { startNats } from '../servers/nats.ts'
import { startPostgres } from '../servers/postgres.ts'
import { startRedis } from '../servers/redis.ts'
import type { ServerProcess } from '../servers/server.ts'
import { cut, type Fault, hang, kill, refuse, restart, suspend } from './faults.ts'
import { followKeys, type KeyedVerdict } from './keyed.ts'
import { type Orders, placeOrders, type Verdict } from './orders.ts'
import { Outages, type Suffered } from './outages.ts'
import { type Platform, portOf, ROLES, type RoleName, startPlatform, type UnitName, yardstick } from './platform.ts'
import { faultTable, missed, verdictTable } from './table.ts'
import { type Wire, wireTo } from './wire.ts'

const ORDERS_PER_SECOND = 30
const QUIET_MS = 2_000
/** After the last fault, until orders and stores are compared. */
const END_MS = 10_000
/** How long the first success after a fault is waited for. */
const PATIENCE_MS = 90_000

const KILLS = 60
const KILLING_MS = 90_000
const LOOK_MS = 10
/** One after the other, each measured before the next. */
const STOPS: readonly RoleName[] = [...ROLES, 'broker', 'user', 'order', 'payment']
const REFUSALS: readonly RoleName[] = ['payment', 'order', 'broker', 'user', 'payment', 'broker']
const REFUSE_MS = 5_000
const CUTS = 6
const SHORTEST_MS = 5_000
const LONGEST_MS = 15_000
/** Between the end of a fault's measurement and the next. */
const GAP_MS = 2_000

const log = (text: string) => console.error(text)

/** So many lengths, evenly spread from the shortest to the longest. */
function length(index: number, of: number): number {
  return SHORTEST_MS + ((LONGEST_MS - SHORTEST_MS) * index) / (of - 1)
}

/** Kills units at an even pace, whichever is up, in turns; after each, what else is due. */
async function killing(
  { platform, outages }: Field,
  units: readonly UnitName[],
  besides: (count: number) => Fault | undefined = () => undefined,
): Promise<void> {
  const under: Promise<void>[] = []
  const unitOf = (turn: number) => inTurn(units, turn)
  for (let count = 0, turn = 0; count < KILLS; count++) {
    const pace = delay(KILLING_MS / KILLS)
    for (; outages.isStruck(unitOf(turn)); turn++) await delay(LOOK_MS)
    under.push(strike(outages, kill(platform, unitOf(turn++))))
    const other = besides(count)
    if (other) under.push(strike(outages, other))
    await pace
  }
  await Promise.all(under)
  await outages.settled(delay(PATIENCE_MS))
}

/** Each unit in turn, in another order each round, so that every pair of them meets. */
function inTurn(units: readonly UnitName[], turn: number): UnitName {
  const round = Math.floor(turn / units.length)
  // a step that has no divisor in common with 6 or 8 units
  return units[(turn * 5 + round) % units.length] ?? 'registry'
}

async function oneByOne(faults: readonly Fault[], outages: Outages): Promise<void> {
  for (const fault of faults) {
    await strike(outages, fault)
    await outages.settled(delay(PATIENCE_MS))
    await delay(GAP_MS)
  }
}

async function strike(outages: Outages, fault: Fault): Promise<void> {
  const since = performance.now()
  await outages.strike(fault)
  log(`  ${fault.kind} ${fault.target}: over after ${Math.round(performance.now() - since)} ms`)
}

/** Where a loop does its faults. */
interface Field {
  readonly platform: Platform
  readonly outages: Outages
  /** Wires of our own, by the service they lead to. */
  readonly wires: ReadonlyMap<string, Wire>
  /** PostgreSQL, NATS and Redis, where the platform is on them. */
  readonly servers: ReadonlyMap<string, ServerProcess>
}

interface Loop {
  readonly name: string
  /** Services that are reached by a wire of our own. */
  readonly wires?: Readonly<Record<string, RoleName>>
  /** On servers, two replicas of each role but the gateway, whose clients know one address. Default: on embedded stores. */
  readonly onServers?: true
  /** Watch the order of messages by key too, published to and pulled from these. */
  readonly brokers?: readonly UnitName[]
  run(field: Field): Promise<void>
}

const PAIRS = { registry: 2, 'config-server': 2, 'log-server': 2, broker: 2, user: 2, order: 2, payment: 2 }
const STRUCK_PAIRS: readonly UnitName[] = ['broker', 'order', 'payment', 'broker-2', 'order-2', 'payment-2']
/** One server is restarted each time so many kills are done. */
const KILLS_A_RESTART = 6

const LOOPS: readonly Loop[] = [
  { name: 'kills', brokers: ['broker'], run: (field) => killing(field, ROLES) },
  {
    name: 'stops',
    run: ({ platform, outages }) =>
      oneByOne(
        STOPS.map((role, index) => suspend(platform, role, length(index, STOPS.length))),
        outages,
      ),
  },
  {
    name: 'stores',
    run: ({ platform, outages }) =>
      oneByOne(
        REFUSALS.map((role) => refuse(platform, role, REFUSE_MS)),
        outages,
      ),
  },
  {
    name: 'wires',
    wires: { broker: 'broker', 'user-service': 'user', 'order-service': 'order' },
    run({ wires, outages }) {
      const names = [...wires.keys()]
      const faults = Array.from({ length: CUTS }, (_, index) => {
        const name = names[index % names.length] ?? ''
        const wire = wires.get(name)
        if (!wire) throw new Error(`no wire to ${name}`)
        return cut(wire, `to ${name}`, length(index, CUTS))
      })
      return oneByOne(faults, outages)
    },
  },
  {
    name: 'servers',
    onServers: true,
    brokers: ['broker', 'broker-2'],
    run(field) {
      const servers = [...field.servers]
      return killing(field, STRUCK_PAIRS, (count) => {
        const [name, server] = servers[Math.floor(count / KILLS_A_RESTART) % servers.length] ?? []
        return count % KILLS_A_RESTART === 3 && name && server ? restart(server, name) : undefined
      })
    },
  },
  {
    // longer than leases last: whoever goes on must find that others have taken over
    name: 'server-stops',
    onServers: true,
    brokers: ['broker', 'broker-2'],
    run({ platform, outages, servers }) {
      const faults = [
        ...STRUCK_PAIRS.map((unit) => (ms: number) => suspend(platform, unit, ms)),
        ...[...servers].map(
          ([name, server]) =>
            (ms: number) =>
              hang(server, name, ms),
        ),
      ]
      return oneByOne(
        faults.map((fault, index) => fault(length(index, faults.length))),
        outages,
      )
    },
  },
]

/** What a loop found. */
interface Found {
  readonly suffered: readonly Suffered[]
  readonly verdict: Verdict & Partial<KeyedVerdict>
}

/** Runs one loop on a fresh platform under load. */
async function shake(loop: Loop, folder: string): Promise<Found> {
  log(`${loop.name} … (msvc --version takes ${Math.round(yardstick())} ms on this machine now)`)
  await using stack = new AsyncDisposableStack()
  const wires = new Map<string, Wire>()
  for (const [name, role] of Object.entries(loop.wires ?? {})) wires.set(name, stack.use(await wireTo(portOf(role))))
  const services = Object.fromEntries([...wires].map(([name, { port }]) => [name, `http://127.0.0.1:${port}`]))
  const servers = new Map<string, ServerProcess>()
  const differences = loop.onServers ? { servers: await startServers(stack, servers), scale: PAIRS } : { services }
  const platform = stack.use(await startPlatform(join(folder, loop.name), differences))
  const orders: Orders = await placeOrders(platform, ORDERS_PER_SECOND)
  const keyed = loop.brokers && (await followKeys(platform, loop.brokers))
  const outages = new Outages(orders)
  try {
    await delay(QUIET_MS)
    await loop.run({ platform, outages, wires, servers })
  } finally {
    await Promise.all([orders.stop(), keyed?.stop()])
  }
  await delay(END_MS)
  return { suffered: outages.suffered, verdict: { ...(await orders.judge()), ...(await keyed?.judge()) } }
}

/** Starts what a platform on servers needs; gives the settings that name them. */
async function startServers(stack: AsyncDisposableStack, servers: Map<string, ServerProcess>) {
  const postgres = stack.use(await startPostgres())
  const nats = stack.use(await startNats())
  const redis = stack.use(await startRedis())
  servers.set('PostgreSQL', postgres).set('NATS', nats).set('Redis', redis)
  return { store: postgres.url, bus: nats.url, cache: redis.url }
}

/** `npm run chaos -- kills stops` runs some of the loops; without names all. */
async function main(names: readonly string[]): Promise<number> {
  const unknown = names.find((name) => !LOOPS.some((loop) => loop.name === name))
  if (unknown !== undefined)
    throw new Error(`no loop ${unknown}; there are ${LOOPS.map(({ name }) => name).join(', ')}`)
  const folder = mkdtempSync(join(tmpdir(), 'msvc-chaos-'))
  try {
    const suffered: Suffered[] = []
    const verdicts = new Map<string, Found['verdict']>()
    for (const loop of LOOPS.filter(({ name }) => names.length === 0 || names.includes(name))) {
      const found = await shake(loop, folder)
      suffered.push(...found.suffered)
      verdicts.set(loop.name, found.verdict)
    }
    console.log(`${faultTable(suffered)}\n\n${verdictTable(verdicts)}`)
    const faults = missed(suffered, verdicts)
    for (const fault of faults) console.log(`missed: ${fault}`)
    return faults.length === 0 ? 0 : 1
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

process.exitCode = await main(process.argv.slice(2))
