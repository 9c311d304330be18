import { createTwoFilesPatch } from 'diff'
import { createPaint } from '../render/paint.ts'
import { visibleText } from '../render/visible-text.ts'

/** Lines around a change that are shown with it. */
const CONTEXT = 3

/** What differs. */
export interface Difference {
  readonly path: string
  /** What a person has; undefined where there is no file yet. */
  readonly yours: string | undefined
  readonly proposed: string
  /** Whether it has some. */
  readonly colour: boolean
}

/** What would become of a person's file, as a unified diff for a terminal. */
export function difference({ path, yours, proposed, colour }: Difference): string {
  const isNew = yours === undefined
  const [from, label] = isNew ? ['/dev/null', undefined] : [path, 'yours']
  const patch = createTwoFilesPatch(from, path, yours ?? '', proposed, label, 'proposed', { context: CONTEXT })
  const paint = createPaint(colour)
  const all = patch.trimEnd().split('\n')
  // what is before only says the name once more
  const lines = all
    .slice(all.findIndex((line) => line.startsWith('--- ')))
    .map((line) => visibleText(line.replace('\t', '  ')))
  return lines
    .map((line, index) => {
      if (index < 2) return paint.bold(line)
      if (line.startsWith('-')) return paint.failure(line)
      return line.startsWith('+') ? paint.level('INFO', line) : line
    })
    .join('\n')
}
