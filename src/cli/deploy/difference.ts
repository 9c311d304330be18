import { createTwoFilesPatch } from 'diff'
import { createPaint } from '../render/paint.ts'
import { visibleText } from '../render/visible-text.ts'

/** Lines around a change that are shown with it. */
const CONTEXT = 3

/** What would become of a person's file, as a unified diff for a terminal. @param colour whether it has some */
export function difference(path: string, yours: string, proposed: string, colour: boolean): string {
  const patch = createTwoFilesPatch(path, path, yours, proposed, 'yours', 'proposed', { context: CONTEXT })
  const paint = createPaint(colour)
  const all = patch.trimEnd().split('\n')
  // what is before only says the name once more
  const lines = all
    .slice(all.findIndex((line) => line.startsWith('--- ')))
    .map((line) => visibleText(line.replace('\t', '  ')))
  return lines
    .map((line) => {
      if (/^(?:---|\+\+\+) /.test(line)) return paint.bold(line)
      if (line.startsWith('-')) return paint.failure(line)
      return line.startsWith('+') ? paint.level('INFO', line) : line
    })
    .join('\n')
}
