import { tmpdir } from 'node:os'
import { expect, it } from 'vitest'
import { DriverError } from './driver-error.ts'
import { freeBytes, WriteProbe } from './write-probe.ts'

it('writes once for all who ask within a second, and again after', async () => {
  let now = 0
  let writes = 0
  let fault: Error | undefined
  const clock = { monotonic: () => now }
  const write = async () => {
    writes++
    if (fault) throw fault
  }
  const probe = new WriteProbe({ folder: tmpdir(), clock, write })
  await Promise.all([probe.check(), probe.check()])
  fault = new DriverError('full', 'no room')
  now = 999
  await probe.check()
  expect(writes).toBe(1)
  now = 1_000
  for (let asked = 0; asked < 3; asked++) await expect(probe.check()).rejects.toThrow('no room')
  expect(writes).toBe(2)
  fault = undefined
  now = 2_000
  await probe.check()
  expect(writes).toBe(3)
})

it('knows how much is free', () => {
  expect(freeBytes(tmpdir())).toBeGreaterThan(0)
})
