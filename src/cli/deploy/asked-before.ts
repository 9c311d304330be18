import { parseScale } from '../plan/plan.ts'
import type { KeptRecord } from './kept-record.ts'

/** What was asked for by flags: it holds for the next time, until something else is asked for. */
export interface Asked {
  /** Replicas by name. */
  readonly scale: ReadonlyMap<string, number>
  readonly image: string | undefined
}

/** Flags of a command line. */
interface Flags {
  readonly scale?: readonly string[]
  readonly image?: string
}

/**
 * What is asked for now, with what was before. Throws AppError `USAGE` for replicas that are none.
 * @param before of a folder of the same kind
 * @param names of what can have replicas: of others, such as a service that is gone, it is forgotten
 */
export function askedFor(flags: Flags, before: KeptRecord['asked'], names: readonly string[]): Asked {
  const known = Object.entries(before?.scale ?? {}).filter(([name]) => names.includes(name))
  const earlier = parseScale(
    known.map(([name, replicas]) => `${name}=${replicas}`),
    'what was kept of the last --scale',
  )
  return {
    scale: new Map([...earlier, ...parseScale(flags.scale ?? [])]),
    image: flags.image ?? before?.image,
  }
}

/** What of it nobody asked for this time, as flags; empty for nothing. */
export function unsaid({ scale, image }: Asked, flags: Flags): readonly string[] {
  const said = parseScale(flags.scale ?? [])
  const replicas = [...scale].filter(([name]) => !said.has(name)).map(([name, count]) => `--scale ${name}=${count}`)
  return [...replicas, ...(image === undefined || flags.image !== undefined ? [] : [`--image ${image}`])]
}

/** As it is kept; undefined for nothing. */
export function kept({ scale, image }: Asked): KeptRecord['asked'] {
  if (scale.size === 0 && image === undefined) return undefined
  const names = [...scale].sort(([a], [b]) => (a < b ? -1 : 1))
  return { ...(names.length > 0 && { scale: Object.fromEntries(names) }), ...(image !== undefined && { image }) }
}
