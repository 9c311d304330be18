import { describe, expect, it } from 'vitest'
import { KeyOrder } from './key-order.ts'

describe('the order of a key', () => {
  it('holds where the first one fails: those behind it of its key are not begun, all others are', async () => {
    const order = new KeyOrder()
    const begun: string[] = []
    const begin = (key: string | undefined, id: string, fault?: Error) =>
      order.do(key, async () => {
        begun.push(id)
        if (fault !== undefined) throw fault
        return id
      })
    const fault = new Error('no room')
    const outcomes = await Promise.allSettled([
      begin('x', 'x-1', fault),
      begin('x', 'x-2'),
      begin('y', 'y-1'),
      begin(undefined, '1'),
      begin('y', 'y-2'),
      begin('x', 'x-3'),
    ])
    expect(begun).toEqual(['x-1', 'y-1', '1', 'y-2'])
    expect(outcomes.filter(({ status }) => status === 'rejected')).toEqual(
      Array(3).fill({ status: 'rejected', reason: fault }),
    )
  })
})
