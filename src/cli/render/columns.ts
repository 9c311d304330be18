import { fitWidth, padWidth, textWidth } from './text-width.ts'
import { visibleText } from './visible-text.ts'

/**
 * Rows as aligned columns, two spaces between them; the first row is the heading. Cells can hold anything: nothing of it reaches the terminal raw.
 * @param width columns that there is room for; longer lines are cut. Default: no limit
 */
export function columns(rows: readonly (readonly string[])[], width = Number.POSITIVE_INFINITY): string {
  const cells = rows.map((row) => row.map(visibleText))
  const widths = (cells[0] ?? []).map((_, column) => Math.max(...cells.map((row) => textWidth(row[column] ?? ''))))
  const line = (row: readonly string[]) => row.map((cell, column) => padWidth(cell, widths[column] ?? 0)).join('  ')
  return cells.map((row) => fitWidth(line(row).trimEnd(), width)).join('\n')
}
