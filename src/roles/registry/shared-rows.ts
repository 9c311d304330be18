import * as z from 'zod'
import type { Row, RowWrite } from '../../drivers/cache/table.ts'
import { WireInstance } from '../../kit/discovery/watch-events.ts'
import type { CheckResult, Entry, Mark } from './instances.ts'

/** Why an instance is not in the table any more. */
export type Departure = 'deregistered' | 'no heartbeat' | 'replaced'

/** What a row of the table that registries share says. Times and leases are each registry's own: a row that is told means that somebody heard of it. */
export type SharedNews = { readonly id: string; readonly fence: number } & (
  | ({ readonly is: 'registered' } & Pick<Entry, 'instance' | 'healthCheckUrl' | 'registeredAt'>)
  | { readonly is: 'heard' }
  | { readonly is: 'gone'; readonly why: Departure }
  | { readonly is: 'marked'; readonly mark: Mark }
  | { readonly is: 'checked'; readonly url: string; readonly check: CheckResult }
)

/*
 * Three rows an instance, so that what different registries say of it at the same time does not meet: itself, with the fence of its registration; its
 * mark, with the same; and what its health check says, with the fence of the lease to check.
 */
type Part = 'instance' | 'mark' | 'check'

const InstanceValue = z.object({
  instance: WireInstance,
  health_check_url: z.string().optional(),
  registered_at: z.number(),
})
const MarkValue = z.enum(['none', 'unhealthy', 'draining'])
const CheckValue = z.object({
  url: z.string(),
  result: z.discriminatedUnion('at', [
    z.object({ at: z.literal('passing') }),
    z.object({ at: z.literal('failing'), reason: z.string() }),
  ]),
})
const DepartureValue = z.enum(['deregistered', 'no heartbeat', 'replaced']).catch('deregistered')

/** The key of the row that an instance itself has. */
export function instanceKey(id: string): string {
  return keyOf('instance', id)
}

/** Tells the others of an instance. @param fence absent: the table gives it one, greater than all before */
export function registeredRow({ instance, healthCheckUrl, registeredAt }: Entry, fence?: number): RowWrite {
  const value: z.input<typeof InstanceValue> = {
    instance: { ...instance, tags: [...instance.tags], metadata: { ...instance.metadata } },
    ...(healthCheckUrl !== undefined && { health_check_url: healthCheckUrl }),
    registered_at: registeredAt,
  }
  const row = { do: 'put', key: instanceKey(instance.id), value: JSON.stringify(value) } as const
  return fence === undefined ? row : { ...row, fence }
}

/** Tells the others of a heartbeat. */
export function heardRow({ instance, fence }: Entry): RowWrite {
  return { do: 'touch', key: instanceKey(instance.id), fence }
}

/** Tells the others that an instance is gone. */
export function goneRow({ instance, fence }: Entry, why: Departure): RowWrite {
  return { do: 'remove', key: instanceKey(instance.id), fence, value: why }
}

/** Tells the others of an instance's mark. */
export function markRow({ instance, fence, mark }: Entry): RowWrite {
  return { do: 'put', key: keyOf('mark', instance.id), fence, value: JSON.stringify(mark) }
}

/** Takes the mark of an instance that is gone out. */
export function noMarkRow({ instance, fence }: Entry): RowWrite {
  return { do: 'remove', key: keyOf('mark', instance.id), fence, value: '' }
}

/** Tells the others what a health check said; undefined while it has not said anything. @param leaseFence of the lease to check */
export function checkRow({ instance, healthCheckUrl, check }: Entry, leaseFence: number): RowWrite | undefined {
  if (healthCheckUrl === undefined || check.at === 'none' || check.at === 'waiting') return undefined
  const value: z.input<typeof CheckValue> = { url: healthCheckUrl, result: check }
  return { do: 'put', key: keyOf('check', instance.id), fence: leaseFence, value: JSON.stringify(value) }
}

/** Takes what a health check said out. */
export function noCheckRow(id: string, leaseFence: number): RowWrite {
  return { do: 'remove', key: keyOf('check', id), fence: leaseFence, value: '' }
}

/** What a row says; undefined where that is nothing, and for what another version wrote and this one doesn't know. */
export function readRow({ key, fence, is, value }: Row): SharedNews | undefined {
  const colon = key.indexOf(':')
  const [part, id] = [key.slice(0, colon), key.slice(colon + 1)]
  if (part === 'instance') {
    if (is === 'touched') return { id, fence, is: 'heard' }
    if (is === 'removed') return { id, fence, is: 'gone', why: DepartureValue.parse(value) }
    const read = InstanceValue.safeParse(parseJson(value))
    if (!read.success || read.data.instance.id !== id) return undefined
    const { instance, health_check_url: healthCheckUrl, registered_at: registeredAt } = read.data
    return { id, fence, is: 'registered', instance, healthCheckUrl, registeredAt }
  }
  if (is !== 'put') return undefined
  if (part === 'mark') {
    const read = MarkValue.safeParse(parseJson(value))
    return read.success ? { id, fence, is: 'marked', mark: read.data } : undefined
  }
  const read = CheckValue.safeParse(parseJson(value))
  return read.success ? { id, fence, is: 'checked', url: read.data.url, check: read.data.result } : undefined
}

function keyOf(part: Part, id: string): string {
  return `${part}:${id}`
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
