import type { TraceSpan } from '../../roles/log-server/contract.ts'

/** A span in its place. */
export interface PlacedSpan {
  readonly span: TraceSpan
  /** How deep; 0 for the root. */
  readonly depth: number
  /** The last of its parent's. */
  readonly last: boolean
  /** Hangs under the root although its parent isn't known. */
  readonly orphan: boolean
}

/**
 * Puts the spans of a trace into one tree, line by line from the root. The root is the earliest span without a parent, or as long as there
 * is none, the earliest whose parent isn't known. Everything else whose parent isn't known hangs under the root as an orphan, and
 * so does a circle of spans that name each other as parents. Siblings stand by start.
 */
export function spanTree(spans: readonly TraceSpan[]): readonly PlacedSpan[] {
  const known = new Map(spans.toSorted(byStart).map((span) => [span.span_id, span]))
  const named = Map.groupBy(known.values(), (span) => span.parent_span_id)
  const tops = known.values().filter((span) => span.parent_span_id === null || !known.has(span.parent_span_id))
  const candidates = [...tops, ...known.values()]
  const root = candidates.find((span) => span.parent_span_id === null) ?? candidates[0]
  if (root === undefined) return []

  const children = new Map<string, TraceSpan[]>()
  const placed = new Set<TraceSpan>()
  /** Takes in a span and all below it that has no place yet. */
  function place(top: TraceSpan) {
    const open = [top]
    placed.add(top)
    for (let span = open.pop(); span; span = open.pop()) {
      const own = (named.get(span.span_id) ?? []).filter((child) => !placed.has(child))
      for (const child of own) placed.add(child)
      children.set(span.span_id, own)
      open.push(...own)
    }
  }
  place(root)
  const orphans = new Set<TraceSpan>()
  for (const span of candidates) {
    if (placed.has(span)) continue
    orphans.add(span)
    place(span)
  }
  children.set(root.span_id, [...(children.get(root.span_id) ?? []), ...orphans].sort(byStart))
  return fromTheRoot(root, children, orphans)
}

function fromTheRoot(
  root: TraceSpan,
  children: ReadonlyMap<string, readonly TraceSpan[]>,
  orphans: ReadonlySet<TraceSpan>,
): readonly PlacedSpan[] {
  const rows: PlacedSpan[] = []
  const open: PlacedSpan[] = [{ span: root, depth: 0, last: true, orphan: false }]
  for (let row = open.pop(); row; row = open.pop()) {
    rows.push(row)
    const { span, depth } = row
    const below = children.get(span.span_id) ?? []
    const rowsBelow = below.map((child, i) => ({
      span: child,
      depth: depth + 1,
      last: i === below.length - 1,
      orphan: orphans.has(child),
    }))
    open.push(...rowsBelow.reverse())
  }
  return rows
}

function byStart(a: TraceSpan, b: TraceSpan): number {
  return Date.parse(a.start) - Date.parse(b.start)
}
