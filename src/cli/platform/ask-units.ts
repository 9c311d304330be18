import type * as z from 'zod'
import { controlAddress } from '../../kit/supervisor/control-address.ts'
import { connectControl } from '../../kit/supervisor/control-client.ts'
import { Units } from '../../kit/supervisor/control-protocol.ts'

/** How long the platform may take to answer, milliseconds. */
const ANSWER_MS = 2_000

/**
 * What the platform on a data folder says of its units; `silent` when it gives no answer, undefined while it takes no requests: it is starting or doesn't
 * run, or the signal fires. Never rejects.
 */
export async function askUnits(
  data: string,
  signal: AbortSignal,
): Promise<z.infer<typeof Units> | 'silent' | undefined> {
  const late = AbortSignal.timeout(ANSWER_MS)
  try {
    const control = await connectControl(controlAddress(data))
    try {
      return await control.ask({ do: 'list' }, Units, AbortSignal.any([signal, late]))
    } finally {
      control.close()
    }
  } catch {
    return late.aborted && !signal.aborted ? 'silent' : undefined
  }
}
