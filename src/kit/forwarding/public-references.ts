/**
 * Turns the paths that an upstream names in its answer into paths that lead back to it through the gateway: `/api/users/3` becomes
 * `/gateway/api/users/3` where the route strips `/gateway`, and so does `/base/api/users/3` where the upstream's paths begin with `/base`.
 * Done for Location and Link (RFC 9110 §10.2.2, RFC 8288); absolute URLs and everything else stay as they are. Changes the array it is given.
 * @param headers names and values by turns
 * @param stripped what the route strips from paths
 * @param basePath what the upstream's paths begin with, and clients don't see
 */
export function publishReferences(headers: string[], stripped: string, basePath: string): string[] {
  if (stripped === '' && basePath === '') return headers
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const { length } = headers[at] ?? ''
    if (length !== LOCATION.length && length !== LINK.length) continue
    const name = headers[at]?.toLowerCase()
    const value = headers[at + 1] ?? ''
    if (name === LOCATION) headers[at + 1] = value.replace(ROOTED, (path) => publish(path, stripped, basePath))
    else if (name === LINK)
      headers[at + 1] = value.replace(ROOTED_TARGETS, (_, path) => `<${publish(path, stripped, basePath)}`)
  }
  return headers
}

function publish(path: string, stripped: string, basePath: string): string {
  const within = path.startsWith(basePath) && ROOT.test(path.slice(basePath.length))
  const published = stripped + (within ? path.slice(basePath.length) : path)
  return published.startsWith('/') ? published : `/${published}`
}

const LOCATION = 'location'
const LINK = 'link'
/** What is left of a path within the base path: never `//host`. */
const ROOT = /^(?:\/(?!\/)|[?#]|$)/
/** A path from the root, not `//host`. */
const ROOTED = /^\/(?!\/).*/
const ROOTED_TARGETS = /<(\/(?!\/)[^>]*)/g
