import type { RunningHost } from '../host.ts'
import type { Step } from './protocol.ts'

/** Has a role take a step of a cutover; resolves once it has. Rejects with why it can't. */
export async function takeStep(cutover: RunningHost['cutover'], step: Step): Promise<void> {
  if (step.step === 'prepare') await cutover.prepare(step.to)
  else if (step.step === 'hold') await cutover.hold(step.cutover, step.ms)
  else await cutover.begin(step.id, step.on)
}
