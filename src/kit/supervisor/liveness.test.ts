import { beforeEach, expect, it, onTestFinished, vi } from 'vitest'
import { endOf } from './liveness.ts'

beforeEach(() => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
})

/** A watch over a unit that answers as the test says. */
function watch(longestMs: number) {
  const told: string[] = []
  const exited = Promise.withResolvers<string>()
  const unit = { answers: true }
  const launched = {
    probe: () => (unit.answers ? Promise.resolve() : new Promise<void>(() => {})),
    kill: () => exited.resolve('SIGKILL'),
    exited: exited.promise,
  }
  const onSilence = (isSilent: boolean) => void told.push(isSilent ? 'silent' : 'heard')
  void endOf(launched, { longestMs: () => longestMs, onSilence }).then((why) => told.push(why))
  return { told, unit, end: () => exited.resolve('exit code 0') }
}

it('ends a unit that hangs for so long, and tells that it is silent before', async () => {
  const { told, unit } = watch(30_000)
  await vi.advanceTimersByTimeAsync(60_000)
  expect(told).toEqual([])
  unit.answers = false
  await vi.advanceTimersByTimeAsync(4_000)
  expect(told).toEqual(['silent'])
  await vi.advanceTimersByTimeAsync(26_000)
  expect(told).toEqual(['silent'])
  await vi.advanceTimersByTimeAsync(1_000)
  expect(told).toEqual(['silent', 'no sign of life for 30 s'])
})

it('forgets the silence of one that answers again', async () => {
  const { told, unit } = watch(30_000)
  for (let round = 0; round < 3; round++) {
    unit.answers = false
    await vi.advanceTimersByTimeAsync(20_000)
    unit.answers = true
    await vi.advanceTimersByTimeAsync(2_000)
  }
  expect(told).toEqual(['silent', 'heard', 'silent', 'heard', 'silent', 'heard'])
})

it('tells how one ended by itself, and asks it no more', async () => {
  const { told, end } = watch(1_000)
  end()
  await vi.advanceTimersByTimeAsync(0)
  expect(told).toEqual(['exit code 0'])
  expect(vi.getTimerCount()).toBe(0)
})
