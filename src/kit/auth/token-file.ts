import { decodeJwt } from 'jose'
import type { Clock } from '../../drivers/clock.ts'
import { readRegularFile } from '../../drivers/regular-file.ts'
import { AppError, messageOf } from '../errors.ts'
import { MAX_TOKEN_LENGTH } from './token-form.ts'

/** How long a token is used before its file is looked at again, milliseconds: a renewed one lies there long before the old one ends. */
const REREAD_MS = 5_000

/** Room for a token, and for the blanks around it. */
const MAX_BYTES = MAX_TOKEN_LENGTH + 64

/** What a token file holds. */
export interface FileToken {
  readonly text: string
  /** Who signed it: the platform's `iss`. */
  readonly issuer: string
  /** When it ends: seconds since 1970. */
  readonly expires: number
}

/**
 * A service's own token, in a file that somebody else renews (MSVC_TOKEN_FILE). One that can't be read for a moment, as while it is replaced, leaves
 * the last one in use until that ends.
 */
export class TokenFile {
  readonly #path: string
  readonly #clock: Clock
  #kept: FileToken | undefined
  #readAt = Number.NEGATIVE_INFINITY

  constructor(path: string, clock: Clock) {
    this.#path = path
    this.#clock = clock
  }

  /** The token to use now. Rejects with AppError `CONFIG_INVALID` that names the file when it holds none that is good. */
  async token(): Promise<FileToken> {
    const kept = this.#kept
    if (kept && this.#clock.monotonic() - this.#readAt < REREAD_MS && !this.#hasEnded(kept)) return kept
    return this.#read()
  }

  #read(): FileToken {
    try {
      const read = parse(readRegularFile(this.#path, MAX_BYTES).toString('utf8').trim())
      if (this.#hasEnded(read)) throw new AppError('CONFIG_INVALID', 'the token in it has expired')
      this.#kept = read
      this.#readAt = this.#clock.monotonic()
      return read
    } catch (cause) {
      if (this.#kept && !this.#hasEnded(this.#kept)) return this.#kept
      const cure = 'msvc token --service NAME makes a token; msvc up renews it by itself'
      throw new AppError('CONFIG_INVALID', `The token file ${this.#path} can't be used: ${messageOf(cause)}; ${cure}`, {
        cause,
      })
    }
  }

  #hasEnded({ expires }: FileToken): boolean {
    return expires * 1000 <= this.#clock.now()
  }
}

/** Reads what a token says of itself; those it is shown to check it. */
function parse(text: string): FileToken {
  if (text.length > MAX_TOKEN_LENGTH) throw new AppError('CONFIG_INVALID', 'longer than a token may be')
  const { iss, exp } = claimsOf(text)
  if (iss === undefined || exp === undefined) throw new AppError('CONFIG_INVALID', 'no token of a platform')
  return { text, issuer: iss, expires: exp }
}

function claimsOf(text: string) {
  try {
    return decodeJwt(text)
  } catch {
    // Without the cause: it may quote the token.
    throw new AppError('CONFIG_INVALID', 'no JWT')
  }
}
