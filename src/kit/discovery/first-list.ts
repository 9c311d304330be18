import { aborted } from '../pause.ts'
import type { Directory } from './directory.ts'

/** Longest wait for the registry to say who is there, milliseconds. */
const DISCOVERY_MS = 1_000

/** Waits a moment for the directory, so that the first request after a start doesn't come too early; a registry may be down, though. */
export async function firstList(directory: Pick<Directory, 'settled'>, signal: AbortSignal): Promise<void> {
  await Promise.race([directory.settled, aborted(AbortSignal.any([signal, AbortSignal.timeout(DISCOVERY_MS)]))])
}
