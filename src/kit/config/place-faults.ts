import { BUS_SCHEMES, checkBusUrl } from '../../drivers/bus/open.ts'
import { schemeOf } from '../../drivers/by-scheme.ts'
import { CACHE_SCHEMES, checkCacheUrl } from '../../drivers/cache/open.ts'
import { DriverError } from '../../drivers/driver-error.ts'
import { checkStoreUrl, STORE_SCHEMES } from '../../drivers/store/open.ts'
import { behindPart } from '../part-words.ts'
import type { Fault } from './explain.ts'
import type { Settings } from './schema.ts'

/** What each of them may be, and who knows the rest of its URL. */
const BACKENDS = {
  store: { schemes: STORE_SCHEMES, check: checkStoreUrl },
  bus: { schemes: BUS_SCHEMES, check: checkBusUrl },
  cache: { schemes: CACHE_SCHEMES, check: checkCacheUrl },
} as const

/** What is wrong with the URLs of store, bus and cache, whoever answers there: a scheme that this build has no driver for, a setting that there isn't. */
export async function placeFaults(settings: Settings): Promise<readonly Fault[]> {
  const faults = await Promise.all((['store', 'bus', 'cache'] as const).map((kind) => faultOf(kind, settings[kind])))
  return faults.filter((fault) => fault !== undefined)
}

async function faultOf(kind: keyof typeof BACKENDS, url: string): Promise<Fault | undefined> {
  const { schemes, check } = BACKENDS[kind]
  const scheme = schemeOf(url)
  if (scheme === undefined || !schemes.includes(scheme)) {
    const what = scheme === undefined ? 'expected a URL' : `this build has no ${kind} driver for ${scheme}`
    return { path: [kind], message: `${what}; use ${schemes.join(' or ')}` }
  }
  // what is embedded is used nearly always, and nothing needs to be loaded to see that nothing follows
  if (url.length === scheme.length) return undefined
  try {
    await check(url)
    return undefined
  } catch (fault) {
    if (!(fault instanceof DriverError)) throw fault
    return { path: [kind], message: behindPart(kind, fault.message) }
  }
}
