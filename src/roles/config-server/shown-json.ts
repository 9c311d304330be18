import type { ConfigPath } from './contract.ts'
import { MASK } from './documents.ts'

/** A value with where it comes from. `text`, its JSON to the letter, is undefined for a secret that may not be seen, or can't be opened. */
export interface ShownValue {
  readonly text: string | undefined
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
  return objectJson(Array.from(values, ([key, { text }]) => [key, text]))
}

/** The same with where each value comes from; secrets that may not be seen are masked. */
export function describedJson({ service, environment, version, values }: Shown): string {
  const described = objectJson(Array.from(values, ([key, shown]) => [key, shownJson(shown)]))
  return `${JSON.stringify({ service, environment, version }).slice(0, -1)},"values":${described}}`
}

/** One value with where it comes from (contract.ts, DescribedValue); a secret that may not be seen is masked. */
export function shownJson({ text, secret, from }: ShownValue): string {
  return `{"value":${text ?? JSON.stringify(MASK)},"secret":${secret},"from":${JSON.stringify(from)}}`
}

/** What a version made of the keys that changed with it: `{"key":{"value":…,"secret":…}}`, those that it removed left out. */
export function changedJson(keys: readonly string[], values: ReadonlyMap<string, ShownValue>): string {
  return objectJson(
    keys.map((key) => {
      const shown = values.get(key)
      return [key, shown && `{"value":${shown.text ?? JSON.stringify(MASK)},"secret":${shown.secret}}`]
    }),
  )
}

/** Members that have a text, by name. */
function objectJson(members: readonly (readonly [string, string | undefined])[]): string {
  const present = members.filter(([, text]) => text !== undefined).sort(([one], [other]) => (one < other ? -1 : 1))
  return `{${present.map(([key, text]) => `${JSON.stringify(key)}:${text}`).join(',')}}`
}
