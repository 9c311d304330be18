import { DriverError } from './driver-error.ts'

/** The drivers of one contract by URL scheme (`sqlite:`), loaded on first use. The imports are literal, so that the bundle holds them. */
export type DriversByScheme<D> = Readonly<Record<string, () => Promise<D>>>

/** RFC 3986 §3.1. */
const SCHEME = /^[a-z][a-z0-9+.-]*:/i

/** A URL's scheme with its colon, in small letters, as schemes are the same in any case; undefined where it has none. */
export function schemeOf(url: string): string | undefined {
  return SCHEME.exec(url)?.[0].toLowerCase()
}

/** Schemes of what lives in one process, or in the files of one machine, and needs no server. */
const EMBEDDED: readonly string[] = ['sqlite:', 'embedded:', 'memory:']

/** Whether a URL names what lives in one process or on one machine. */
export function isEmbedded(url: string): boolean {
  return EMBEDDED.includes(schemeOf(url) ?? '')
}

/**
 * Loads the driver that a URL asks for. Messages never repeat the URL, which may hold a password.
 *
 * @param what the contract, for messages: `store`, `bus`, `cache`
 * @throws DriverError `invalid` for a text without a scheme, and for a scheme without a driver; the message names those that have one
 * @example const driver = await driverFor('store', 'sqlite:', { 'sqlite:': async () => (await import('./sqlite.ts')).sqlite })
 */
export async function driverFor<D>(what: string, url: string, drivers: DriversByScheme<D>): Promise<D> {
  const schemes = Object.keys(drivers).join(', ')
  const scheme = schemeOf(url)
  if (scheme === undefined) {
    throw new DriverError('invalid', `${what}: not a URL; it starts with a scheme, and this build has ${schemes}`)
  }
  const load = Object.hasOwn(drivers, scheme) ? drivers[scheme] : undefined
  if (load === undefined) throw new DriverError('invalid', `no ${what} driver for ${scheme}; this build has ${schemes}`)
  return load()
}
