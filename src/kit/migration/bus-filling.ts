import type { BusFilling, BusSnapshot } from '../../drivers/bus/transfer.ts'

/** How a bus is filled. */
export interface FillOptions {
  readonly signal: AbortSignal
  /** Told how many more messages are in the target. */
  readonly onCopied?: (messages: number) => void
}

/** Copies the messages that a bus doesn't have yet. Rejects with DriverError, and the signal's reason. */
export async function copyMessages(source: BusSnapshot, target: BusFilling, options: FillOptions): Promise<void> {
  for await (const part of source.messages(target.place)) {
    options.signal.throwIfAborted()
    await target.add(part)
    options.onCopied?.(part.length)
  }
}

/**
 * Makes a bus hold what another holds. May be ended at any moment and done again, also when the source has gone on meanwhile. Rejects with DriverError, and
 * the signal's reason.
 */
export async function fillFrom(source: BusSnapshot, target: BusFilling, options: FillOptions): Promise<void> {
  await copyMessages(source, target, options)
  options.signal.throwIfAborted()
  await target.complete(source)
}
