import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import * as z from 'zod'
import { createIdSource } from '../telemetry/ids.ts'
import type { Log } from '../telemetry/log.ts'
import type { RegistrySnapshot } from './known-instances.ts'
import { WireInstance } from './watch-events.ts'

/** Shortest time between two writings, milliseconds: what changes meanwhile is written with the second. */
const PAUSE_MS = 200

/** `from`: the address of the registry that said it. Another one's list is of no use: it may be another platform's. */
const Kept = z.object({ from: z.string(), registry: z.string(), instances: z.array(WireInstance) })

/** A larger list is of no use: it would be read for seconds, at a start that it is to make possible. Bytes. */
const MOST_BYTES = 8_388_608

/** A file that is being written is done with in so many milliseconds; one that is older was left behind by a process that was killed. */
const LEFT_BEHIND_MS = 60_000

/** The file in the data folder, one for all roles that share it: the registry tells them all the same. */
const FILE = 'known-instances.json'

/** Where a list is kept, and whose. */
export interface KeptListOptions {
  /** The data folder. */
  readonly folder: string
  readonly registryUrl: string
  readonly log: Log
}

/** Keeps on disk what the registry said last, for a start while it doesn't answer. */
export class KeptList {
  readonly #path: string
  readonly #fresh: string
  readonly #from: string
  readonly #log: Log
  readonly #stop = new AbortController()
  #next: (() => RegistrySnapshot) | undefined
  #writing: Promise<void> | undefined
  #failing = false

  constructor({ folder, registryUrl, log }: KeptListOptions) {
    this.#path = join(folder, FILE)
    this.#fresh = `${this.#path}.${createIdSource(4)()}`
    this.#from = registryUrl
    this.#log = log
    removeLeftBehind(folder)
  }

  /** What was kept; undefined when there is nothing of this registry's, or nothing that can be read. */
  load(): RegistrySnapshot | undefined {
    try {
      const file = statSync(this.#path)
      if (!file.isFile() || file.size > MOST_BYTES) return undefined
      const { from, registry, instances } = Kept.parse(JSON.parse(readFileSync(this.#path, 'utf8')))
      return from === this.#from ? { registry, instances } : undefined
    } catch {
      return undefined
    }
  }

  /** Writes the list soon. A disk that fails is told once. @param list asked for when it is written */
  save(list: () => RegistrySnapshot): void {
    this.#next = list
    this.#writing ??= this.#write().finally(() => {
      this.#writing = undefined
    })
  }

  /** Resolves once what was to be saved is on disk. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#writing
  }

  async #write(): Promise<void> {
    for (let list = this.#next; list; list = this.#next) {
      await delay(PAUSE_MS, undefined, { signal: this.#stop.signal, ref: false }).catch(() => {})
      const { registry, instances } = (this.#next ?? list)()
      this.#next = undefined
      try {
        const kept = { from: this.#from, registry, instances }
        await writeFile(this.#fresh, JSON.stringify(kept), { mode: 0o600 })
        await rename(this.#fresh, this.#path)
        this.#failing = false
      } catch (fault) {
        if (!this.#failing) this.#log.warning(`${this.#path} can't be written: ${fault}`)
        this.#failing = true
        await rm(this.#fresh, { force: true }).catch(() => {})
      }
    }
  }
}

function removeLeftBehind(folder: string): void {
  try {
    for (const name of readdirSync(folder)) {
      const path = join(folder, name)
      if (name.startsWith(`${FILE}.`) && Date.now() - statSync(path).mtimeMs > LEFT_BEHIND_MS) rmSync(path)
    }
  } catch {
    // another role was faster, or it isn't to be removed: it is in nobody's way
  }
}
