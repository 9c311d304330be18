import type { Trace, TraceSpan } from '../../roles/log-server/contract.ts'
import { createPaint, type Paint } from './paint.ts'
import { type PlacedSpan, spanTree } from './span-tree.ts'
import { fitWidth, padWidth, textWidth } from './text-width.ts'
import { visibleText } from './visible-text.ts'

export interface TraceTreeOptions {
  /** Whether to write ANSI colours. */
  readonly colour: boolean
  /** Characters a line may have. Default 80. */
  readonly columns?: number
}

const DURATION_COLUMNS = 8
/** Below this width there is no room for bars. */
const LEAST_COLUMNS_WITH_BARS = 60
const LEAST_COLUMNS = 30

/** From the first start to the last end, milliseconds since 1970. */
interface Extent {
  readonly from: number
  readonly to: number
}

/**
 * A trace as one tree for the terminal: a head line, and a line for each span with its service, operation, duration, and a bar that shows
 * when it ran. Failed spans are marked `✗` with their `error` tag; `╌` marks a span whose parent isn't among them. No line is longer than
 * the terminal, and no escape code in a name gets through.
 */
export function formatTraceTree({ trace_id, spans }: Trace, { colour, columns = 80 }: TraceTreeOptions): string {
  const paint = createPaint(colour)
  const width = Math.max(LEAST_COLUMNS, columns)
  const extent = extentOf(spans)
  const bar = width < LEAST_COLUMNS_WITH_BARS ? 0 : Math.min(40, Math.floor(width / 4))
  const label = width - DURATION_COLUMNS - 1 - (bar > 0 ? bar + 1 : 0)
  const rails: boolean[] = []
  const lines = spanTree(spans).map((row) => {
    rails[row.depth] = row.last
    const duration = formatDuration(row.span.duration_ms).padStart(DURATION_COLUMNS)
    const parts = [labelOf(row, rails, label, paint), paint.dim(duration)]
    if (bar > 0) parts.push(barOf(row.span, extent, bar, paint))
    return parts.join(' ').trimEnd()
  })
  const head = fitWidth(`trace ${visibleText(trace_id)}  ${summaryOf(spans, extent)}`, width)
  return [paint.bold(head), ...lines].join('\n')
}

function summaryOf(spans: readonly TraceSpan[], { from, to }: Extent): string {
  const services = new Set(spans.map((span) => span.service)).size
  const failed = spans.filter((span) => span.status === 'error').length
  const parts = [count(spans.length, 'span'), count(services, 'service'), formatDuration(to - from)]
  if (failed > 0) parts.push(`${failed} failed`)
  return parts.join(', ')
}

function labelOf({ span, depth, last, orphan }: PlacedSpan, rails: readonly boolean[], width: number, paint: Paint) {
  const branch = depth === 0 ? '' : `${last ? '└' : '├'}${orphan ? '╌' : '─'} `
  const lead = railsOf(rails, depth, Math.floor(width / 2)) + branch
  const service = visibleText(span.service)
  const error = span.tags.error ?? span.status_message
  const reason =
    error === undefined ? '' : ` (${visibleText(typeof error === 'string' ? error : JSON.stringify(error))})`
  const mark = span.status === 'error' ? '✗ ' : ''
  const room = width - textWidth(lead) - textWidth(mark)
  const shownService = fitWidth(service, room)
  const rest = padWidth(` ${visibleText(span.operation)}${mark && reason}`, room - textWidth(shownService))
  const painted = mark
    ? paint.failure(mark) + paint.service(service, shownService) + paint.failure(rest)
    : paint.service(service, shownService) + rest
  return paint.dim(lead) + painted
}

/** The lines that pass by on the left; of a very deep tree only the nearest. */
function railsOf(rails: readonly boolean[], depth: number, width: number): string {
  const shown = Math.max(0, Math.floor(width / 3) - 1)
  const from = Math.max(1, depth - shown)
  const passing = rails.slice(from, Math.max(from, depth)).map((last) => (last ? '   ' : '│  '))
  return (from > 1 ? '⋯  ' : '') + passing.join('')
}

function barOf(span: TraceSpan, { from, to }: Extent, width: number, paint: Paint): string {
  const scale = width / Math.max(to - from, 0.001)
  const start = Math.min(width - 1, Math.floor((Date.parse(span.start) - from) * scale))
  const length = Math.min(width - start, Math.max(1, Math.round(span.duration_ms * scale)))
  const bar = '━'.repeat(length)
  const painted = span.status === 'error' ? paint.failure(bar) : paint.service(visibleText(span.service), bar)
  return ' '.repeat(start) + painted
}

function extentOf(spans: readonly TraceSpan[]): Extent {
  let [from, to] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  for (const { start, duration_ms } of spans) {
    from = Math.min(from, Date.parse(start))
    to = Math.max(to, Date.parse(start) + duration_ms)
  }
  return spans.length === 0 ? { from: 0, to: 0 } : { from, to }
}

function formatDuration(ms: number): string {
  if (ms >= 60_000) return `${Math.floor(ms / 60_000)}m ${String(Math.floor((ms % 60_000) / 1000)).padStart(2, '0')}s`
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(2)} s`
  return `${ms.toFixed(ms >= 100 ? 0 : ms >= 10 ? 1 : 2)} ms`
}

function count(many: number, noun: string): string {
  return `${many} ${noun}${many === 1 ? '' : 's'}`
}
