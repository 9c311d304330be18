/**
 * Turns the paths that an upstream names in its answer into paths that lead back to it through the gateway: `/api/users/3` becomes
 * `/gateway/api/users/3` where the route strips `/gateway`. Done for Location and Link (RFC 9110 §10.2.2, RFC 8288); absolute URLs and
 * everything else stay as they are. Changes the array it is given.
 * @param headers names and values by turns
 * @param stripped what the route strips from paths; empty: nothing is changed
 */
export function publishReferences(headers: string[], stripped: string): string[] {
  if (stripped === '') return headers
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const { length } = headers[at] ?? ''
    if (length !== LOCATION.length && length !== LINK.length) continue
    const name = headers[at]?.toLowerCase()
    const value = headers[at + 1] ?? ''
    if (name === LOCATION) headers[at + 1] = value.replace(ROOTED, `${stripped}/`)
    else if (name === LINK) headers[at + 1] = value.replace(ROOTED_TARGETS, `<${stripped}/`)
  }
  return headers
}

const LOCATION = 'location'
const LINK = 'link'
/** A path from the root, not `//host`. */
const ROOTED = /^\/(?!\/)/
const ROOTED_TARGETS = /<\/(?!\/)/g
