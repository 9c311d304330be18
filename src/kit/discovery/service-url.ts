/** A place by the name of a service: whichever of its instances is well when it is called. */
export interface ServicePlace {
  /** Its registered name. */
  readonly service: string
  /** With its query, from `/` on. */
  readonly path: string
}

/** A scheme that nobody else's URL has, a name as the registry takes them, and what is asked there. */
const FORM = /^service:\/\/([a-z0-9][a-z0-9.-]{0,62})(\/[^\s#\\\p{Cc}]*)$/u

/** A service by its name, to put a path behind. @example serviceUrl('catalog') // 'service://catalog' */
export function serviceUrl(service: string): string {
  return `service://${service}`
}

/**
 * Reads `service://<name>/<path>`; undefined for what is none.
 * @example servicePlace('service://catalog/events?all=1') // { service: 'catalog', path: '/events?all=1' }
 */
export function servicePlace(url: string): ServicePlace | undefined {
  const [, service, path] = FORM.exec(url) ?? []
  return service !== undefined && path !== undefined ? { service, path } : undefined
}
