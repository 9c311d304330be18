import { DatabaseSync } from 'node:sqlite'
import { beforeEach, describe, expect, it } from 'vitest'
import { DriverError } from '../../driver-error.ts'
import { GroupCommit } from './group-commit.ts'

const SOUND = { want: () => {}, note: () => {} }

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
})
