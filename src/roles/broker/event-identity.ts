import type { Publication, StoredMessage } from '../../drivers/bus/contract.ts'

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/**
 * The id under which the bus knows a CloudEvent and recognises it when it comes again. Two sources may use the same id for two
 * events (CloudEvents 1.0, `id`), so it is id and source together, but for a UUID, which is alone in the world.
 */
export function busId(id: string, source: string): string {
  return UUID.test(id) ? id : `${id} ${source}`
}

/** The event's own id, as its publisher gave it. */
export function eventId({ id, attributes }: Pick<StoredMessage | Publication, 'id' | 'attributes'>): string {
  const { source } = attributes
  return source !== undefined && id.endsWith(` ${source}`) ? id.slice(0, -source.length - 1) : id
}
