import { AppError } from '../../kit/errors.ts'
import { visibleText } from '../render/visible-text.ts'

/** Line breaks of all kinds, and what else no line of a generated file can hold: behind it another line would begin, a person's words or a command. */
const UNPRINTABLE = /[\p{Cc}\p{Zl}\p{Zp}]/u

/**
 * Refuses what would break out of the files that it is written to. Throws AppError `CONFIG_INVALID`, with the first.
 * @param names texts by what they are, as a person would say it: `services.cat.dir`
 */
export function refuseUnprintable(names: Iterable<readonly [what: string, text: string]>): void {
  for (const [what, text] of names)
    if (UNPRINTABLE.test(text))
      throw new AppError(
        'CONFIG_INVALID',
        `${what}: ${visibleText(text)} has a line break or another control character, which no file of a deployment can hold; give it another name`,
      )
}
