import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

const MB = 1_048_576
const LOOK_MS = 20

/** Most memory in use, garbage left out, beyond what was at the beginning, while `work` runs: buffers and heap, MB. */
export async function peakOf(work: () => Promise<unknown>): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  const used = () => {
    // the second time ends what other threads, which get no processor on a busy machine, have yet to free of the first
    for (let time = 0; time < 2; time++) if (typeof collect === 'function') collect()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return (heapUsed + arrayBuffers) / MB
  }
  const before = used()
  let peak = 0
  let timer: NodeJS.Timeout | undefined
  const look = () => {
    const began = performance.now()
    peak = Math.max(peak, used() - before)
    // the work has as much time as collecting takes, which is long on a busy machine
    timer = setTimeout(look, Math.max(LOOK_MS, performance.now() - began))
  }
  timer = setTimeout(look, LOOK_MS)
  try {
    await work()
  } finally {
    clearTimeout(timer)
  }
  return peak
}
