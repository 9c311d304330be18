import { visibleText } from './visible-text.ts'

/** What stands before each line of a message but its first, so that none can be taken for another entry. */
export const BELOW = '¦'

/**
 * The lines of a message, such as a stack trace, as they can be printed. Tabs below the first are as good as spaces; anything else that moves the
 * cursor is not. Empty lines at the end are left out.
 * @example messageLines('Error: x\n\tat y\n') // ['Error: x', '  at y']
 */
export function messageLines(message: string): readonly [first: string, ...rest: string[]] {
  const [first = '', ...rest] = message.trimEnd().split(/\r?\n/)
  return [visibleText(first), ...rest.map((line) => visibleText(line.replaceAll('\t', '  ')))]
}
