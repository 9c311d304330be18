import { AppError } from '../errors.ts'
import type { RunningHost } from '../host.ts'
import type { Job } from './job.ts'
import { Order, type ParentChannel, type Report, type Step } from './protocol.ts'
import { reasonOf, startCode } from './reason.ts'
import { takeStep } from './take-step.ts'

/**
 * The life of a role in a process under a supervisor: says that it is loaded, waits for `start`, runs the role, stops when the
 * signal fires, or it is told to; answers probes all the while. Resolves when all is closed, also when the role refused to start: the supervisor has been told why.
 * Throws what a role was broken by, once it is closed.
 */
export async function runSupervised(
  parent: ParentChannel,
  run: (job: Job) => Promise<RunningHost>,
  signal: AbortSignal,
): Promise<void> {
  const report = (message: Report) => parent.send(message)
  let host: RunningHost | undefined
  const job = Promise.withResolvers<Job | undefined>()
  const stop = Promise.withResolvers<void>()
  const leave = () => {
    job.resolve(undefined)
    stop.resolve()
  }
  signal.addEventListener('abort', leave, { once: true })
  parent.onMessage((message, held) => {
    const order = Order.safeParse(message).data
    if (order?.type === 'start') job.resolve(order.job)
    if (order?.type === 'stop') leave()
    if (order?.type === 'probe') report({ type: 'alive' })
    if (order?.type === 'step') void answer(order.number, order.step, held)
  })
  async function answer(number: number, step: Step, held: unknown) {
    try {
      if (!host) throw new AppError('CONFLICT', 'The role has not started')
      await takeStep(host, step, held)
      report({ type: 'stepped', number })
    } catch (fault) {
      report({ type: 'stepped', number, fault: reasonOf(fault) })
    }
  }

  report({ type: 'booted' })
  const given = await job.promise
  if (given === undefined || signal.aborted) return
  try {
    host = await run(given)
  } catch (fault) {
    report({ type: 'refused', code: startCode(fault), message: reasonOf(fault) })
    return
  }
  const { service, instance, url, advertised } = host
  report({ type: 'ready', service, instance, url, advertised })
  const fault = await Promise.race([stop.promise, host.broken])
  await host.stop()
  if (fault) throw fault
}
