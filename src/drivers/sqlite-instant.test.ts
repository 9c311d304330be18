import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { systemClock as clock } from './clock.ts'
import { takeInstant } from './sqlite-instant.ts'

const never = new AbortController().signal

/** Moves numbers through databases for ever, as fast as it can: each is in the first before it is in the second, and so on. */
const MOVER = `
const { DatabaseSync } = require('node:sqlite')
const { parentPort, workerData } = require('node:worker_threads')
const ends = workerData.map((path) => {
  const database = new DatabaseSync(path, { timeout: 5000 })
  database.exec('pragma synchronous = off')
  return database.prepare('insert into t default values')
})
for (const end of ends) end.run()
parentPort.postMessage('moving')
for (;;) for (const end of ends) end.run()
`

describe('an instant of several databases', () => {
  let folder: string
  let paths: string[]

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'msvc-instant-'))
    paths = ['b.db', 'a.db'].map((name) => join(folder, name))
    for (const path of paths) create(path)
  })
  afterEach(() => rmSync(folder, { recursive: true }))

  function create(path: string) {
    const database = new DatabaseSync(path)
    database.exec('pragma journal_mode = wal; create table t(n integer primary key, filling default (randomblob(500)))')
    database.close()
  }
  const take = (options = {}) => takeInstant(paths, { clock, signal: never, ...options })
  const rows = (path: string) => {
    const database = new DatabaseSync(path)
    const count = Number(database.prepare('select count(*) as count from t').get()?.count)
    const [whole] = Object.values(database.prepare('pragma integrity_check').get() ?? {})
    database.close()
    return { count, whole }
  }

  it('shows them all as they were at one moment, however long the copying takes', async () => {
    // in the order in which they are looked at: what is moved meanwhile would be in the last and not in the first
    const chain = Array.from({ length: 12 }, (_, at) => join(folder, `chain-${String.fromCharCode(97 + at)}.db`))
    for (const path of chain) create(path)
    const mover = new Worker(MOVER, { eval: true, workerData: chain })
    await new Promise((resolve) => mover.once('message', resolve))
    try {
      for (let round = 0; round < 10; round++) {
        const instant = await takeInstant(chain, { clock, signal: never })
        const counts: number[] = []
        for (const path of chain) {
          await instant.copy(path, `${path}.copy-${round}`, { signal: never })
          const { count, whole } = rows(`${path}.copy-${round}`)
          expect(whole).toBe('ok')
          counts.push(count)
        }
        instant.close()
        const [most = 0] = counts
        const moved = counts.filter((count) => count === most).length
        expect(counts).toEqual(counts.map((_, at) => (at < moved ? most : most - 1)))
      }
    } finally {
      await mover.terminate()
    }
  })

  it('lets writers go on while it is copied, and copies none of what they write', async () => {
    const [path = ''] = paths
    const writer = new DatabaseSync(path, { timeout: 0 })
    const insert = writer.prepare('insert into t default values')
    writer.exec('begin')
    for (let n = 0; n < 10_000; n++) insert.run()
    writer.exec('commit')
    const instant = await take()
    const shares: number[] = []
    const onCopied = (share: number) => {
      shares.push(share)
      insert.run()
    }
    await instant.copy(path, `${path}.copy`, { signal: never, onCopied })
    insert.run()
    expect(instant.size(path)).toBe(statSync(`${path}.copy`).size)
    instant.close()
    writer.close()
    expect(shares.length).toBeGreaterThan(0)
    expect(rows(`${path}.copy`)).toEqual({ count: 10_000, whole: 'ok' })
    expect(rows(path).count).toBe(10_000 + shares.length + 1)
    expect(statSync(`${path}.copy`).mode & 0o777).toBe(0o600)
  })

  it('gives up after a while on a writer that does not let go, and holds the others no longer than it may', async () => {
    const writer = new DatabaseSync(join(folder, 'b.db'))
    writer.exec('begin immediate')
    const other = new DatabaseSync(join(folder, 'a.db'), { timeout: 1_000 })
    const taking = take({ holdMs: 20, patienceMs: 300 })
    const refused = expect(taking).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('b.db'),
    })
    other.exec('insert into t default values')
    await refused
    writer.close()
    other.close()
  })

  it('comes through when the writer lets go', async () => {
    const writer = new DatabaseSync(join(folder, 'b.db'))
    writer.exec('begin immediate')
    const taking = take({ holdMs: 5 })
    writer.exec('insert into t default values; commit')
    const instant = await taking
    await instant.copy(join(folder, 'b.db'), join(folder, 'copy'), { signal: never })
    instant.close()
    writer.close()
    expect(rows(join(folder, 'copy')).count).toBe(1)
  })

  it('says so when a database is another process’s alone, damaged, or not one of its own', async () => {
    const alone = new DatabaseSync(join(folder, 'a.db'))
    alone.exec('pragma locking_mode = exclusive; begin immediate; insert into t default values; commit')
    await expect(take()).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringContaining('for itself') })
    alone.close()
    const instant = await take()
    await expect(instant.copy('c.db', join(folder, 'copy'), { signal: never })).rejects.toMatchObject({
      kind: 'invalid',
    })
    instant.close()
    writeFileSync(join(folder, 'a.db'), 'no database at all, but long enough to be taken for one'.repeat(10))
    await expect(take()).rejects.toMatchObject({ kind: 'damaged' })
  })

  it('stops when it is told to', async () => {
    const stop = new AbortController()
    const writer = new DatabaseSync(join(folder, 'b.db'))
    writer.exec('begin immediate')
    const taking = take({ holdMs: 5, signal: stop.signal })
    stop.abort()
    await expect(taking).rejects.toThrow('aborted')
    writer.close()
    const instant = await take()
    await expect(instant.copy(join(folder, 'b.db'), join(folder, 'copy'), { signal: stop.signal })).rejects.toThrow(
      'aborted',
    )
    instant.close()
  })
})
