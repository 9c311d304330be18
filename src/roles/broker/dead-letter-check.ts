import type { BusAdministration } from '../../drivers/bus/administration.ts'
import { AppError } from '../../kit/errors.ts'

/** Most that are counted. */
const MOST = 1_000

/** Whether messages wait that nobody will handle by himself. Throws AppError `UNAVAILABLE` that says how many, for the role's health. */
export async function checkDeadLetters(bus: Pick<BusAdministration, 'countDeadLetters'>): Promise<void> {
  const count = await bus.countDeadLetters(MOST)
  if (count === 0) return
  const many =
    count === 1 ? '1 message is a dead letter' : `${count < MOST ? count : `${MOST} or more`} messages are dead letters`
  throw new AppError(
    'UNAVAILABLE',
    `${many}: look at them (msvc dead-letters list, or /broker/dead-letters), then redrive or discard them`,
  )
}
