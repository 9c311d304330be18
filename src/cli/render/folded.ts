import { textWidth } from './text-width.ts'

/**
 * A visible text as lines of at most so many columns, broken between words; a word that is longer by itself has a line of its own, which is longer.
 * @example folded('nobody listens here', 14) // ['nobody listens', 'here']
 */
export function folded(text: string, width: number): readonly string[] {
  const lines: string[] = []
  for (const word of text.split(' ')) {
    const last = lines.at(-1)
    if (last !== undefined && textWidth(`${last} ${word}`) <= width) lines[lines.length - 1] = `${last} ${word}`
    else lines.push(word)
  }
  return lines
}
