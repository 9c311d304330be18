import { it } from 'vitest'
import { pause } from './pause.ts'

it('ends when its time is over, or when its signal fires, and does not begin after that', async () => {
  await pause(1, new AbortController().signal)
  const stop = new AbortController()
  const pausing = pause(60_000, stop.signal)
  stop.abort()
  await pausing
  await pause(60_000, stop.signal)
})
