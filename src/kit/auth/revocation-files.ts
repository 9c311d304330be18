import { constants } from 'node:fs'
import { open, readdir, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { AppError } from '../errors.ts'
import type { TokenReference } from './authority.ts'
import { isCode, readPrivateFile, secureFolder } from './private-files.ts'

const HOUR_MS = 3_600_000
/** By the hour of UTC in which the tokens end that stand in it. */
const NAME = /^revoked-(\d{4}-\d\d-\d\dT\d\d)\.jsonl$/
/** How long a file outlives its tokens, milliseconds: a process that stood still may be about to write to it. */
const GRACE_MS = HOUR_MS
const NEW_LINE = 0x0a

const Line = z.tuple([z.string(), z.number()])

/**
 * The tokens that were revoked though they have not ended, on disk beside the keys that signed them: they stay revoked when nobody is left who knew.
 * Any process adds lines, `["jti",milliseconds]`, to the file of the hour in which the token ends, and the file goes when they have all ended, so that none is ever
 * written anew.
 */
export class RevocationFiles {
  readonly #folder: string
  /** How many bytes of each file were read. */
  readonly #read = new Map<string, number>()

  /** @param folder where the keys are; made when there is something to write */
  constructor(folder: string) {
    this.#folder = folder
  }

  /**
   * What was added by any process since it was asked last; all that there is the first time. Throws AppError `CONFIG_INVALID` for a file that other users can
   * get at, and what node:fs throws.
   */
  async news(): Promise<readonly TokenReference[]> {
    const names = await this.#names()
    for (const name of this.#read.keys()) if (!names.includes(name)) this.#read.delete(name)
    const found: TokenReference[] = []
    for (const name of names) {
      const from = this.#read.get(name) ?? 0
      const added = await readPrivateFile(join(this.#folder, name), from)
      if (!added) continue
      // what stands behind the last line is being written
      const end = added.lastIndexOf(NEW_LINE) + 1
      this.#read.set(name, from + end)
      found.push(...added.toString('utf8', 0, end).split('\n').flatMap(readLine))
    }
    return found
  }

  /** Adds tokens; they are on disk when it resolves. Rejects with AppError `UNAVAILABLE` when they can't be written; some may be then. */
  async add(revoked: readonly TokenReference[]): Promise<void> {
    const lines = Map.groupBy(revoked, ({ until }) => `revoked-${new Date(until).toISOString().slice(0, 13)}.jsonl`)
    try {
      await secureFolder(this.#folder)
      for (const [name, ending] of lines) await append(join(this.#folder, name), ending)
    } catch (cause) {
      throw new AppError('UNAVAILABLE', `${this.#folder}: what is revoked can't be written there`, { cause })
    }
  }

  /** Takes away what has ended by itself. Throws what node:fs throws. @param now wall-clock milliseconds */
  async sweep(now: number): Promise<void> {
    for (const name of await this.#names()) {
      const hour = NAME.exec(name)?.[1]
      if (Date.parse(`${hour}:00Z`) + HOUR_MS + GRACE_MS > now) continue
      // another process may be quicker
      await unlink(join(this.#folder, name)).catch((fault: unknown) => {
        if (!isCode(fault, 'ENOENT')) throw fault
      })
    }
  }

  async #names(): Promise<readonly string[]> {
    try {
      return (await readdir(this.#folder)).filter((name) => NAME.test(name))
    } catch (fault) {
      if (isCode(fault, 'ENOENT')) return []
      throw fault
    }
  }
}

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants

async function append(path: string, revoked: readonly TokenReference[]): Promise<void> {
  const lines = revoked.map(({ id, until }) => `${JSON.stringify([id, until])}\n`)
  const file = await open(path, O_APPEND | O_CREAT | (O_NOFOLLOW ?? 0) | O_WRONLY, 0o600)
  try {
    // a line that was not written to its end must not swallow the first of these
    await file.appendFile(`\n${lines.join('')}`)
    await file.datasync()
  } finally {
    await file.close()
  }
}

/** What a line says; nothing for half a one. */
function readLine(text: string): readonly TokenReference[] {
  if (text === '') return []
  try {
    const [id, until] = Line.parse(JSON.parse(text))
    return [{ id, until }]
  } catch {
    return []
  }
}
