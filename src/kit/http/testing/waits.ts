import { Waits } from '../waits.ts'
import { DEFAULT_LIMITS } from './listener-limits.ts'

/** For tests: the waits of a role that nobody configured, but for what is given. */
export function testWaits(signal: AbortSignal, limits: Partial<ConstructorParameters<typeof Waits>[0]> = {}): Waits {
  return new Waits({ ...DEFAULT_LIMITS, ...limits }, signal)
}
