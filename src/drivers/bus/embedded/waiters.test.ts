import { expect, it } from 'vitest'
import { DriverError } from '../../driver-error.ts'
import { Waiters } from './waiters.ts'

const never = new AbortController().signal

it('ends a wait when its signal fires, and keeps the others', async () => {
  const waiters = new Waiters()
  const given = new AbortController()
  const first = waiters.wait({ max: 1, until: 10, signal: given.signal })
  const second = waiters.wait({ max: 2, until: 10, signal: never })
  given.abort()
  expect(await first).toEqual([])
  expect(waiters.first()?.max).toBe(2)
  waiters.end()
  expect(await second).toEqual([])
})

it('ends those whose time is over and says when the next one is', async () => {
  const waiters = new Waiters()
  const short = waiters.wait({ max: 1, until: 10, signal: never })
  const long = waiters.wait({ max: 1, until: 20, signal: never })
  expect(waiters.expire(10)).toBe(20)
  expect(await short).toEqual([])
  expect(waiters.expire(20)).toBe(Number.POSITIVE_INFINITY)
  expect(await long).toEqual([])
})

it('puts one back in front that was taken in vain', () => {
  const waiters = new Waiters()
  void waiters.wait({ max: 1, until: 10, signal: never })
  void waiters.wait({ max: 2, until: 10, signal: never })
  const first = waiters.first()
  if (first === undefined) throw new Error('nobody waits')
  waiters.take(first)
  expect(waiters.first()?.max).toBe(2)
  waiters.putBack(first)
  expect(waiters.first()?.max).toBe(1)
})

it('fails all with the same fault', async () => {
  const waiters = new Waiters()
  const waits = [1, 2].map((max) => waiters.wait({ max, until: 10, signal: never }))
  waiters.fail(new DriverError('full', 'no room'))
  for (const wait of waits) await expect(wait).rejects.toMatchObject({ kind: 'full' })
  expect(waiters.size).toBe(0)
})
