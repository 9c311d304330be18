import * as z from 'zod'
import type { RunningHost } from '../host.ts'
import type { Job } from './member.ts'
import type { ParentChannel, Report } from './protocol.ts'
import { reasonOf } from './reason.ts'

/** The order comes from the process that started this one, with the same code: its shape is certain once its type is. */
const Order = z.object({
  type: z.literal('start'),
  job: z.custom<Job>((job) => typeof job === 'object' && job !== null),
})

/**
 * The life of a role in a process under a supervisor: says that it is loaded, waits for `start`, runs the role, stops when the
 * signal fires. Resolves when all is closed, also when the role refused to start: the supervisor has been told why.
 */
export async function runSupervised(
  parent: ParentChannel,
  run: (job: Job) => Promise<RunningHost>,
  signal: AbortSignal,
): Promise<void> {
  const report = (message: Report) => parent.send(message)
  const job = Promise.withResolvers<Job | undefined>()
  const stop = Promise.withResolvers<void>()
  signal.addEventListener(
    'abort',
    () => {
      job.resolve(undefined)
      stop.resolve()
    },
    { once: true },
  )
  parent.onMessage((message) => {
    const order = Order.safeParse(message)
    if (order.success) job.resolve(order.data.job)
  })
  report({ type: 'booted' })
  const given = await job.promise
  if (given === undefined || signal.aborted) return
  let host: RunningHost
  try {
    host = await run(given)
  } catch (fault) {
    report({ type: 'refused', message: reasonOf(fault) })
    return
  }
  report({ type: 'ready', service: host.service, instance: host.instance, url: host.url })
  await stop.promise
  await host.stop()
}
