import { isDeepStrictEqual } from 'node:util'
import type { BusPlace } from '../../drivers/bus/contract.ts'
import { wantFillable } from '../../drivers/bus/fillable.ts'
import { checkBusSizes, fillBus, readBus } from '../../drivers/bus/open.ts'
import type { BusCounts, BusSnapshot } from '../../drivers/bus/transfer.ts'
import { AppError } from '../errors.ts'
import { type BusDigest, busDigest } from './bus-digest.ts'
import { fillFrom } from './bus-filling.ts'
import type { Step } from './store-move.ts'

/** Where a bus is moved from and to. */
export interface BusMove {
  readonly from: BusPlace
  readonly to: BusPlace
  /** Names the run. */
  readonly run: string
  /** Whether what stands in the target's place is set aside before, so that it doesn't matter what it holds. Default false. */
  readonly isCleared?: boolean
  readonly signal: AbortSignal
  readonly onProgress: (step: Step) => void
}

/**
 * Looks at both sides, changes nothing, and says what is there to move; undefined where there is no bus yet. Rejects with DriverError, `conflict` for a target
 * that holds something of others, `too-large` for a message that the target would not take.
 */
export async function planBus({ from, to, run, isCleared = false }: BusMove): Promise<BusCounts | undefined> {
  const source = await readBus(from)
  if (source === undefined) return undefined
  try {
    const target = isCleared ? undefined : await readBus(to)
    try {
      if (target) await wantFillable(target, run)
    } finally {
      await target?.close()
    }
    await checkBusSizes(to, await source.largest())
    return await source.counts()
  } finally {
    await source.close()
  }
}

/**
 * Copies a bus and compares both sides. Rejects with DriverError, AppError `CONFLICT` where both sides are not the same in the end, and the signal's reason.
 * @returns what was compared; undefined where there was nothing to move
 */
export async function moveBus(move: BusMove): Promise<BusDigest | undefined> {
  const { from, to, run, signal, onProgress } = move
  const source = await readBus(from)
  if (source === undefined) return undefined
  try {
    const { messages } = await source.counts()
    const filling = await fillBus(to, run)
    try {
      let done = 0
      const onCopied = (more: number) => {
        done += more
        onProgress({ what: 'copying messages', done, of: messages })
      }
      await fillFrom(source, filling, { signal, onCopied })
    } finally {
      await filling.close()
    }
    return await compare(source, messages, move)
  } finally {
    await source.close()
  }
}

/** The bus is filled, and like any other from now on. Rejects with DriverError. */
export async function endBus({ to, run }: Pick<BusMove, 'to' | 'run'>): Promise<void> {
  const filling = await fillBus(to, run)
  try {
    await filling.end()
  } finally {
    await filling.close()
  }
}

async function compare(source: BusSnapshot, messages: number, { to, signal, onProgress }: BusMove): Promise<BusDigest> {
  let done = 0
  const onRead = (more: number) => {
    done += more
    onProgress({ what: 'comparing messages', done, of: 2 * messages })
  }
  const target = await readBus(to)
  try {
    const original = await busDigest(source, { signal, onRead })
    const copy = target && (await busDigest(target, { signal, onRead }))
    if (copy && isDeepStrictEqual(original, copy)) return copy
    throw new AppError(
      'CONFLICT',
      `both buses are not the same: ${copy ? difference(original, copy) : 'there is none'}`,
    )
  } finally {
    await target?.close()
  }
}

/** The first thing that differs, by its name. */
function difference(original: BusDigest, copy: BusDigest): string {
  for (const kind of ['topics', 'subscriptions'] as const) {
    for (const name of new Set([...Object.keys(original[kind]), ...Object.keys(copy[kind])])) {
      const [one, other] = [original[kind][name], copy[kind][name]]
      if (!isDeepStrictEqual(one, other)) return `${kind}: ${name}: ${JSON.stringify(one)} and ${JSON.stringify(other)}`
    }
  }
  return isDeepStrictEqual(original.deadLetters, copy.deadLetters) ? 'delayed messages' : 'dead letters'
}
