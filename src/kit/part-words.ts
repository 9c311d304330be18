/** How drivers begin a message: with their part, that of a store with the service that it is of. */
const BEGINNING = /^(?:[\w-]+ )?(store|bus|cache): /

/**
 * What a part says of itself, to stand behind its name: drivers begin with that name, and nobody is told it twice.
 * @param part `store`, `bus` or `cache`, or their writes (`store_writes`); behind any other name all is said
 * @example behindPart('cache', 'cache: redis://cache is not ready') // 'redis://cache is not ready'
 */
export function behindPart(part: string, said: string): string {
  const [beginning = '', named] = BEGINNING.exec(said) ?? []
  return part === named || part === `${named}_writes` ? said.slice(beginning.length) : said
}

/**
 * What a role says, to stand behind its name: its part is still named, and the service, which is the role's own, is not.
 * @example behindRole('order-service store: it is not open yet') // 'store: it is not open yet'
 */
export function behindRole(said: string): string {
  return said.replace(BEGINNING, '$1: ')
}
