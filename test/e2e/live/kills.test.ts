import { once } from 'node:events'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { controlAddress } from '../../../src/kit/supervisor/control-address.ts'
import { connectControl } from '../../../src/kit/supervisor/control-client.ts'
import { Done, Look, Moved } from '../../../src/kit/supervisor/control-protocol.ts'
import { startNats } from '../../servers/nats.ts'
import { startPostgres } from '../../servers/postgres.ts'
import { isHere } from '../../servers/programs.ts'
import { placeOrders } from '../order-load.ts'
import { settled } from '../platform-ledger.ts'
import { commandsIn, type RunningPlatform } from '../running-platform.ts'

const PER_SECOND = 30
const TIMEOUT_MS = 300_000
/** Whom the loop kills, one a round; `migrate` is who conducts the move. */
const VICTIMS = [
  'migrate',
  'order',
  'migrate',
  'payment',
  'migrate',
  'broker',
  'migrate',
  'user',
  'migrate',
  'order',
] as const
/** A round's kill comes so late at most, milliseconds: as long as a move takes here. */
const LATEST_MS = 3_000

const folder = mkdtempSync(join(tmpdir(), 'msvc-live-kills-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const never = new AbortController().signal
const { msvc, start, up } = commandsIn(folder)

async function loaded(data: string) {
  const platform = await up(data)
  const token = await msvc(data, 'token', '--subject', 'ann', '--scope', 'users:write,orders:write')
  const load = await placeOrders(platform.url('gateway'), token.trim(), PER_SECOND)
  await load.isWarm()
  return { platform, load, control: controlAddress(join(folder, data)) }
}

/** Waits until all roles are ready, and so the platform is. */
async function isReady(address: string) {
  const control = await connectControl(address)
  try {
    const ready = async () => (await control.ask({ do: 'look' }, Look, never)).ready
    await vi.waitUntil(ready, { timeout: 30_000, interval: 50 })
  } finally {
    control.close()
  }
}

function kill(platform: RunningPlatform, role: string, signal: NodeJS.Signals = 'SIGKILL') {
  const pid = platform.pid(role)
  if (pid !== undefined) process.kill(pid, signal)
}

describe.skipIf(!isHere('postgres') || !isHere('nats-server'))('a live move in which all are killed', () => {
  it('loses nothing that was acknowledged, charges nothing twice, and comes about in the end', {
    timeout: TIMEOUT_MS,
  }, async () => {
    await using postgres = await startPostgres()
    await using nats = await startNats()
    const data = 'killed'
    const { platform, load, control } = await loaded(data)
    await using _ = platform
    const migrate = () => start(data, 'migrate', '--live', '--json', '--store', postgres.url, '--bus', nats.url)
    let kills = 0
    let hasMoved = false
    for (const [round, victim] of VICTIMS.entries()) {
      await isReady(control)
      const conductor = migrate()
      const ended = once(conductor, 'exit')
      // spread over the whole of a move
      const at = ((round + Math.random()) / VICTIMS.length) * LATEST_MS
      await Promise.race([delay(at), ended])
      if (conductor.exitCode === null) {
        if (victim === 'migrate') conductor.kill('SIGKILL')
        else kill(platform, victim)
        kills++
      }
      await ended
      hasMoved = readdirSync(join(folder, data)).some((name) => name.startsWith('cutover-'))
      process.stdout.write(
        `${victim} after ${Math.round(at)} ms: ${hasMoved ? 'moved' : 'stayed'} (migrate ended with ${conductor.exitCode ?? conductor.signalCode})\n`,
      )
      if (hasMoved) break
      const seen = load.taken.length
      await vi.waitUntil(() => load.taken.length > seen + PER_SECOND / 2, { timeout: 30_000 })
      const left = () => readdirSync(join(folder, data)).filter((name) => name.startsWith('noting'))
      await vi.waitUntil(() => left().length === 0, { timeout: 20_000 })
    }
    if (!hasMoved) {
      await isReady(control)
      await msvc(data, 'migrate', '--live', '--json', '--store', postgres.url, '--bus', nats.url)
    }
    const seen = load.taken.length
    await vi.waitUntil(() => load.taken.length > seen + PER_SECOND, { timeout: 30_000 })
    await load.stop()
    await isReady(control)
    const { orders, ...rest } = await settled(platform)
    const lost = load.taken.filter(({ id, product }) => orders.get(id) !== product)
    process.stdout.write(
      `${kills} kills: ${load.taken.length} orders acknowledged, ${load.failed.length} refused, ${lost.length} lost\n`,
    )
    expect(lost).toEqual([])
    expect(rest).toEqual({ unpaid: 0, twice: 0, dead: 0 })
    await platform.stop()
  })
})

describe('a platform that is held', () => {
  it('goes on where it was when who holds it is gone, and when the supervisor stands still', {
    timeout: TIMEOUT_MS,
  }, async () => {
    const { platform, load, control: address } = await loaded('held')
    await using _ = platform
    const { places } = await look(address)
    const to = { ...places, store: 'postgres://127.0.0.1:1/nowhere' }

    const gone = await connectControl(address)
    await gone.ask({ do: 'hold', id: 'gone', to, budget_ms: 30_000 }, Done, never)
    gone.close()
    await goesOn(load)

    const control = await connectControl(address)
    await control.ask({ do: 'hold', id: 'still', to, budget_ms: 1_000 }, Done, never)
    platform.child.kill('SIGSTOP')
    await goesOn(load)
    platform.child.kill('SIGCONT')
    await expect(control.ask({ do: 'move', id: 'still' }, Moved, never)).rejects.toMatchObject({ code: 'CONFLICT' })
    control.close()
    await goesOn(load)
    await load.stop()
    expect(load.failed.slice(0, 5)).toEqual([])
    const { orders, ...rest } = await settled(platform)
    expect(load.taken.filter(({ id, product }) => orders.get(id) !== product)).toEqual([])
    expect(rest).toEqual({ unpaid: 0, twice: 0, dead: 0 })
    await platform.stop()
  })
})

async function look(address: string) {
  const control = await connectControl(address)
  const found = await control.ask({ do: 'look' }, Look, never)
  control.close()
  return found
}

async function goesOn(load: { readonly taken: readonly unknown[] }) {
  const seen = load.taken.length
  await vi.waitUntil(() => load.taken.length > seen + PER_SECOND, { timeout: 20_000 })
}
