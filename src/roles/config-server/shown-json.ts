import type { ConfigPath } from './contract.ts'
import { MASK } from './documents.ts'

/** A value with where it comes from. `value` is undefined for a secret that may not be seen, or can't be opened. */
export interface ShownValue {
  readonly value: unknown
  readonly secret: boolean
  readonly from: string
}

/** All that holds for one service in one environment, the layers below it merged in. */
export interface Shown extends ConfigPath {
  /** Of the configuration itself; 0 when there is none. */
  readonly version: number
  readonly values: ReadonlyMap<string, ShownValue>
}

/** The flat object the seed's client reads: secrets that may not be seen are left out, so that its defaults hold. */
export function flatJson({ values }: Shown): string {
  const seen = [...values].filter(([, { value }]) => value !== undefined).sort(byKey)
  return JSON.stringify(Object.fromEntries(seen.map(([key, { value }]) => [key, value])))
}

/** The same with where each value comes from; secrets that may not be seen are masked. */
export function describedJson({ service, environment, version, values }: Shown): string {
  const described = [...values].sort(byKey).map(([key, shown]) => [key, { ...shown, value: maskOf(shown) }])
  return JSON.stringify({ service, environment, version, values: Object.fromEntries(described) })
}

/** What stands for a value that is not there to be shown. */
export function maskOf({ secret, value }: ShownValue): unknown {
  return secret && value === undefined ? MASK : value
}

function byKey([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number {
  return one < other ? -1 : 1
}
