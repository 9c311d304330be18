import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../clock.ts'
import { DriverError } from '../driver-error.ts'
import { GroupCommit, type GroupCommitLimits, type TransactionControl, type WorkScope } from './group-commit.ts'

const LIMITS: GroupCommitLimits = { queued: 100, batchWorks: 8, batchMs: 60_000, workMs: 60_000, lockMs: 10_000 }

/** A database of numbers that writes down what it is told, and fails when told to. */
class FakeDatabase implements TransactionControl {
  readonly told: string[] = []
  committed: number[] = []
  abortedBy: DriverError | undefined
  /** Asked at each `begin` and `commit`. */
  lockIsFree = () => true
  commitFault: () => DriverError | undefined = () => undefined
  #staged: number[] | undefined
  #atSavepoint: number[] = []

  get active(): boolean {
    return this.#staged !== undefined
  }

  begin(): boolean {
    if (!this.lockIsFree()) return false
    this.told.push('begin')
    this.abortedBy = undefined
    this.#staged = [...this.committed]
    return true
  }

  commit(): void {
    this.told.push('commit')
    const fault = this.commitFault()
    if (fault !== undefined) throw fault
    this.committed = this.#open()
    this.#staged = undefined
  }

  rollback(): void {
    this.told.push('rollback')
    this.#open()
    this.#staged = undefined
  }

  savepoint(): void {
    this.told.push('savepoint')
    this.#atSavepoint = [...this.#open()]
  }

  releaseSavepoint(): void {
    this.told.push('release')
    this.#open()
  }

  rollbackToSavepoint(): void {
    this.told.push('rollback to')
    this.#open()
    this.#staged = this.#atSavepoint
  }

  insert(row: number): void {
    this.#open().push(row)
  }

  /** Ends the transaction by itself, as SQLite may when a write finds no room. */
  abort(fault: DriverError): void {
    this.#staged = undefined
    this.abortedBy = fault
  }

  #open(): number[] {
    if (this.#staged === undefined) throw new Error('no transaction is open')
    return this.#staged
  }
}

class FakeWorkScope implements WorkScope {
  over = false
  end(): void {
    this.over = true
  }
}

function setUp(limits: Partial<GroupCommitLimits> = {}) {
  const database = new FakeDatabase()
  const commits = new GroupCommit(database, { ...LIMITS, ...limits }, systemClock)
  const submit = <T>(work: (scope: FakeWorkScope) => Promise<T>) => commits.submit(() => new FakeWorkScope(), work)
  return { database, commits, submit }
}

describe('group commit', () => {
  it('runs what is asked for at once inside one transaction, each behind a savepoint', async () => {
    const { database, submit } = setUp()
    const outcomes = await Promise.allSettled([
      submit(async () => database.insert(1)),
      submit(async () => {
        database.insert(2)
        throw new Error('no')
      }),
      submit(async () => database.insert(3)),
    ])
    expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(database.committed).toEqual([1, 3])
    expect(database.told).toEqual([
      ...['begin', 'savepoint', 'release', 'savepoint', 'rollback to', 'release', 'savepoint', 'release', 'commit'],
    ])
  })

  it('spares the disk a commit when nobody succeeded', async () => {
    const { database, submit } = setUp()
    await expect(submit(() => Promise.reject(new Error('no')))).rejects.toThrow('no')
    expect(database.told.at(-1)).toBe('rollback')
  })

  it('answers nobody before the commit, also not those that failed', async () => {
    const { database, submit } = setUp()
    const heard: string[] = []
    const failing = submit(() => Promise.reject(new Error('no'))).catch(() =>
      heard.push(`failed after ${database.told.at(-1)}`),
    )
    const good = submit(async () => {}).then(() => heard.push(`done after ${database.told.at(-1)}`))
    await Promise.all([failing, good])
    expect(heard.toSorted()).toEqual(['done after commit', 'failed after commit'])
  })

  it('gives everybody of a batch the error of its commit, and the next batch a fresh start', async () => {
    const { database, submit } = setUp()
    const full = new DriverError('full', 'no room')
    database.commitFault = () => full
    const outcomes = await Promise.allSettled([
      submit(async () => database.insert(1)),
      submit(() => Promise.reject(new Error('taken by one that never came to be'))),
    ])
    expect(outcomes).toEqual([
      { status: 'rejected', reason: full },
      { status: 'rejected', reason: full },
    ])
    expect(database.active).toBe(false)
    database.commitFault = () => undefined
    await submit(async () => database.insert(2))
    expect(database.committed).toEqual([2])
  })

  it('takes no more works into a batch than its limit', async () => {
    const { database, submit } = setUp({ batchWorks: 2 })
    await Promise.all([1, 2, 3, 4, 5].map((row) => submit(async () => database.insert(row))))
    expect(database.told.filter((what) => what === 'commit')).toHaveLength(3)
    expect(database.committed).toEqual([1, 2, 3, 4, 5])
  })

  it('ends a batch that takes long, and lets timers and sockets have a turn before the next', async () => {
    const { database, submit } = setUp({ batchMs: 0 })
    let turns = 0
    const timer = setInterval(() => {
      turns += 1
    })
    const slow = async () => {
      const until = performance.now() + 2
      while (performance.now() < until);
    }
    await Promise.all([1, 2, 3, 4].map(() => submit(slow)))
    clearInterval(timer)
    expect(database.told.filter((what) => what === 'commit')).toHaveLength(4)
    expect(turns).toBeGreaterThan(0)
  })

  it('refuses more than may wait', async () => {
    const { submit } = setUp({ queued: 2 })
    const waiting = [submit(async () => {}), submit(async () => {})]
    await expect(submit(async () => {})).rejects.toMatchObject({ kind: 'unavailable' })
    await Promise.all(waiting)
  })

  it('leaves a work behind that waits for something else, ends its scope, and goes on', async () => {
    const { database, submit } = setUp({ workMs: 5 })
    let scopeOfStuck: FakeWorkScope | undefined
    const stuck = submit((scope) => {
      scopeOfStuck = scope
      database.insert(1)
      return new Promise(() => {})
    })
    const next = submit(async () => database.insert(2))
    await expect(stuck).rejects.toMatchObject({
      kind: 'unavailable',
      message: expect.stringContaining('something else'),
    })
    await next
    expect(scopeOfStuck?.over).toBe(true)
    expect(database.committed).toEqual([2])
  })

  it('asks again while another process holds the lock', async () => {
    const { database, submit } = setUp()
    let held = 3
    database.lockIsFree = () => held-- <= 0
    await submit(async () => database.insert(1))
    expect(database.committed).toEqual([1])
  })

  it('gives up on a lock in time, tells all who wait, and takes it when it is free', async () => {
    const { database, submit } = setUp({ lockMs: 5 })
    database.lockIsFree = () => false
    const waiting = [submit(async () => database.insert(1)), submit(async () => database.insert(2))]
    for (const work of await Promise.allSettled(waiting))
      expect(work).toMatchObject({ reason: { kind: 'unavailable' } })
    database.lockIsFree = () => true
    await submit(async () => database.insert(3))
    expect(database.committed).toEqual([3])
  })

  it('closes when what was queued is done, and refuses what comes', async () => {
    const { database, commits, submit } = setUp({ batchWorks: 1 })
    const asked = [submit(async () => database.insert(1)), submit(async () => database.insert(2))]
    const closing = commits.close()
    await expect(submit(async () => {})).rejects.toMatchObject({ kind: 'closed' })
    await closing
    await commits.close()
    expect(database.committed).toEqual([1, 2])
    await Promise.all(asked)
  })

  it('keeps exactly the rows of those it told so, whatever fails', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(turn, { maxLength: 30 }),
        fc.array(fc.boolean(), { maxLength: 20 }),
        async (turns, faults) => {
          const { database, submit } = setUp({ batchWorks: 3 })
          database.commitFault = () => (faults.pop() ? new DriverError('full', 'no room') : undefined)
          const outcomes = await Promise.allSettled(
            turns.map(({ does, waits }, row) =>
              submit(async () => {
                database.insert(row)
                for (let waited = 0; waited < waits; waited += 1) await Promise.resolve()
                if (does === 'throw') throw new Error('planned')
                if (does === 'abort') database.abort(new DriverError('full', 'no room'))
              }),
            ),
          )
          const told = turns.flatMap((_, row) => (outcomes[row]?.status === 'fulfilled' ? [row] : []))
          expect(database.committed).toEqual(told)
          expect(database.active).toBe(false)
          for (const row of told) expect(turns[row]?.does).toBe('succeed')
        },
      ),
    )
  })
})

const turn = fc.record({
  does: fc.constantFrom('succeed', 'succeed', 'succeed', 'throw', 'abort'),
  waits: fc.integer({ min: 0, max: 3 }),
})
