import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { EXECUTABLE, OFFSET } from './platform.ts'
import { type Bar, median } from './report.ts'

const ROUNDS = 5
/** What a process needs to come to rest after its start, before its memory is read. */
const SETTLE_MS = 2_000

interface Started {
  readonly milliseconds: number
  readonly megabytes: number
}

/** How long the executable takes to answer and to have all roles ready, and what they hold in memory then. */
export async function startup(folder: string): Promise<Bar[]> {
  mkdirSync(folder, { recursive: true })
  const version = Array.from({ length: 10 }, () => {
    const since = performance.now()
    spawnSync(EXECUTABLE, ['--version'])
    return Math.round(performance.now() - since)
  })
  const processes: Started[] = []
  const inProcess: Started[] = []
  for (let round = 0; round < ROUNDS; round++) {
    processes.push(await up(join(folder, `processes-${round}`)))
    inProcess.push(await up(join(folder, `in-process-${round}`), { flags: ['--in-process'] }))
    console.error(`  up: ${processes.at(-1)?.milliseconds} ms; in-process: ${inProcess.at(-1)?.milliseconds} ms`)
  }
  const times = processes.map(({ milliseconds }) => milliseconds)
  const memory = processes.map(({ megabytes }) => megabytes)
  const single = inProcess.map(({ megabytes }) => megabytes)
  return [
    {
      name: 'msvc --version, milliseconds',
      figure: median(version),
      bar: { atMost: 80 },
      rounds: { milliseconds: version },
    },
    {
      name: 'msvc up until all are ready, milliseconds, fresh data folder',
      figure: median(times),
      bar: { atMost: 1_500 },
      rounds: { milliseconds: times },
    },
    {
      name: 'all processes of msvc up, MB resident',
      figure: median(memory),
      bar: { atMost: 900 },
      rounds: { MB: memory },
    },
    { name: 'msvc up --in-process, MB resident', figure: median(single), bar: { atMost: 160 }, rounds: { MB: single } },
  ]
}

interface StartOptions {
  /** Default: the one that is built now. */
  readonly executable?: string
  readonly flags?: readonly string[]
}

/** Starts the platform once and stops it; its JSON line says when all are ready. */
export async function up(data: string, { executable = EXECUTABLE, flags = [] }: StartOptions = {}): Promise<Started> {
  const since = performance.now()
  const args = ['up', '--json', '--quiet', '--port-offset', String(OFFSET), '--data', data, ...flags]
  const child = spawn(executable, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  try {
    const [line] = (await once(createInterface(child.stdout), 'line', { signal: AbortSignal.timeout(30_000) })) as [
      string,
    ]
    const milliseconds = Math.round(performance.now() - since)
    const { pid, roles } = JSON.parse(line) as { pid: number; roles: { pid: number }[] }
    await delay(SETTLE_MS)
    const pids = new Set([pid, ...roles.map((role) => role.pid)])
    return { milliseconds, megabytes: Math.round([...pids].reduce((sum, id) => sum + residentMb(id), 0)) }
  } finally {
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'exit')
  }
}

function residentMb(pid: number): number {
  const [, kilobytes = '0'] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
  return Number(kilobytes) / 1024
}
