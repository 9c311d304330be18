import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { DriverError } from '../../driver-error.ts'
import { GroupCommit } from './group-commit.ts'

const SOUND: ConstructorParameters<typeof GroupCommit>[2] = {
  want: () => {},
  note: () => {},
  refuseForeign: () => {
    throw new DriverError('unavailable', 'somebody else wrote')
  },
}

describe('GroupCommit', () => {
  let db: DatabaseSync
  let commit: GroupCommit
  let commits: number
  const insert = (value: unknown) => db.prepare('INSERT INTO t VALUES (?)').run(String(value))
  const stored = () =>
    db
      .prepare('SELECT v FROM t')
      .all()
      .map((row) => row.v)

  beforeEach(() => {
    db = new DatabaseSync(':memory:')
    db.exec('CREATE TABLE t(v TEXT UNIQUE)')
    commits = 0
    commit = new GroupCommit(
      db,
      () => {
        commits++
      },
      SOUND,
    )
  })

  it('runs what is asked for in one turn in one transaction, in order', async () => {
    const values = Array.from({ length: 10 }, (_, i) => i)
    expect(await Promise.all(values.map((v) => commit.run(() => Number(insert(v).changes) + v)))).toEqual(
      values.map((v) => v + 1),
    )
    expect(commits).toBe(1)
    expect(stored()).toEqual(values.map(String))
  })

  it('refuses the work that throws a DriverError, and no other', async () => {
    const refused = commit.run(() => {
      throw new DriverError('not-found', 'nothing there')
    })
    const done = commit.run(() => insert('a'))
    await expect(refused).rejects.toMatchObject({ kind: 'not-found' })
    await done
    expect(stored()).toEqual(['a'])
  })

  it('takes memory and rows back when work fails, and keeps what the others did', async () => {
    const memory: string[] = []
    const told: string[] = []
    const work = (value: string) =>
      commit.run((tx) => {
        memory.push(value)
        tx.undo(() => memory.splice(memory.lastIndexOf(value), 1))
        tx.after(() => told.push(value))
        insert(value)
      })
    const results = await Promise.allSettled([work('a'), work('b'), work('a'), work('c')])
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
    expect(results[2]).toMatchObject({ reason: { name: 'DriverError', kind: 'unavailable' } })
    expect(stored()).toEqual(['a', 'b', 'c'])
    expect(memory).toEqual(['a', 'b', 'c'])
    expect(told).toEqual(['a', 'b', 'c'])
  })

  it('commits what is queued when it closes, then refuses', async () => {
    const last = commit.run(() => insert('last'))
    commit.close()
    expect(stored()).toEqual(['last'])
    await last
    await expect(commit.run(() => insert('late'))).rejects.toMatchObject({ kind: 'closed' })
  })

  describe('while another process has the lock', () => {
    let folder: string
    let other: DatabaseSync

    beforeEach(() => {
      folder = mkdtempSync(join(tmpdir(), 'msvc-commit-'))
      db = new DatabaseSync(join(folder, 'a.db'))
      db.exec('PRAGMA journal_mode = wal; CREATE TABLE t(v TEXT UNIQUE)')
      commit = new GroupCommit(db, () => {}, SOUND)
      other = new DatabaseSync(join(folder, 'a.db'))
      other.exec('BEGIN IMMEDIATE')
    })
    afterEach(() => {
      commit.close()
      other.close()
      db.close()
      rmSync(folder, { recursive: true })
    })

    it('waits without holding up the event loop, and keeps the order', async () => {
      const works = [commit.run(() => insert('a'))]
      for (let turn = 0; turn < 3; turn++) await sleep(10)
      works.push(commit.run(() => insert('b')))
      await sleep(10)
      expect(stored()).toEqual([])
      other.exec('ROLLBACK')
      await Promise.all(works)
      expect(stored()).toEqual(['a', 'b'])
    })

    it('waits for it among works that are run one by one, too', async () => {
      other.exec('ROLLBACK')
      const works = ['a', 'a', 'b'].map((value) =>
        commit.run((tx) => {
          insert(value)
          tx.after(() => value === 'a' && other.exec('BEGIN IMMEDIATE'))
        }),
      )
      await works[0]
      expect(stored()).toEqual(['a'])
      other.exec('ROLLBACK')
      const results = await Promise.allSettled(works)
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect(stored()).toEqual(['a', 'b'])
    })

    it('refuses when somebody else has written', async () => {
      other.exec("INSERT INTO t VALUES ('theirs'); COMMIT")
      await expect(commit.run(() => insert('a'))).rejects.toThrow('somebody else wrote')
      expect(stored()).toEqual(['theirs'])
    })
  })
})
