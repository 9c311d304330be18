import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { loadConfiguration } from '../../kit/config/load.ts'
import { giveVerdict } from '../../kit/cutover/verdict.ts'
import { noteMoves } from '../../kit/migration/move-notes.ts'
import { type MigrateFlags, waysOf } from './migration-ways.ts'

const STORE = 'postgres://shop:secret@db/shop'
const BUS = 'nats://shop:secret@mq/shop'
const CACHE = 'redis://:secret@cache'
const ALL = { DATABASE_URL: STORE, NATS_URL: BUS, REDIS_URL: CACHE }
const SINCE = '2026-11-27T09:00:00.000Z'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'msvc-ways-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

async function ways(flags: MigrateFlags, environment: Readonly<Record<string, string>> = {}, yaml?: string) {
  if (yaml !== undefined) writeFileSync(join(folder, 'x.yaml'), yaml)
  const override = { path: ['data'], value: folder, from: '--data' }
  const configuration = await loadConfiguration({
    roles: [],
    together: [],
    environment,
    folder,
    flags: [override],
    ...(yaml !== undefined && { file: 'x.yaml' }),
  })
  const { targets: _targets, ...found } = waysOf(flags, configuration)
  return found
}

function fill() {
  for (const name of ['order-service', 'bus']) writeFileSync(join(folder, `${name}.db`), '')
}

const left = async () => {
  await noteMoves(folder, { store: { state: 'left', server: 'postgres://shop@db/shop', at: SINCE } })
  await noteMoves(folder, { bus: { state: 'left', server: 'nats://shop@mq/shop', at: SINCE } })
}

function switchedOver() {
  const from = { data: folder, store: 'sqlite:', bus: 'embedded:', cache: 'memory:' }
  const to = { ...from, store: 'postgres://shop@db/shop', bus: 'nats://shop@mq/shop' }
  giveVerdict(folder, { outcome: 'moved', id: 'one', at: SINCE, from, to })
}

describe('the ways of a move', () => {
  it('lead from the data folder to where the configuration says, whatever stands beside it', async () => {
    fill()
    const wanted = { store: { from: 'sqlite:', to: STORE }, bus: { from: 'embedded:', to: BUS } }
    expect(await ways({}, ALL)).toEqual({ ...wanted, cache: CACHE })
    expect(await ways({}, { DATABASE_URL: STORE, NATS_URL: BUS })).toEqual(wanted)
    expect(await ways({}, {}, `bus: ${BUS}\n`)).toEqual({ bus: wanted.bus })
    expect(await ways({}, { REDIS_URL: CACHE })).toEqual({ cache: CACHE })
    // an earlier try was ended
    await noteMoves(folder, { store: { state: 'leaving', server: 'postgres://shop@db/shop', at: SINCE } })
    expect(await ways({}, ALL)).toEqual({ ...wanted, cache: CACHE })
  })

  it('lead from the data folder to what flags name, and to that alone', async () => {
    fill()
    expect(await ways({ store: STORE }, ALL)).toEqual({ store: { from: 'sqlite:', to: STORE } })
    expect(await ways({ store: 'postgres://other/x' }, ALL)).toEqual({
      store: { from: 'sqlite:', to: 'postgres://other/x' },
    })
    expect(await ways({ cache: CACHE }, ALL)).toEqual({ cache: CACHE })
  })

  it('lead back from the server that the configuration names, or a flag', async () => {
    const back = { store: { from: STORE, to: 'sqlite:' } }
    expect(await ways({ store: 'sqlite:' }, ALL)).toEqual(back)
    expect(await ways({ fromStore: STORE })).toEqual(back)
    expect(await ways({ fromStore: STORE }, ALL)).toEqual(back)
    fill()
    await left()
    expect(await ways({ store: 'sqlite:' }, ALL)).toEqual(back)
    expect(await ways({ store: 'postgres://other/x' }, ALL)).toEqual({
      store: { from: STORE, to: 'postgres://other/x' },
    })
  })

  it.for([
    ['that stood', left],
    ['that served', switchedOver],
  ] as const)('lead nowhere for a platform %s, and is there already', async ([, move]) => {
    fill()
    await move()
    await expect(ways({}, ALL)).rejects.toThrow(
      `nothing is left to move: the store is at postgres://shop@db/shop (DATABASE_URL) already, since ${SINCE}; the bus is at nats://shop@mq/shop (NATS_URL) already, since ${SINCE}`,
    )
    await expect(ways({ store: STORE })).rejects.toThrow(
      `the store is at postgres://shop@db/shop (--store) already, since ${SINCE}`,
    )
  })

  it('are refused in one line where nobody can tell them, without a password', async () => {
    fill()
    await expect(ways({})).rejects.toThrow('nothing says what is to go where: put the URLs of servers into')
    await expect(ways({ store: 'sqlite:' })).rejects.toThrow(`the store is in ${folder} (--store) already`)
    await left()
    const other = { DATABASE_URL: 'postgres://shop:secret@other/shop' }
    const went = `the databases of ${folder} went to postgres://shop@db/shop (${SINCE})`
    const isNot = ', which is not postgres://shop@other/shop'
    await expect(ways({}, other)).rejects.toThrow(
      `${went}${isNot} (DATABASE_URL): name that with --from-store, password and all`,
    )
    await expect(ways({ store: 'sqlite:' }, {}, `store: ${other.DATABASE_URL}\n`)).rejects.toThrow(
      `${went}${isNot} (x.yaml:1): put that into DATABASE_URL, or name that with --from-store, password and all`,
    )
    await expect(ways({ store: 'sqlite:' })).rejects.toThrow(`${went}: put that into DATABASE_URL, or name`)
  })

  it('begin at a folder that holds something', async () => {
    await expect(ways({}, ALL)).rejects.toThrow(
      `nothing is left to move: ${folder} holds no databases; ${folder} holds no messages; ${folder} is no platform's: name that with --data`,
    )
    writeFileSync(join(folder, 'order-service.db'), '')
    expect(await ways({}, ALL)).toEqual({ store: { from: 'sqlite:', to: STORE }, cache: CACHE })
  })
})
