import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import * as z from 'zod'
import { EXECUTABLE } from './platform.ts'
import { type Bar, median } from './report.ts'
import { startUp } from './up.ts'

const ROUNDS = 3
/** From two on they call each other, by a process that all of them share. */
const FEW = 2
const MANY = 12
/** For what a start needs and doesn't keep to be given back, milliseconds. */
const SETTLE_MS = 10_000
/** What every platform needs that runs services. */
const ONLY = ['registry', 'log-server']

const Running = z.object({ units: z.array(z.object({ unit: z.string(), state: z.string(), pid: z.int().nullable() })) })

/** Memory that a user's service costs the platform, besides its own. */
export async function serviceMemory(folder: string): Promise<Bar> {
  const few: number[] = []
  const many: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    few.push(await platformBytes(join(folder, `few-${round}`), FEW))
    many.push(await platformBytes(join(folder, `many-${round}`), MANY))
  }
  const each = many.map((bytes, round) => (bytes - (few[round] ?? Number.NaN)) / (MANY - FEW) / 1e6)
  return {
    name: 'memory that the platform takes for a service, MB',
    figure: Math.round(median(each) * 100) / 100,
    bar: { atMost: 3 },
    rounds: { [`${FEW} service, MB`]: few.map(toMb), [`${MANY} services, MB`]: many.map(toMb) },
    note: `proportional set size of msvc's own processes (up, outbound, ${ONLY.join(', ')}), ${SETTLE_MS / 1_000} s after the start`,
  }
}

const toMb = (bytes: number) => Math.round(bytes / 1e4) / 100

async function platformBytes(folder: string, count: number): Promise<number> {
  mkdirSync(folder, { recursive: true })
  const names = Array.from({ length: count }, (_, index) => `service-${index}`)
  const run = "node -e 'require(`http`).createServer((q,s)=>s.end()).listen(+process.env.PORT,process.env.HOST)'"
  const services = Object.fromEntries(names.map((name) => [name, { run, ready: 'http /' }]))
  const free = Object.fromEntries([...ONLY, 'outbound'].map((role) => [role, { port: 0 }]))
  writeFileSync(join(folder, 'msvc.yaml'), JSON.stringify({ ...free, services }))
  await using up = await startUp(folder, ['--only', [...ONLY, ...names].join()])
  await delay(SETTLE_MS)
  const listed = execFileSync(EXECUTABLE, ['ps', '--json', '--data', up.data], { encoding: 'utf8', cwd: folder })
  const { units } = Running.parse(JSON.parse(listed))
  const late = units.filter(({ state }) => state !== 'ready')
  if (late.length > 0) throw new Error(`not ready: ${late.map(({ unit }) => unit).join(', ')}`)
  const pids = units.flatMap(({ unit, pid }) => (names.includes(unit) ? [] : (pid ?? [])))
  return [up.pid, ...pids].reduce((sum, pid) => sum + proportionalBytes(pid), 0)
}

function proportionalBytes(pid: number): number {
  const [, kilobytes = '0'] = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')) ?? []
  return Number(kilobytes) * 1_024
}
