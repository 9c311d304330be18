import { describe, expect, it, vi } from 'vitest'
import { Build } from './build.ts'

/** A build of which each run ends when it is told how, or killed. */
function theatre(after?: Promise<void>) {
  const runs: { end: (how: string) => void; readonly ended: Promise<string> }[] = []
  const build = new Build({
    command: 'make',
    ...(after && { after }),
    async start() {
      const { promise: ended, resolve: end } = Promise.withResolvers<string>()
      runs.push({ end, ended })
      const kill = () => end('SIGKILL')
      return { pid: 1, ended, exited: ended, stop: kill, kill }
    },
  })
  const started = (count: number) => vi.waitUntil(() => runs.length === count, { interval: 1, timeout: 20_000 })
  return { build, runs, started }
}

const never = new AbortController().signal

describe('a build', () => {
  it('ends when nobody waits for it any more, and is begun anew for the next', async () => {
    const { build, runs, started } = theatre()
    const [one, two] = [new AbortController(), new AbortController()]
    const waiting = [build.ensure(one.signal), build.ensure(two.signal)]
    await started(1)
    one.abort()
    await waiting[0]
    two.abort()
    await waiting[1]
    const next = build.ensure(never)
    expect(await runs[0]?.ended).toBe('SIGKILL')
    await started(2)
    runs[1]?.end('exit code 0')
    await next
    await build.ensure(never)
    expect(runs).toHaveLength(2)
  })

  it('goes on while one waits for it still', async () => {
    const { build, runs, started } = theatre()
    const one = new AbortController()
    const waiting = [build.ensure(one.signal), build.ensure(never)]
    await started(1)
    one.abort()
    await waiting[0]
    runs[0]?.end('exit code 0')
    await waiting[1]
    expect(await runs[0]?.ended).toBe('exit code 0')
  })

  it('that is renewed is not run beside the one before, and says whether it came to its end', async () => {
    const { build, runs, started } = theatre()
    const first = build.ensure(never)
    await started(1)
    const renewed = build.renew()
    runs[0]?.end('exit code 0')
    await first
    await started(2)
    runs[1]?.end('exit code 0')
    expect(await renewed).toBe(true)
    const again = build.renew()
    await started(3)
    const closed = build.close()
    expect(await again).toBe(false)
    await closed
    expect(await runs[2]?.ended).toBe('SIGKILL')
  })

  it('that is outdated is run again when it is asked for', async () => {
    const { build, runs, started } = theatre()
    for (const count of [1, 2]) {
      const built = build.ensure(never)
      await started(count)
      runs[count - 1]?.end('exit code 0')
      await built
      build.outdate()
    }
  })

  it('waits until what it follows has ended', async () => {
    const before = Promise.withResolvers<void>()
    const { build, runs, started } = theatre(before.promise)
    const waiting = build.ensure(never)
    await new Promise(setImmediate)
    expect(runs).toHaveLength(0)
    before.resolve()
    await started(1)
    runs[0]?.end('exit code 0')
    await waiting
  })
})
