import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { cut, type Fault, kill, refuse, suspend } from './faults.ts'
import { type Orders, placeOrders, type Verdict } from './orders.ts'
import { Outages, type Suffered } from './outages.ts'
import { type Platform, portOf, ROLES, type RoleName, startPlatform, yardstick } from './platform.ts'
import { faultTable, missed, verdictTable } from './table.ts'
import { wireTo } from './wire.ts'

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

/** Kills roles at an even pace, whichever is up, in turns. */
async function killing(platform: Platform, outages: Outages): Promise<void> {
  const under: Promise<void>[] = []
  for (let count = 0, turn = 0; count < KILLS; count++) {
    const pace = delay(KILLING_MS / KILLS)
    for (; outages.isStruck(roleOf(turn)); turn++) await delay(LOOK_MS)
    under.push(strike(outages, kill(platform, roleOf(turn++))))
    await pace
  }
  await Promise.all(under)
  await outages.settled(delay(PATIENCE_MS))
}

/** Each role in turn, in another order each round, so that every pair of them meets. */
function roleOf(turn: number): RoleName {
  const round = Math.floor(turn / ROLES.length)
  return ROLES[(turn * 3 + round) % ROLES.length] ?? 'registry'
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

interface Loop {
  readonly name: string
  /** Services that are reached by a wire of our own. */
  readonly wires?: Readonly<Record<string, RoleName>>
  run(
    platform: Platform,
    outages: Outages,
    wires: ReadonlyMap<string, Awaited<ReturnType<typeof wireTo>>>,
  ): Promise<void>
}

const LOOPS: readonly Loop[] = [
  { name: 'kills', run: (platform, outages) => killing(platform, outages) },
  {
    name: 'stops',
    run: (platform, outages) =>
      oneByOne(
        STOPS.map((role, index) => suspend(platform, role, length(index, STOPS.length))),
        outages,
      ),
  },
  {
    name: 'stores',
    run: (platform, outages) =>
      oneByOne(
        REFUSALS.map((role) => refuse(platform, role, REFUSE_MS)),
        outages,
      ),
  },
  {
    name: 'wires',
    wires: { broker: 'broker', 'user-service': 'user', 'order-service': 'order' },
    run(_, outages, wires) {
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
]

/** Runs one loop on a fresh platform under load. */
async function shake(loop: Loop, folder: string): Promise<{ suffered: readonly Suffered[]; verdict: Verdict }> {
  log(`${loop.name} … (msvc --version takes ${Math.round(yardstick())} ms on this machine now)`)
  await using stack = new AsyncDisposableStack()
  const wires = new Map<string, Awaited<ReturnType<typeof wireTo>>>()
  for (const [name, role] of Object.entries(loop.wires ?? {})) wires.set(name, stack.use(await wireTo(portOf(role))))
  const services = Object.fromEntries([...wires].map(([name, { port }]) => [name, `http://127.0.0.1:${port}`]))
  const platform = stack.use(await startPlatform(join(folder, loop.name), services))
  const orders: Orders = await placeOrders(platform, ORDERS_PER_SECOND)
  const outages = new Outages(orders)
  try {
    await delay(QUIET_MS)
    await loop.run(platform, outages, wires)
  } finally {
    await orders.stop()
  }
  await delay(END_MS)
  return { suffered: outages.suffered, verdict: await orders.judge() }
}

/** `npm run chaos -- kills stops` runs some of the loops; without names all. */
async function main(names: readonly string[]): Promise<number> {
  const unknown = names.find((name) => !LOOPS.some((loop) => loop.name === name))
  if (unknown !== undefined)
    throw new Error(`no loop ${unknown}; there are ${LOOPS.map(({ name }) => name).join(', ')}`)
  const folder = mkdtempSync(join(tmpdir(), 'msvc-chaos-'))
  try {
    const suffered: Suffered[] = []
    const verdicts = new Map<string, Verdict>()
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
