import { pause } from '../pause.ts'
import type { LaunchedUnit } from './unit.ts'

/** How long a sign of life may take, milliseconds. */
const PROBE_MS = 1_000
/** Probes without an answer after which a unit counts as silent: a busy one may miss one or two. */
const SILENT_AFTER = 3

export interface LivenessOptions {
  /** How long it may be silent, milliseconds; asked with each probe. */
  readonly longestMs: () => number
  /** Told when it has missed some probes in a row, and when it answers again. */
  readonly onSilence: (isSilent: boolean) => void
}

/**
 * Resolves with how a unit ends, and ends one that gives no sign of life: it is asked for one each second. What counts is probes, since a
 * supervisor that stood still itself has not asked meanwhile.
 */
export async function endOf(unit: Pick<LaunchedUnit, 'probe' | 'kill' | 'exited'>, options: LivenessOptions) {
  const ended = new AbortController()
  const exited = unit.exited.then((how) => {
    ended.abort()
    return how
  })
  const silentMs = await longSilence(() => unit.probe(), options, ended.signal)
  if (silentMs === undefined) return exited
  unit.kill()
  await exited
  return `no sign of life for ${silentMs / 1_000} s`
}

/** Resolves with the length of a silence that is too long, or with undefined when the signal fires. */
async function longSilence(
  probe: () => Promise<void>,
  { longestMs, onSilence }: LivenessOptions,
  signal: AbortSignal,
): Promise<number | undefined> {
  for (let missed = 0; ; ) {
    let heard = false
    void probe().then(() => {
      heard = true
    })
    await pause(PROBE_MS, signal)
    if (signal.aborted) return undefined
    if (heard && missed >= SILENT_AFTER) onSilence(false)
    missed = heard ? 0 : missed + 1
    if (missed === SILENT_AFTER) onSilence(true)
    if (missed * PROBE_MS >= Math.max(PROBE_MS, longestMs())) return missed * PROBE_MS
  }
}
