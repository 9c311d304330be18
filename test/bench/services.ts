import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../servers/server.ts'
import { inTurn, ROUNDS } from './in-turn.ts'
import { type Load, measure } from './load.ts'
import { EXECUTABLE, startPlatform } from './platform.ts'
import { start } from './processes.ts'
import { type Bar, median, ratio } from './report.ts'
import { serviceMemory } from './service-memory.ts'
import { shopStart } from './shop-start.ts'

const SECONDS = 3

/** What it costs a service to call another one by a door, beside calling it directly and beside the gateway. */
export async function services(wrk: string, folder: string): Promise<Bar[]> {
  await using platform = await startPlatform(folder, ['user', 'gateway'])
  const [own, port] = [await freePort(), await freePort()]
  const door = join(folder, 'door')
  mkdirSync(door)
  writeFileSync(
    join(door, 'door.yaml'),
    JSON.stringify({ outbound: { doors: [{ caller: 'bench', upstream: 'user-service', port }] } }),
  )
  await using _outbound = await start(
    EXECUTABLE,
    [
      'serve',
      'outbound',
      '--quiet',
      '--port',
      String(own),
      '--config',
      join(door, 'door.yaml'),
      '--data',
      join(door, 'data'),
    ],
    `http://127.0.0.1:${port}/api/users/1`,
    { REGISTRY_URL: platform.url('registry') },
  )
  const directly = `${platform.url('user')}/api/users/1`
  const byDoor = `http://127.0.0.1:${port}/api/users/1`
  const p50s = await p50sInTurn(wrk, {
    directly: { url: directly, connections: 1, seconds: SECONDS },
    'by a door': { url: byDoor, connections: 1, seconds: SECONDS },
  })
  const headers = { authorization: `Bearer ${platform.token('users:read')}` }
  const rounds = await inTurn(wrk, {
    door: { url: byDoor, connections: 32, seconds: SECONDS },
    gateway: { url: `${platform.url('gateway')}/gateway/api/users/1`, connections: 32, seconds: SECONDS, headers },
  })
  const added = (p50s['by a door'] ?? []).map((ms, round) => ms - (p50s.directly?.[round] ?? Number.NaN))
  return [
    {
      name: 'a call by a door beside the same directly, milliseconds more at p50',
      figure: Math.round(median(added) * 1_000) / 1_000,
      bar: { atMost: 0.3 },
      rounds: {
        'p50 directly, milliseconds': p50s.directly ?? [],
        'p50 by a door, milliseconds': p50s['by a door'] ?? [],
      },
      note: 'one client that sends its next request after the answer',
    },
    { name: 'door of the gateway', figure: ratio(rounds, 'door', 'gateway'), bar: { atLeast: 0.8 }, rounds },
    await serviceMemory(join(folder, 'memory')),
    await shopStart(join(folder, 'shop')),
  ]
}

/** As `inTurn`, but for how long a request takes. */
async function p50sInTurn(wrk: string, loads: Readonly<Record<string, Load>>): Promise<Record<string, number[]>> {
  const p50s: Record<string, number[]> = {}
  for (const load of Object.values(loads)) await measure(wrk, { ...load, seconds: 2 })
  for (let round = 0; round < ROUNDS; round++) {
    for (const [name, load] of Object.entries(loads)) {
      const { failed, p50Ms } = await measure(wrk, load)
      if (failed > 0) throw new Error(`${name}: ${failed} requests failed`)
      p50s[name] = [...(p50s[name] ?? []), p50Ms]
      console.error(`  ${name}: p50 ${p50Ms} ms`)
    }
  }
  return p50s
}
