import * as z from 'zod'
import type { ClientSettings } from '../../kit/client/http-service-client.ts'
import { MOST_DOORS } from '../../kit/config/own-service-rules.ts'

/** A service's registered name. */
const Service = z
  .string()
  .regex(/^[\w.-]{1,128}$/)
  .meta({ expected: 'the name of a service, as the registry has it' })

/** A way from one service to another: where the one calls, and how it gets to the other. What it doesn't say, it takes from the platform's `client`. */
const Door = z.strictObject({
  caller: Service,
  upstream: Service,
  port: z.int().min(0).max(65_535),
  timeout_ms: z.int().min(1).max(600_000).optional(),
  attempts: z.int().min(1).max(10).optional(),
  breaker_failures: z.int().min(1).max(1_000).optional(),
  breaker_open_ms: z.int().min(1).max(60_000).optional(),
})
/** A door as the configuration has it. */
export type Door = z.infer<typeof Door>

const Doors = z
  .array(Door)
  .max(MOST_DOORS)
  .superRefine((doors, context) => {
    for (const { path, message } of clashesOf(doors)) context.addIssue({ code: 'custom', path, message })
  })

/** A port has one door, and a service one to each other: the second one of each, with the first. */
function clashesOf(doors: readonly Door[]) {
  const atPort = new Map<number, Door>()
  const names = new Set<string>()
  return doors.flatMap((door, at) => {
    const there = door.port === 0 ? undefined : atPort.get(door.port)
    const isKnown = names.has(nameOf(door))
    if (!there) atPort.set(door.port, door)
    names.add(nameOf(door))
    if (there) {
      const message = `${nameOf(there)} and ${nameOf(door)} both listen on ${door.port}; give one of them another port`
      return [{ path: [at, 'port'], message }]
    }
    if (!isKnown) return []
    return [
      { path: [at], message: `there are two doors ${nameOf(door)}; one is enough, for all replicas of ${door.caller}` },
    ]
  })
}

/** The outbound's section. */
export const OutboundConfig = z.strictObject({ doors: Doors.default([]) })
export type OutboundConfig = z.infer<typeof OutboundConfig>

/** How a door's calls behave: as it says itself, and for the rest as the platform's clients do. */
export function settingsOf(door: Door, client: ClientSettings): ClientSettings {
  return {
    timeout_ms: door.timeout_ms ?? client.timeout_ms,
    attempts: door.attempts ?? client.attempts,
    breaker_failures: door.breaker_failures ?? client.breaker_failures,
    breaker_open_ms: door.breaker_open_ms ?? client.breaker_open_ms,
  }
}

/** What a door is called in metrics, spans and messages. @example 'catalog->user-service' */
export function nameOf({ caller, upstream }: Pick<Door, 'caller' | 'upstream'>): string {
  return `${caller}->${upstream}`
}
