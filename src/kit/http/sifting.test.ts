import { expect, it } from 'vitest'
import { AppError } from '../errors.ts'
import { sift } from './sifting.ts'

/** Sifts so many items, of which those that the rule says are faulty. */
function sifted(count: number, isFaulty: (index: number) => boolean) {
  let read = 0
  const take = (_: Buffer, index: number) => {
    read++
    if (isFaulty(index)) throw new AppError('INVALID_REQUEST', 'Invalid item', { detail: `Item ${index} is none` })
    return index
  }
  const walk = async (each: (bytes: Buffer, index: number) => void) => {
    for (let index = 0; index < count; index++) each(Buffer.alloc(0), index)
  }
  return sift(take, walk, false).then(
    ({ items, rejected }) => ({ items: items.length, rejected: rejected.length, read }),
    ({ code, detail }: AppError) => ({ code, detail, read }),
  )
}

it('takes what is good beside a thousand faulty items, or behind a hundred', async () => {
  expect(await sifted(1_500, (index) => index % 3 > 0)).toEqual({ items: 500, rejected: 1_000, read: 1_500 })
  expect(await sifted(101, (index) => index < 100)).toEqual({ items: 1, rejected: 100, read: 101 })
})

it.each([
  ['all of a hundred and one', () => true, 0, 100],
  ['more than a thousand', (index: number) => index > 0, 1, 1_001],
])('refuses a batch when %s are faulty, and looks no further', async (_, isFaulty, first, last) => {
  const detail = `Item ${first} is none. Too many items of this batch are like that, up to the one at index ${last}: none was taken`
  expect(await sifted(5_000, isFaulty)).toEqual({ code: 'INVALID_REQUEST', detail, read: last + 1 })
})
