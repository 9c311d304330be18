import { readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../clock.ts'
import { openDatabase } from './database.ts'
import { never, useEmbeddedBus } from './testing/embedded-bus-fixture.ts'

const use = useEmbeddedBus()
const { open, reopen, publish, pull, query } = use

describe('its file', () => {
  it('is the owner’s alone, as is a folder it makes', async () => {
    await publish('a', '1')
    const mode = async (path: string) => (await stat(path)).mode & 0o777
    expect(await mode(join(use.folder, 'bus.db'))).toBe(0o600)
    expect(await mode(join(use.folder, 'bus.db-wal'))).toBe(0o600)
    await reopen({ folder: join(use.folder, 'made', 'here') })
    expect(await mode(join(use.folder, 'made', 'here'))).toBe(0o700)
  })

  it('belongs to one process at a time', async () => {
    const second = openDatabase(use.folder, systemClock, 60)
    await expect(second).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringContaining('in use') })
    const third = openDatabase(use.folder, systemClock)
    await use.bus.close()
    const { database, lock } = await third
    database.close()
    lock.release()
    await open()
  })

  it('may be read by others while it is open, and stops at one who writes to it', async () => {
    await publish('a', '1')
    const other = new DatabaseSync(join(use.folder, 'bus.db'))
    expect(other.prepare('SELECT count(*) AS count FROM messages').get()).toEqual({ count: 1 })
    other.exec('BEGIN IMMEDIATE; ROLLBACK')
    await publish('a', '2')
    other.exec("UPDATE messages SET id = 'other'")
    other.close()
    const stopped = { kind: 'unavailable', message: expect.stringContaining('written by another program') }
    await expect(publish('a', '3')).rejects.toMatchObject(stopped)
    await expect(use.bus.check(never)).rejects.toMatchObject(stopped)
    expect(await use.bus.unsound).toMatchObject(stopped)
    await reopen()
    expect(await publish('a', '3')).toMatchObject([{ offset: 3 }])
  })

  it('is not touched when a newer version wrote it', async () => {
    await use.bus.close()
    const [{ user_version: version } = {}] = query('PRAGMA user_version')
    query('PRAGMA user_version = 99')
    await expect(open()).rejects.toMatchObject({
      kind: 'invalid',
      message: expect.stringContaining(`its tables are of version 99, and this program knows ${version}`),
    })
    query(`PRAGMA user_version = ${version}`)
    await open()
  })

  it('is brought up to date when an older version wrote it, and nothing comes twice or is lost', async () => {
    await use.bus.close()
    await rm(join(use.folder, 'bus.db'))
    const db = new DatabaseSync(join(use.folder, 'bus.db'))
    db.exec(await readFile(new URL('testing/bus-version-1.sql', import.meta.url), 'utf8'))
    db.close()
    await open()
    const [all, one, group] = await use.bus.subscriptions()
    expect(all).toMatchObject({ topic: '>', pending: 3, expiresAfterMs: 86_400_000 })
    expect(one).toMatchObject({ topic: 'a', pending: 1 })
    expect(group).not.toHaveProperty('expiresAfterMs')
    await publish('b', 'b3')
    expect((await pull(all?.id ?? '')).map((d) => d.id)).toEqual(['b1', 'a2', 'b2', 'b3'])
    expect((await pull(one?.id ?? '')).map((d) => d.id)).toEqual(['a2'])
    await reopen()
    expect((await pull(all?.id ?? '')).map((d) => [d.id, d.delivery])).toEqual([
      ['b1', 2],
      ['a2', 2],
      ['b2', 2],
      ['b3', 2],
    ])
  })

  it('that is no database is reported, and not overwritten', async () => {
    await use.bus.close()
    const other = join(use.folder, 'other')
    await open({ folder: other })
    await use.bus.close()
    await writeFile(join(other, 'bus.db'), 'this is a letter to my aunt, and no database at all'.repeat(100))
    await expect(open({ folder: other })).rejects.toMatchObject({ kind: 'damaged' })
    expect(await readFile(join(other, 'bus.db'), 'utf8')).toContain('my aunt')
    await open()
  })
})
