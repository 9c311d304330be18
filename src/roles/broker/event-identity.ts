import type { Publication, StoredMessage } from '../../drivers/bus/publisher.ts'

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

/** Stands before the name of whose id it is: neither an id nor a source has a control character in it. */
const OWNER = ' \u001f'

/** Who else, besides its id, a message is told apart by. */
interface Origin {
  /** A CloudEvent's. */
  readonly source?: string | undefined
  /** Who publishes; undefined where that makes no difference. */
  readonly owner?: string | undefined
}

/**
 * The id under which the bus knows a message and recognises it when it comes again. Two sources may use the same id for two
 * events (CloudEvents 1.0, `id`), so it is id and source together, but for a UUID, which is alone in the world. An id belongs to who
 * publishes: whoever uses another's first takes nothing from him.
 */
export function busId(id: string, { source, owner }: Origin): string {
  const own = source === undefined || UUID.test(id) ? id : `${id} ${source}`
  return owner === undefined ? own : own + OWNER + owner
}

/** The event's own id, as its publisher gave it. */
export function eventId({ id, attributes }: Pick<StoredMessage | Publication, 'id' | 'attributes'>): string {
  const { source } = attributes
  const end = id.indexOf(OWNER)
  const own = end === -1 ? id : id.slice(0, end)
  return source !== undefined && own.endsWith(` ${source}`) ? own.slice(0, -source.length - 1) : own
}
