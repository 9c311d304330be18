import type * as z from 'zod'
import { describeValue, explain } from '../../kit/config/explain.ts'
import { nearest } from '../../kit/nearest.ts'
import { DEFAULT, type LiveKeys } from './contract.ts'

/** What services take while they run, by name. A service that isn't there takes anything. */
export type LiveSettings = Readonly<Record<string, z.ZodObject>>

/** Why a value would be taken by nobody, or not by all whom it would be for; nothing where it is fine. A value for all services has to suit those that know its key. */
export function liveFaults(live: LiveSettings, service: string, key: string, value: unknown): readonly string[] {
  if (service === DEFAULT) {
    const knowing = Object.entries(live).filter(([, { shape }]) => Object.hasOwn(shape, key))
    if (knowing.length === 0)
      return misspelt(
        'key',
        key,
        Object.values(live).flatMap(({ shape }) => Object.keys(shape)),
      )
    return knowing.flatMap(([name, settings]) => faultsOf(name, settings, key, value))
  }
  const settings = settingsOf(live, service)
  return settings ? faultsOf(service, settings, key, value) : misspelt('service', service, Object.keys(live))
}

/** A name that nobody has may be somebody's own; one that is nearly another, or its role's word, is likely to be meant for that. */
function misspelt(what: string, name: string, known: readonly string[]): readonly string[] {
  // what all of them end with says nothing of how near two are
  const short = (whole: string) => whole.replace(/^api-|-service$/, '')
  const meant = nearest(short(name), known.map(short))
  const whole = known.find((other) => meant !== undefined && short(other) === meant)
  return whole === undefined ? [] : [`no ${what} of the platform is called ${name}; did you mean ${whole}?`]
}

function faultsOf(service: string, settings: z.ZodObject, key: string, value: unknown): readonly string[] {
  const known = Object.keys(settings.shape)
  if (known.length === 0) return [`${service} takes no settings while it runs`]
  const faults = explain(settings.strict(), { [key]: value })
  const rest = Object.hasOwn(settings.shape, key) ? '' : ` (${service} takes ${known.join(', ')})`
  return faults.map(({ path, message }) => `${service} ${path.join('.')}: ${message}${rest}`)
}

/** What a service takes, for people. */
export function liveKeys(live: LiveSettings, service: string): z.input<typeof LiveKeys> {
  const settings = settingsOf(live, service)
  const keys = Object.entries(settings?.shape ?? {}).map(([key, schema]) => ({ key, ...describeValue(schema) }))
  return { service, takes: settings ? 'these' : 'anything', keys }
}

function settingsOf(live: LiveSettings, service: string): z.ZodObject | undefined {
  return Object.hasOwn(live, service) ? live[service] : undefined
}
