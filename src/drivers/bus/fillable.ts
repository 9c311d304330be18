import { DriverError } from '../driver-error.ts'
import type { BusSnapshot } from './transfer.ts'

/** Refuses a bus that holds anything, unless this very run fills it. Rejects with DriverError `conflict`, and as its methods do. @param run names the run for good */
export async function wantFillable(target: Pick<BusSnapshot, 'filledBy' | 'counts'>, run: string): Promise<void> {
  if (target.filledBy === run) return
  const { topics, messages, subscriptions, deadLetters, delayed } = await target.counts()
  if (topics + messages + subscriptions + deadLetters + delayed === 0) return
  throw new DriverError(
    'conflict',
    `the target bus holds ${messages} messages and ${subscriptions} subscriptions already, not of this migration: name another (nats://host:4222/other-name), or take its streams away`,
  )
}
