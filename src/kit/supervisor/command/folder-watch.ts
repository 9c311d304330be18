import { type BigIntStats, type Dirent, type FSWatcher, statSync, watch } from 'node:fs'
import { lstat, readdir, readlink, stat } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'

/** What of a folder is told, and to whom. */
export interface FolderWatchOptions {
  readonly dir: string
  /** Whether a folder, by its path from `dir`, is left out with all that is in it, where that can be known. */
  readonly isIgnored: (path: string) => boolean
  /** Told of each thing that has changed, come or gone, by its path from `dir`. */
  readonly onChange: (path: string) => void
  /** Told of a folder that can't be watched, as one that may not be read; the rest is. */
  readonly onSkip: (path: string, fault: unknown) => void
  /** Told when nothing is watched any more. */
  readonly onFault: (fault: Error) => void
  /** How a folder is read. Default: readdir */
  readonly list?: (folder: string) => Promise<readonly Dirent[]>
  /** How often it is looked whether another folder is in the place of `dir`, milliseconds. Default 1000 */
  readonly lookMs?: number
}

/** How often it is looked whether another folder is in its place, milliseconds: its own watch says nothing of that. */
const LOOK_MS = 1000
/** So many entries are looked at in one turn of the loop. */
const IN_ONE_TURN = 500
/** Too many watches or files are open, by this user or on the machine: the next ones fail too. */
const FATAL = ['ENOSPC', 'EMFILE', 'ENFILE']
/** Gone since it was seen. */
const GONE = ['ENOENT', 'ENOTDIR']

/**
 * Watches a folder and all below it; symbolic links aren't followed, but those that lead through one that was swapped have changed. What lies deeper is watched a moment later where the system has no watch for whole trees: on Linux a
 * folder has a watch of its own, and they are walked through without holding the loop.
 * @returns what ends it. Throws the system's own error when the folder itself can't be watched
 */
export function watchFolder(options: FolderWatchOptions, platform: NodeJS.Platform = process.platform): () => void {
  if (platform === 'linux') return new WatchedTree(options).open()
  const { dir, isIgnored, onChange, onFault } = options
  const watcher = watch(dir, { recursive: true, ignore: isIgnored }, (_, name) => {
    if (name !== null) onChange(name)
  })
  watcher.on('error', onFault)
  return () => watcher.close()
}

const entriesOf = (folder: string) => readdir(folder, { withFileTypes: true })
/** A file system may give the number of a removed folder to the next one. */
const identityOf = ({ dev, ino, birthtimeNs }: BigIntStats) => `${dev} ${ino} ${birthtimeNs}`
const codeOf = (fault: unknown) => (fault instanceof Error && 'code' in fault ? String(fault.code) : '')

/** Folders that are watched each by itself. */
class WatchedTree {
  readonly #options: FolderWatchOptions
  readonly #watchers = new Map<string, FSWatcher>()
  readonly #found: { readonly path: string; readonly isNew: boolean }[] = []
  #walking = false
  #isClosed = false
  #identity = ''
  #isLooking = false
  #timer: NodeJS.Timeout | undefined

  constructor(options: FolderWatchOptions) {
    this.#options = options
  }

  open(): () => void {
    const { dir, lookMs = LOOK_MS } = this.#options
    this.#identity = identityOf(statSync(dir, { bigint: true }))
    this.#watch('')
    this.#enter('', false)
    this.#timer = setInterval(() => void this.#lookForAnother(), lookMs).unref()
    return () => this.#close()
  }

  #close(): void {
    this.#isClosed = true
    clearInterval(this.#timer)
    this.#forget()
  }

  #forget(): void {
    for (const watcher of this.#watchers.values()) watcher.close()
    this.#watchers.clear()
    this.#found.length = 0
  }

  /** Goes on with what is in the place of the folder itself, as a build or a branch puts it there. */
  async #lookForAnother(): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    const there = await stat(this.#options.dir, { bigint: true }).catch(() => undefined)
    this.#isLooking = false
    if (this.#isClosed || !there?.isDirectory() || identityOf(there) === this.#identity) return
    this.#identity = identityOf(there)
    this.#forget()
    this.#enter('', true)
  }

  /** Watches a folder itself. Throws the system's own error. */
  #watch(path: string): void {
    const watcher = watch(join(this.#options.dir, path), (event, name) => {
      if (name !== null) this.#changed(join(path, name), event)
    })
    watcher.on('error', (fault) => this.#skip(path, fault))
    this.#watchers.set(path, watcher)
  }

  #skip(path: string, fault: unknown): void {
    this.#leave(path)
    // it is looked for again
    if (path === '') this.#identity = ''
    if (this.#isClosed || GONE.includes(codeOf(fault))) return
    if (fault instanceof Error && FATAL.includes(codeOf(fault))) {
      this.#close()
      this.#options.onFault(fault)
    } else this.#options.onSkip(path, fault)
  }

  #leave(path: string): void {
    for (const [known, watcher] of this.#watchers) {
      if (known !== path && !known.startsWith(`${path}${sep}`)) continue
      watcher.close()
      this.#watchers.delete(known)
    }
  }

  #changed(path: string, event: string): void {
    this.#options.onChange(path)
    // it came, or went, or something else is in its place
    if (event === 'rename' && !this.#options.isIgnored(path)) void this.#lookAgain(path)
  }

  async #lookAgain(path: string): Promise<void> {
    const found = await lstat(join(this.#options.dir, path)).catch(() => undefined)
    this.#leave(path)
    if (found?.isDirectory()) this.#enter(path, true)
    else if (found?.isSymbolicLink()) await this.#tellThrough(path)
  }

  /** Tells of the links that lead through one that was swapped: so Kubernetes changes the files of a mounted configuration. */
  async #tellThrough(path: string): Promise<void> {
    const { dir, list = entriesOf, onChange } = this.#options
    const folder = dirname(path)
    const entries = await list(join(dir, folder)).catch(() => [])
    for (const entry of entries) {
      const aim = entry.isSymbolicLink() ? await readlink(join(dir, folder, entry.name)).catch(() => '') : ''
      if (!this.#isClosed && aim.startsWith(`${basename(path)}${sep}`)) onChange(join(folder, entry.name))
    }
  }

  /** @param isNew whether what is in it came with it, and is to be told of */
  #enter(path: string, isNew: boolean): void {
    if (this.#isClosed) return
    this.#found.push({ path, isNew })
    if (!this.#walking) void this.#walk()
  }

  async #walk(): Promise<void> {
    this.#walking = true
    for (let next = this.#found.pop(); next; next = this.#found.pop()) {
      const { path, isNew } = next
      try {
        // before it is read: what comes meanwhile is seen
        if (!this.#watchers.has(path)) this.#watch(path)
        await this.#read(path, isNew)
      } catch (fault) {
        this.#skip(path, fault)
      }
    }
    this.#walking = false
  }

  async #read(path: string, isNew: boolean): Promise<void> {
    const { dir, isIgnored, onChange, list = entriesOf } = this.#options
    let left = IN_ONE_TURN
    for (const entry of await list(join(dir, path))) {
      if (this.#isClosed) return
      if (!isNew && !entry.isDirectory()) continue
      if (left-- === 0) {
        left = IN_ONE_TURN
        await nextTurn()
      }
      const inside = join(path, entry.name)
      if (isNew) onChange(inside)
      if (entry.isDirectory() && !isIgnored(inside)) this.#found.push({ path: inside, isNew })
    }
  }
}
