import { describe, expect, it } from 'vitest'
import { createLifecycle } from './lifecycle.ts'

describe('createLifecycle', () => {
  it('closes in reverse order, also past a failure', async () => {
    const faults: unknown[] = []
    const order: number[] = []
    const life = createLifecycle((fault) => faults.push(fault))
    life.defer(() => void order.push(1))
    life.defer(() => Promise.reject(new Error('stuck')))
    life.defer(async () => void order.push(3))
    await life.stop()
    expect(order).toEqual([3, 1])
    expect(faults).toEqual([new Error('stuck')])
  })

  it('fires its signal before the first cleanup', async () => {
    const life = createLifecycle(() => {})
    let fired = false
    life.defer(() => {
      fired = life.signal.aborted
    })
    await life.stop()
    expect(fired).toBe(true)
  })

  it('stops once, however often it is asked', async () => {
    let runs = 0
    const life = createLifecycle(() => {})
    life.defer(() => void runs++)
    await Promise.all([life.stop(), life.stop()])
    expect(runs).toBe(1)
  })

  it('takes nothing more once it is stopping', async () => {
    const life = createLifecycle(() => {})
    await life.stop()
    expect(() => life.defer(() => {})).toThrow(expect.objectContaining({ code: 'STOPPING' }))
  })
})
