import { type ChildProcessByStdio, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Store } from '../../src/drivers/store/contract.ts'
import { openStore } from '../../src/drivers/store/open.ts'
import { sqlite } from '../../src/drivers/store/sqlite.ts'
import { emails, insert, type SuiteTables, storeSuite, suiteMigrations } from './store-suite.ts'
import type { Said } from './store-writer.ts'

/** Part of util-linux, which any Linux has. */
const PRLIMIT = '/usr/bin/prlimit'

storeSuite(sqlite, 'sqlite:')

let folder: string
let count = 0
const opened: Store<SuiteTables>[] = []

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'msvc-sqlite-'))
})
afterEach(async () => {
  await Promise.all(opened.splice(0).map((store) => store.close()))
})
afterAll(async () => {
  await rm(folder, { recursive: true, force: true })
})

function newName(): string {
  count += 1
  return `store-${count}`
}

async function open(name = newName(), where = folder): Promise<Store<SuiteTables>> {
  const store = await sqlite.open<SuiteTables>({ url: 'sqlite:', name, folder: where, migrations: suiteMigrations })
  opened.push(store)
  return store
}

async function pragma(store: Store<SuiteTables>, name: string): Promise<unknown> {
  const read = await store.transaction((trx) => sql<Record<string, unknown>>`pragma ${sql.raw(name)}`.execute(trx))
  return Object.values(read.rows[0] ?? {})[0]
}

describe('the SQLite store', () => {
  it('logs ahead, waits for the disk at each commit, and checks foreign keys', async () => {
    const store = await open()
    expect(await pragma(store, 'journal_mode')).toBe('wal')
    expect(await pragma(store, 'synchronous')).toBe(2)
    expect(await pragma(store, 'foreign_keys')).toBe(1)
  })

  it('makes a folder and files that are the user’s alone', async () => {
    const where = join(folder, 'deep', 'er')
    const store = await open('private', where)
    await store.transaction((trx) => insert(trx, 'a@example.com'))
    expect((await stat(where)).mode & 0o777).toBe(0o700)
    const files = await readdir(where)
    expect(files.toSorted()).toEqual(['private.db', 'private.db-shm', 'private.db-wal'])
    for (const file of files) expect((await stat(join(where, file))).mode & 0o777).toBe(0o600)
  })

  it('leaves one file, with everything in it, when it closes', async () => {
    const where = join(folder, 'closing')
    const store = await open('closing', where)
    await store.transaction((trx) => insert(trx, 'a@example.com'))
    await store.close()
    expect(await readdir(where)).toEqual(['closing.db'])
  })

  it('goes on with everything else while a long read takes its time', async () => {
    const store = await open()
    let all = 0
    let written = 0
    // where the disk is busy few are written in the time of a read: then one that takes longer
    for (let rows = 3_000_000; written <= 5 && rows < 100_000_000; rows *= 4) {
      let over = false
      const counted = sql<{ count: number }>`
        with recursive n(i) as (select 1 union all select i + 1 from n where i < ${sql.lit(rows)})
        select count(*) as count from n`.execute(store.longReads)
      void counted.then(() => {
        over = true
      })
      written = 0
      do await store.transaction((trx) => insert(trx, `${rows}-${++written}@example.com`))
      while (!over)
      expect((await counted).rows).toEqual([{ count: rows }])
      all += written
    }
    // each took its turn beside the read: one that held the loop would have let one through
    expect(written).toBeGreaterThan(5)
    expect(await emails(store)).toHaveLength(all)
  })

  it('says what is wrong with a file that is no database, and leaves it alone', async () => {
    const name = newName()
    const path = join(folder, `${name}.db`)
    await writeFile(path, 'a shopping list, and rather a long one'.repeat(100))
    await expect(open(name)).rejects.toMatchObject({
      kind: 'damaged',
      message: expect.stringContaining(`${path} is damaged (it is no SQLite database)`),
    })
    expect(await readFile(path, 'utf8')).toContain('shopping list')
  })

  it('says what is wrong with a folder that is a file', async () => {
    const path = join(folder, 'in-the-way')
    await writeFile(path, '')
    await chmod(path, 0o600)
    await expect(open('any', path)).rejects.toMatchObject({ name: 'DriverError', kind: 'unavailable' })
  })

  it('refuses to write through db, also through its own transaction()', async () => {
    const store = await open()
    const invalid = { name: 'DriverError', kind: 'invalid', message: expect.stringContaining('transaction') }
    await expect(store.db.insertInto('account').values({ email: 'a', balance: 0 }).execute()).rejects.toMatchObject(
      invalid,
    )
    await expect(store.db.schema.dropTable('account').execute()).rejects.toMatchObject(invalid)
    await expect(store.db.transaction().execute(async (trx) => emails({ db: trx }))).rejects.toMatchObject(invalid)
    await expect(store.db.destroy()).rejects.toMatchObject({ kind: 'invalid' })
    expect(await emails(store)).toEqual([])
  })

  it.each([
    ['a', new Date()],
    ['a', 2n ** 64n],
  ])('refuses values SQLite can’t keep: %s, %s', async (email, balance) => {
    const store = await open()
    const work = store.transaction((trx) =>
      sql`insert into account (email, balance) values (${email}, ${balance})`.execute(trx),
    )
    await expect(work).rejects.toMatchObject({ name: 'DriverError', kind: 'invalid' })
    expect(await emails(store)).toEqual([])
  })

  it('sees a table that changes under a statement it has kept', async () => {
    const store = await open()
    const select = sql<Record<string, unknown>>`select * from account`
    await store.transaction(async (trx) => {
      await insert(trx, 'a@example.com')
      expect(Object.keys((await select.execute(trx)).rows[0] ?? {})).toEqual(['id', 'email', 'balance'])
      await trx.schema.alterTable('account').addColumn('note', 'text').execute()
      expect(Object.keys((await select.execute(trx)).rows[0] ?? {})).toEqual(['id', 'email', 'balance', 'note'])
    })
    expect(Object.keys((await select.execute(store.db)).rows[0] ?? {})).toContain('note')
  })

  it('runs the same DDL again', async () => {
    const store = await open()
    for (let round = 0; round < 3; round += 1) {
      await store.transaction(async (trx) => {
        await trx.schema.createTable('passing').addColumn('n', 'integer').execute()
        await trx.schema.dropTable('passing').execute()
      })
    }
  })

  it('takes more kinds of statement than it keeps', async () => {
    const store = await open()
    for (let round = 0; round < 2; round += 1) {
      for (let n = 0; n < 300; n += 1) {
        const { rows } = await sql<{ n: number }>`select ${sql.lit(n)} as n`.execute(store.db)
        expect(rows).toEqual([{ n }])
      }
    }
  })

  it('keeps what a neighbour in the same commit wrote when a work meets a conflict', async () => {
    const store = await open()
    const [, second] = await Promise.allSettled([
      store.transaction((trx) => insert(trx, 'a@example.com')),
      store.transaction(async (trx) => {
        await insert(trx, 'b@example.com')
        await insert(trx, 'a@example.com')
      }),
      store.transaction((trx) => insert(trx, 'c@example.com')),
    ])
    expect(second).toMatchObject({ reason: { kind: 'conflict' } })
    expect(await emails(store)).toEqual(['a@example.com', 'c@example.com'])
  })

  it('waits for another connection’s lock without holding up anybody', async () => {
    const name = newName()
    const [one, other] = [await open(name), await open(name)]
    const { promise: released, resolve: release } = Promise.withResolvers<void>()
    const { promise: locked, resolve: nowLocked } = Promise.withResolvers<void>()
    const holding = one.transaction(async (trx) => {
      await insert(trx, 'one@example.com')
      nowLocked()
      await released
    })
    await locked
    const waiting = other.transaction((trx) => insert(trx, 'other@example.com'))
    for (let turn = 0; turn < 3; turn += 1) await nextTurn()
    expect(await emails(other)).toEqual([])
    release()
    await Promise.all([holding, waiting])
    expect(await emails(one)).toEqual(['one@example.com', 'other@example.com'])
  })
})

describe('a stream of the SQLite store', () => {
  async function withRows(rows: number): Promise<Store<SuiteTables>> {
    const store = await open()
    await store.transaction(async (trx) => {
      for (let row = 0; row < rows; row += 1) await insert(trx, `${row}@example.com`)
    })
    return store
  }

  it('gives one snapshot, and keeps no other read from seeing what is new', async () => {
    const store = await withRows(10)
    let seen = 0
    for await (const _ of store.db.selectFrom('account').selectAll().stream(3)) {
      if (seen === 0) {
        await store.transaction((trx) => insert(trx, 'late@example.com'))
        expect(await emails(store)).toContain('late@example.com')
      }
      seen += 1
    }
    expect(seen).toBe(10)
  })

  it('may be left half way', async () => {
    const store = await withRows(10)
    for await (const _ of store.db.selectFrom('account').selectAll().stream()) break
    await store.close()
  })

  it('is cut off when the store closes', async () => {
    const store = await withRows(10)
    const stream = store.db.selectFrom('account').selectAll().stream(1)
    await stream.next()
    await store.close()
    await expect(stream.next()).rejects.toMatchObject({ name: 'DriverError', kind: 'closed' })
    await expect(store.db.selectFrom('account').selectAll().stream().next()).rejects.toMatchObject({ kind: 'closed' })
  })

  it('works inside a transaction', async () => {
    const store = await withRows(3)
    const ids = await store.transaction(async (trx) => {
      const ids: number[] = []
      for await (const { id } of trx.selectFrom('account').select('id').stream()) ids.push(id)
      return ids
    })
    expect(ids).toEqual([1, 2, 3])
  })
})

describe('a snapshot of a SQLite store', () => {
  it('may end by itself, as it does when the disk fails under a read', async () => {
    const store = await open()
    await sql`rollback`.execute(store.db)
    // the turn's end, at which the snapshot would be ended
    await nextTurn()
    await nextTurn()
    expect(await emails(store)).toEqual([])
  })
})

describe('a SQLite store without room', () => {
  it('says full, still reads, and heals', async () => {
    const store = await open()
    const big = (name: string) =>
      store.transaction(async (trx) => {
        for (let row = 0; row < 50; row += 1) await insert(trx, `${name}-${row}-${'x'.repeat(200)}`)
      })
    await big('before')
    const pages = Number(await pragma(store, 'page_count'))
    await pragma(store, `max_page_count = ${pages + 1}`)
    const outcomes = await Promise.allSettled([big('a'), big('b'), big('c')])
    for (const outcome of outcomes) expect(outcome).toMatchObject({ reason: { name: 'DriverError', kind: 'full' } })
    expect(await emails(store)).toHaveLength(50)
    await store.check(AbortSignal.timeout(20_000))
    await pragma(store, `max_page_count = ${pages + 1_000}`)
    await big('after')
    expect(await emails(store)).toHaveLength(100)
    expect(await pragma(store, 'integrity_check')).toBe('ok')
  })
})

describe('the health of a SQLite store', () => {
  it('tells of writes that are refused, though nobody writes and reads go on', async () => {
    const store = await open()
    await store.checkWrites()
    await pragma(store, 'query_only = 1')
    const writes = () =>
      store.checkWrites().then(
        () => 'taken',
        (fault: Error) => fault.name,
      )
    await expect.poll(writes).toBe('DriverError')
    await store.check(AbortSignal.timeout(20_000))
  })
})

describe('a process that writes to a SQLite store', () => {
  const writers: ChildProcessByStdio<null, Readable, null>[] = []
  afterEach(() => {
    for (const writer of writers.splice(0)) writer.kill('SIGKILL')
  })

  /** Starts store-writer.ts. With `fileSizeLimit`, no file it writes may grow beyond that many bytes. */
  function startWriter(where: string, first: number, fileSizeLimit?: number) {
    const program = [process.execPath, join(import.meta.dirname, 'store-writer.ts'), where, String(first)]
    const command = fileSizeLimit === undefined ? program : [PRLIMIT, `--fsize=${fileSizeLimit}:`, '--', ...program]
    const [file = '', ...args] = command
    const writer = spawn(file, args, { stdio: ['ignore', 'pipe', 'inherit'] })
    writers.push(writer)
    const lines = createInterface({ input: writer.stdout })
    return { writer, lines }
  }

  async function audit(where: string, acknowledged: ReadonlySet<number>): Promise<void> {
    const store = await open('crash', where)
    const kept = await emails(store)
    const firsts = new Set(kept.flatMap((email) => /^(\d+)-a@/.exec(email)?.slice(1) ?? []).map(Number))
    const seconds = new Set(kept.flatMap((email) => /^(\d+)-b@/.exec(email)?.slice(1) ?? []).map(Number))
    expect(acknowledged.difference(firsts)).toEqual(new Set())
    expect(firsts).toEqual(seconds)
    expect([...firsts].filter((pair) => pair % 7 === 0)).toEqual([])
    expect(await pragma(store, 'integrity_check')).toBe('ok')
    await store.close()
  }

  it('loses nothing it acknowledged when it is killed, and nothing is half there', { timeout: 180_000 }, async () => {
    const where = join(folder, 'killed')
    const acknowledged = new Set<number>()
    for (const [round, after] of [1, 40, 150, 333].entries()) {
      const before = acknowledged.size
      const { writer, lines } = startWriter(where, round * 1_000_000 + 1)
      lines.on('line', (line) => {
        const said: Said = JSON.parse(line.endsWith('}') ? line : '{}')
        if (said.at === 'acknowledged') acknowledged.add(said.pair)
        if (acknowledged.size - before >= after) writer.kill('SIGKILL')
      })
      await once(lines, 'close')
      expect(acknowledged.size - before).toBeGreaterThanOrEqual(after)
      await audit(where, acknowledged)
    }
  })

  it.skipIf(!existsSync(PRLIMIT))('says full at a file-size limit, still reads, and heals by itself', async () => {
    const where = join(folder, 'limited')
    const acknowledged = new Set<number>()
    const { writer, lines } = startWriter(where, 1, 200_000)
    let acknowledgedAtFull = 0
    let rowsAtFull = 0
    for await (const line of lines) {
      const said: Said = JSON.parse(line)
      if (said.at === 'acknowledged') acknowledged.add(said.pair)
      else {
        expect(said.kind).toBe('full')
        if (rowsAtFull > 0) continue
        rowsAtFull = said.rows
        acknowledgedAtFull = acknowledged.size
        execFileSync(PRLIMIT, ['--pid', String(writer.pid), '--fsize=unlimited:'])
      }
      if (rowsAtFull > 0 && acknowledged.size > acknowledgedAtFull + 20) break
    }
    writer.kill('SIGKILL')
    await once(writer, 'exit')
    expect(rowsAtFull).toBe(acknowledgedAtFull * 2)
    await audit(where, acknowledged)
  })
})

describe('openStore', () => {
  it('picks the driver by scheme', async () => {
    const store = await openStore<SuiteTables>({ url: 'sqlite:', name: newName(), folder, migrations: suiteMigrations })
    opened.push(store)
    expect(await emails(store)).toEqual([])
  })

  it.each([
    ['mysql://user:secret@host/db', 'no store driver for mysql:; this build has sqlite:, postgres:, postgresql:'],
    ['constructor:', 'no store driver for constructor:; this build has sqlite:, postgres:, postgresql:'],
    ['secret', 'store: not a URL; it starts with a scheme, and this build has sqlite:, postgres:, postgresql:'],
    ['sqlite:secret', 'store: sqlite: takes nothing behind the colon; its file lies in the data folder'],
  ])('says what is wrong with %s, without repeating what may be a secret', async (url, message) => {
    const opening = openStore({ url, name: 'any', folder, migrations: {} })
    await expect(opening).rejects.toMatchObject({ name: 'DriverError', kind: 'invalid', message })
  })
})
