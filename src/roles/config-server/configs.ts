import type { Kysely } from 'kysely'
import type { Clock } from '../../drivers/clock.ts'
import { Slice } from '../../drivers/slice.ts'
import type { Store } from '../../drivers/store/contract.ts'
import { AppError } from '../../kit/errors.ts'
import { parseExact } from '../../kit/exact-json.ts'
import { didYouMean } from '../../kit/nearest.ts'
import { hideSecrets } from '../../kit/secrets/secret-values.ts'
import type { Log } from '../../kit/telemetry/log.ts'
import {
  type Config,
  type ConfigTables,
  countConfigs,
  readHistory,
  readLayers,
  readVersion,
  writeVersion,
} from './config-rows.ts'
import type { ConfigPath } from './contract.ts'
import {
  changedKeys,
  type Document,
  etagOf,
  type KeptValue,
  matches,
  nameOf,
  SIGHTS,
  type Sight,
  type WantedValue,
} from './documents.ts'
import { jsonOf } from './kept-json.ts'
import { type LiveSettings, liveFaults } from './live-rules.ts'
import type { Sealer } from './sealed-values.ts'
import { changedJson, flatJson, type Shown, type ShownValue } from './shown-json.ts'

/** Largest document in bytes, as it is kept. */
const MAX_BYTES = 1_048_576
/** Most keys of one configuration. */
const MAX_KEYS = 1_000
/** Bytes of earlier versions that are read for their values: some 100 ms. */
const MAX_HISTORY_BYTES = 8 * 1_048_576
/** Faults told of at once. */
const MAX_FAULTS = 5
/** No configuration ever goes: until somebody allows for more, asking again is in vain. An hour, in seconds. */
const NONE_GOES_S = 3_600

/** Who changes something, and from which state on. */
export interface Author {
  readonly name: string
  /** Whose share a new configuration takes; undefined for a local caller, who may have all. */
  readonly share: string | undefined
  /** Whether a value that nobody takes is set all the same. */
  readonly force: boolean
  /** The If-Match header: the change is made only when one of these is the current validator. */
  readonly ifMatch: string | undefined
}

/** Told after each change is on disk. */
export interface ConfigChange extends ConfigPath {
  readonly version: number
  readonly keys: readonly string[]
  /** Made at another config server on the same store. */
  readonly isElsewhere?: true
}

/** What the configurations are kept in and sealed with. */
export interface ConfigsOptions {
  readonly store: Store<ConfigTables>
  readonly sealer: Sealer
  readonly clock: Clock
  readonly log: Log
  /** What services take while they run. */
  readonly live: LiveSettings
  /** Versions kept of each configuration. */
  readonly keepVersions: number
  /** Configurations there may be. */
  readonly maxConfigs: number
  /** Of these, made by one caller. */
  readonly maxPerCaller: number
}

/** Values per service and environment, with versions and secrets (seed 9.7.7). */
export class Configs {
  readonly #options: ConfigsOptions
  readonly #listeners = new Set<(change: ConfigChange) => void>()

  constructor(options: ConfigsOptions) {
    this.#options = options
  }

  /** @param sight which secrets the caller may see the values of */
  async show(path: ConfigPath, sight: Sight): Promise<Shown> {
    return this.#merge(path, await readLayers(this.#options.store.db, path), sight)
  }

  /** The last versions as JSON, newest first (contract.ts, History). @param sight undefined: without their values */
  async history(path: ConfigPath, limit: number, sight: Sight | undefined): Promise<readonly string[]> {
    const { db } = this.#options.store
    const slice = new Slice()
    const versions: string[] = []
    let bytes = 0
    for (const row of await readHistory(db, path, limit)) {
      const document = sight && bytes < MAX_HISTORY_BYTES ? await readVersion(db, path, row.version) : undefined
      const json = JSON.stringify(row)
      versions.push(
        document && sight ? `${json.slice(0, -1)},"values":${this.#changed(path, row.keys, document, sight)}}` : json,
      )
      bytes += document ? Buffer.byteLength(jsonOf(document)) : 0
      if (slice.isOver) await slice.next()
    }
    return versions
  }

  #changed(path: ConfigPath, keys: readonly string[], document: Document, sight: Sight): string {
    const { values } = this.#merge(path, [{ ...path, version: 0, document }], sight)
    return changedJson(keys, values)
  }

  /** Sets one value. A key that is a secret stays one, and what shows that it is one becomes one, unless told otherwise. */
  set(path: ConfigPath, key: string, wanted: WantedValue, author: Author): Promise<number> {
    return this.#change(path, 'put', author, (before) =>
      new Map(before).set(key, this.#keep(path, key, wanted, before)),
    )
  }

  /**
   * Makes these the values. Secrets that are not named are kept, since whoever read the rest may not have seen them: they are removed one
   * by one.
   */
  replace(path: ConfigPath, wanted: ReadonlyMap<string, WantedValue>, author: Author): Promise<number> {
    return this.#change(path, 'put', author, (before) => {
      const secrets = [...before].filter(([key, kept]) => 'sealed' in kept && !wanted.has(key))
      const values = [...wanted].map(([key, value]) => [key, this.#keep(path, key, value, before)] as const)
      return new Map([...secrets, ...values])
    })
  }

  /** Removes one value. Throws AppError `NOT_FOUND`. */
  remove(path: ConfigPath, key: string, author: Author): Promise<number> {
    return this.#change(path, 'delete', author, (before) => {
      const after = new Map(before)
      if (!after.delete(key)) throw keyNotFound(path, key, [...before.keys()])
      return after
    })
  }

  /** Makes the values of an earlier version hold again, as a new version. Throws AppError `NOT_FOUND`. */
  rollback(path: ConfigPath, version: number, author: Author): Promise<number> {
    return this.#change(path, 'rollback', author, async (_, trx) => {
      const document = await readVersion(trx, path, version)
      if (document) return document
      throw new AppError('NOT_FOUND', 'Version not found', {
        detail: `${nameOf(path)} has no version ${version}; see its history`,
      })
    })
  }

  /** Calls back after each change is on disk; returns how to stop. */
  onChange(listener: (change: ConfigChange) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Tells the listeners of a change. */
  tell(change: ConfigChange): void {
    for (const listener of this.#listeners) listener(change)
  }

  /** Writes what `edit` makes of the document as a new version; the same document makes none. Gives the version that holds. */
  async #change(
    path: ConfigPath,
    action: 'put' | 'delete' | 'rollback',
    { name, share, force, ifMatch }: Author,
    edit: (before: Document, trx: Kysely<ConfigTables>) => Document | Promise<Document>,
  ): Promise<number> {
    const { store, clock, keepVersions } = this.#options
    const change = await store.transaction(async (trx) => {
      const layers = await readLayers(trx, path)
      if (ifMatch !== undefined) this.#requireMatch(ifMatch, path, layers)
      const own = layers.find((layer) => nameOf(layer) === nameOf(path))
      const before = own?.document ?? new Map<string, KeptValue>()
      const document = await edit(before, trx)
      const keys = changedKeys(before, document)
      const version = (own?.version ?? 0) + (keys.length > 0 ? 1 : 0)
      if (keys.length === 0) return { ...path, version, keys }
      if (!force) this.#checkLive(path, keys, document)
      if (!own) await this.#checkRoom(trx, share)
      checkSize(document, before)
      const changedAt = new Date(clock.now()).toISOString()
      const next = { ...path, version, document, action, keys, changedAt, changedBy: name, madeBy: share }
      await writeVersion(trx, next, keepVersions)
      return { ...path, version, keys }
    })
    if (change.keys.length > 0) this.tell(change)
    return change.version
  }

  async #checkRoom(trx: Kysely<ConfigTables>, share: string | undefined): Promise<void> {
    const { maxConfigs, maxPerCaller } = this.#options
    if ((await countConfigs(trx)) >= maxConfigs) throw tooMany(`There are ${maxConfigs} (config-server.max_configs)`)
    if (share === undefined || (await countConfigs(trx, share)) < maxPerCaller) return
    throw tooMany(`Of these, ${maxPerCaller} were made by one caller (config-server.caller_share)`)
  }

  /** Throws AppError `INVALID_REQUEST` where a value would be taken by nobody. */
  #checkLive(path: ConfigPath, keys: readonly string[], document: Document): void {
    const faults = keys.flatMap((key) => {
      const kept = document.get(key)
      const text = kept && ('sealed' in kept ? this.#open(path, key, kept.sealed) : kept.text)
      if (kept === undefined || text === undefined) return []
      const found = liveFaults(this.#options.live, path.service, key, parseExact(text))
      return 'sealed' in kept ? found.map(() => `${path.service} ${key}: its value does not fit`) : found
    })
    if (faults.length === 0) return
    throw new AppError('INVALID_REQUEST', 'Nobody would take that', {
      detail: `${faults.slice(0, MAX_FAULTS).join('; ').replace(/[^?]$/, '$&.')} To set it all the same: ?force=true, or msvc config with --force`,
    })
  }

  #requireMatch(ifMatch: string, path: ConfigPath, layers: readonly Config[]): void {
    const etags = SIGHTS.map((sight) => etagOf(flatJson(this.#merge(path, layers, sight))))
    if (matches(ifMatch, etags)) return
    throw new AppError('PRECONDITION_FAILED', 'The configuration has changed', {
      detail: 'Read it again, and send its new ETag as If-Match',
    })
  }

  #merge(path: ConfigPath, layers: readonly Config[], sight: Sight): Shown {
    const values = new Map<string, ShownValue>()
    for (const layer of layers) {
      const from = nameOf(layer)
      for (const [key, kept] of layer.document) {
        if ('sealed' in kept) {
          const isSeen = sight === 'all' || (sight === 'guessed' && kept.guessed)
          values.set(key, { text: isSeen ? this.#open(layer, key, kept.sealed) : undefined, secret: true, from })
        } else values.set(key, { text: kept.text, secret: false, from })
      }
    }
    const own = layers.find((layer) => nameOf(layer) === nameOf(path))
    return { service: path.service, environment: path.environment, version: own?.version ?? 0, values }
  }

  #keep(path: ConfigPath, key: string, wanted: WantedValue, before: Document): KeptValue {
    const known = before.get(key)
    const sealed = known && 'sealed' in known ? known : undefined
    const isSecret = wanted.secret ?? (sealed !== undefined || showsSecret({ [key]: wanted.value }))
    const { text } = wanted
    if (!isSecret) return { text }
    const guessed = wanted.secret === undefined && (sealed?.guessed ?? !sealed)
    // sealing again would look like a change
    if (sealed && (sealed.guessed ?? false) === guessed && this.#open(path, key, sealed.sealed) === text) return sealed
    return { sealed: this.#options.sealer.seal(text, placeOf(path, key)), ...(guessed && { guessed }) }
  }

  /** A secret's JSON text; undefined when it can't be opened. */
  #open(path: ConfigPath, key: string, sealed: string): string | undefined {
    try {
      return this.#options.sealer.open(sealed, placeOf(path, key))
    } catch (fault) {
      this.#options.log.error(`the secret ${key} of ${nameOf(path)} can't be opened: was its key file lost?`, {
        cause: String(fault),
      })
      return undefined
    }
  }
}

/** An AppError `NOT_FOUND` that names the nearest of the keys there are. */
export function keyNotFound(path: ConfigPath, key: string, keys: readonly string[]): AppError {
  return new AppError('NOT_FOUND', 'Key not found', { detail: `${nameOf(path)} has no ${key}${didYouMean(key, keys)}` })
}

/** Whether a name or a text in it is that of a secret, as in logs: `api_token`, or a URL with a password in it. */
function showsSecret(values: object): boolean {
  return hideSecrets(values) !== values
}

function tooMany(bound: string): AppError {
  return new AppError('RATE_LIMITED', 'There are as many configurations as there may be', {
    detail: `${bound}: use those that are there, or allow for more`,
    headers: { 'retry-after': String(NONE_GOES_S) },
  })
}

/** Throws AppError `INVALID_REQUEST` or `BODY_TOO_LARGE` for a document that has grown too large. */
function checkSize(document: Document, before: Document): void {
  if (document.size > MAX_KEYS && document.size > before.size) {
    throw new AppError('INVALID_REQUEST', 'Invalid configuration', {
      detail: `A configuration has at most ${MAX_KEYS} keys`,
    })
  }
  if (Buffer.byteLength(jsonOf(document)) > MAX_BYTES) {
    throw new AppError('BODY_TOO_LARGE', `A configuration has at most ${MAX_BYTES} bytes`)
  }
}

function placeOf(path: ConfigPath, key: string): string {
  return `${nameOf(path)}/${key}`
}
