import { execFileSync } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import * as z from 'zod'
import { EXECUTABLE } from './platform.ts'
import { type Bar, median } from './report.ts'
import { type StartedUp, startUp } from './up.ts'

const ROOT = join(import.meta.dirname, '../..')
const SHOP = join(ROOT, 'examples/shop')
const ROUNDS = 5
/** Beside a platform of whoever measures. */
const OFFSET = '4000'
/** For all to get ready, and between two looks, milliseconds. */
const LONGEST_MS = 180_000
const LOOK_MS = 200

const Listed = z.object({ units: z.array(z.object({ unit: z.string(), state: z.string() })) })

/** Time from `msvc up` of the example shop until all of it is ready, from the second start on: its packages are installed, and Node has kept what it compiled. */
export async function shopStart(folder: string): Promise<Bar> {
  if (!existsSync(join(ROOT, 'dist/package'))) execFileSync(process.execPath, [join(ROOT, 'build/package.ts')])
  const left = ['stock/node_modules', 'stock/.data'].map((name) => join(SHOP, name)).filter((path) => !existsSync(path))
  try {
    await startOnce(folder)
    const starts: number[] = []
    for (let round = 0; round < ROUNDS; round++) starts.push(await startOnce(folder))
    return {
      name: 'the example shop, milliseconds from msvc up to all ready',
      figure: Math.round(median(starts)),
      bar: { atMost: 3_000 },
      rounds: { 'all ready, milliseconds': starts.map((ms) => Math.round(ms)) },
      note: 'six roles in one process and five processes of services in four languages, from the second start on',
    }
  } finally {
    for (const path of left) rmSync(path, { recursive: true, force: true })
  }
}

async function startOnce(folder: string): Promise<number> {
  const since = performance.now()
  await using up = await startUp(SHOP, ['--port-offset', OFFSET], join(folder, 'data'))
  const { readyMs } = up
  if (lateUnits(up).length === 0) return readyMs
  // what `up` doesn't wait for any longer, as on the first start, which installs packages
  for (const end = Date.now() + LONGEST_MS; lateUnits(up).length > 0; await delay(LOOK_MS))
    if (Date.now() > end) throw new Error(`not ready: ${lateUnits(up).join(', ')}`)
  return performance.now() - since
}

function lateUnits({ data }: StartedUp): readonly string[] {
  const listed = execFileSync(EXECUTABLE, ['ps', '--json', '--data', data], { encoding: 'utf8', cwd: SHOP })
  return Listed.parse(JSON.parse(listed)).units.flatMap(({ unit, state }) => (state === 'ready' ? [] : [unit]))
}
