import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import type { BusPlace } from '../../src/drivers/bus/contract.ts'
import { openBus } from '../../src/drivers/bus/open.ts'
import { systemClock as clock } from '../../src/drivers/clock.ts'
import type { Store } from '../../src/drivers/store/contract.ts'
import { openStore } from '../../src/drivers/store/open.ts'
import type { OutboxTable } from '../../src/kit/messaging/messaging.ts'
import { createOutbox, OUTBOX_LEASES, outboxMigration, outboxPartsMigration } from '../../src/kit/messaging/outbox.ts'
import { LiveBus } from '../../src/kit/migration/live-bus.ts'
import { LiveStore } from '../../src/kit/migration/live-store.ts'
import { noteChanges, stopNoting } from '../../src/kit/migration/noting.ts'
import { startNats } from '../servers/nats.ts'
import { startPostgres, UNSYNCED } from '../servers/postgres.ts'
import { isHere } from '../servers/programs.ts'

const postgres = isHere('postgres') ? await startPostgres({ config: UNSYNCED }) : undefined
const nats = isHere('nats-server') ? await startNats() : undefined
const folder = mkdtempSync(join(tmpdir(), 'msvc-live-copies-'))
afterAll(async () => {
  await Promise.all([postgres, nats].map((server) => server?.[Symbol.asyncDispose]()))
  rmSync(folder, { recursive: true })
})
const never = new AbortController().signal

describe.skipIf(!postgres)('a store that is copied while its service writes to it', () => {
  const migrations = { '1': outboxMigration, '2': outboxPartsMigration }
  const keeps = { migrations, leaves: OUTBOX_LEASES }

  function places() {
    // of a database that has others: schemas have the services' names
    const name = `order-${randomUUID().slice(0, 8)}`
    const from = { url: 'sqlite:', name, folder }
    return { from, to: { ...from, url: postgres?.url ?? '' }, keeps, run: 'run' }
  }

  const open = (place: { url: string; name: string; folder: string }) =>
    openStore<OutboxTable>({ ...place, migrations })

  const add = (store: Store<OutboxTable>, id: string) =>
    store.transaction((trx) =>
      createOutbox<OutboxTable>({ store, service: 'order-service', clock }).add(trx, {
        id,
        type: 'a.b',
        key: 'k',
        data: 1,
      }),
    )

  async function opened(options: ReturnType<typeof places>): Promise<LiveStore> {
    const live = await LiveStore.open(options)
    if (!live) throw new Error('there is no store')
    return live
  }

  it('keeps what waits to be sent before what comes after the move', async () => {
    const options = places()
    const from = await open(options.from)
    const live = await opened(options)
    noteChanges(folder, [live.noting])
    await live.copy(never, () => {})
    await add(from, 'first')
    // as a clock would have it that is ahead of the server's
    await from.transaction((trx) =>
      trx
        .updateTable('outbox')
        .set({ position: clock.now() * 2_000 })
        .execute(),
    )
    await live.follow(never)
    await from.close()
    await (await live.finish(never)).close()
    await live.end()
    await live.close()
    stopNoting(folder)
    const to = await open(options.to)
    await add(to, 'second')
    const rows = await to.db.selectFrom('outbox').select('id').orderBy('position').execute()
    await to.close()
    expect(rows.map(({ id }) => id)).toEqual(['first', 'second'])
  })

  it('is not copied over another platform’s, whether that runs or not', async () => {
    const options = places()
    await (await open(options.from)).close()
    const theirs = await open(options.to)
    await expect(LiveStore.open(options)).rejects.toMatchObject({ kind: 'unavailable' })
    await add(theirs, 'theirs')
    await theirs.close()
    await expect(LiveStore.open(options)).rejects.toMatchObject({ code: 'CONFLICT' })
  })

  it('is gone on with after a try that came to nothing', async () => {
    const options = places()
    const from = await open(options.from)
    await add(from, 'first')
    for (let attempt = 1; attempt <= 2; attempt++) {
      const live = await opened(options)
      noteChanges(folder, [live.noting])
      await live.copy(never, () => {})
      await (await live.finish(never)).close()
      await live.close()
      stopNoting(folder)
    }
    await from.close()
    await expect(LiveStore.open({ ...options, run: 'other' })).rejects.toMatchObject({ code: 'CONFLICT' })
  })
})

describe.skipIf(!nats)('a bus that is copied while its broker writes to it', () => {
  const anEmbedded = (): BusPlace => ({ url: 'embedded:', folder: join(folder, randomUUID()), clock })
  const onNats = (): BusPlace => ({ url: `${nats?.url}/${randomUUID().slice(0, 13)}`, folder: '', clock })

  async function opened(from: BusPlace, to: BusPlace, run = 'run'): Promise<LiveBus> {
    const live = await LiveBus.open(from, to, run)
    if (!live) throw new Error('there is no bus')
    return live
  }

  it('is gone on with after a try that came to nothing, until it is said to be the end', async () => {
    const [from, to] = [anEmbedded(), onNats()]
    const source = await openBus(from)
    for (let attempt = 1; attempt <= 2; attempt++) {
      await source.publish([{ id: `${attempt}`, topic: 'ours', payload: '1', attributes: {} }])
      const live = await opened(from, to)
      await live.follow(never)
      expect(await live.compareMessages(never)).toEqual([])
      await live.finish(never)
      await live.close()
    }
    await expect(opened(from, to, 'other')).rejects.toMatchObject({ kind: 'conflict' })
    const last = await opened(from, to)
    await last.finish(never)
    // by then others use it
    await last.end()
    const target = await openBus(to)
    await target.publish([{ id: '3', topic: 'ours', payload: '1', attributes: {} }])
    expect(await last.compare(never)).toEqual([])
    // as if it had been taken while the copy was made
    await source.publish([{ id: '4', topic: 'ours', payload: '1', attributes: {} }])
    await source.subscribe({ topic: 'ours', group: 'late' })
    expect(await last.compare(never)).toEqual(["the bus's messages of ours", "the bus's subscription late to ours"])
    await last.close()
    await source.close()
    const after = await target.place('ours', 'first')
    const { messages } = await target.read('ours', { after, limit: 10 })
    await target.close()
    expect(messages.map(({ id }) => id)).toEqual(['1', '2', '3'])
    await expect(opened(from, to)).rejects.toMatchObject({ kind: 'conflict' })
  })
})
