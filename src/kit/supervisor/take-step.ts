import { isHeldPort } from '../../drivers/system/held-port.ts'
import type { RunningHost } from '../host.ts'
import type { Step } from './protocol.ts'

/** Has a role take a step; resolves once it has. Rejects with why it can't. @param held the socket that came with it */
export async function takeStep(
  { cutover, reload, join }: Pick<RunningHost, 'cutover' | 'reload' | 'join'>,
  step: Step,
  held?: unknown,
): Promise<void> {
  switch (step.step) {
    case 'prepare':
      return cutover.prepare(step.to)
    case 'hold':
      return cutover.hold(step.cutover, step.ms)
    case 'begin':
      return cutover.begin(step.id, step.on)
    case 'reload':
      return reload(step.changes)
    case 'join':
      return join(isHeldPort(held) ? held : undefined)
  }
}
