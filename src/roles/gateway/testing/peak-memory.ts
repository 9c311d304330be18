import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const MB = 1_048_576

/** Most memory in use, garbage left out, beyond what was at the beginning, while `work` runs: buffers and heap, MB. */
export async function peakOf(work: () => Promise<unknown>): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  const used = () => {
    if (typeof collect === 'function') collect()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return (heapUsed + arrayBuffers) / MB
  }
  const before = used()
  let peak = 0
  const timer = setInterval(() => {
    peak = Math.max(peak, used() - before)
  }, 20)
  await work()
  clearInterval(timer)
  return peak
}
