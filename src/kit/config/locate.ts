import { isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, type YAMLMap, type YAMLSeq } from 'yaml'
import { isRecord } from '../record.ts'

/** A place in the configuration: keys and list positions from the top. */
export type Path = readonly (string | number)[]

/** A YAML document's values, and the line each stands on. */
export interface LocatedYaml {
  /** The top-level keys; empty for an empty file. */
  readonly value: Record<string, unknown>
  /** The line (from 1) of a key, or of the nearest key above it that the file has; undefined when it has none of them. */
  lineOf(path: Path): number | undefined
  /** What keeps the text from being read: the first syntax error, or keys that stand twice. Nothing else holds when there are any. */
  readonly faults: readonly { readonly line: number; readonly message: string }[]
}

/** Most values, those that aliases repeat counted again: what is made of them takes time for each. */
const MAX_VALUES = 100_000
/** Deepest nesting; the deepest place that any setting has is 6. */
const MAX_DEPTH = 32

/** A value's place: where its key (or, in a list, itself) begins, and those within it. */
interface Place {
  readonly offset: number
  readonly inner: Map<string, Place>
}

interface Mistake {
  readonly offset: number
  readonly message: string
}

/** Reads YAML 1.2 so that every value can be traced back to its line, in time linear in the text. Never throws. */
export function locateYaml(text: string): LocatedYaml {
  const lines = new LineCounter()
  const lineAt = (offset: number) => lines.linePos(offset).line
  const refused = (mistakes: readonly Mistake[]) => ({
    value: {},
    lineOf: () => undefined,
    faults: mistakes.map(({ offset, message }) => ({ line: lineAt(offset), message })),
  })
  try {
    // the parser looks for a key that stands twice by comparing each with all before it
    const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: false, version: '1.2' })
    const wrong = [...document.errors, ...document.warnings]
    // the parser catches its own stack's overflow and goes on, reporting it wherever it stood
    if (wrong.some(isOverflow)) return refused([{ offset: 0, message: TOO_DEEP }])
    // one slip in indentation makes the parser report most lines below it
    const [first] = wrong.sort((a, b) => a.pos[0] - b.pos[0])
    if (first) return refused([{ offset: first.pos[0], message: plain(first.message) }])
    const { value = {}, root, mistakes } = surveyOf(document.contents)
    if (mistakes.length > 0) return refused(mistakes)
    if (!isRecord(value)) {
      return refused([{ offset: 0, message: 'expected keys and values, such as "log:" at the start of a line' }])
    }
    const lineOf = (path: Path) => {
      const offset = offsetOf(root, path)
      return offset === undefined ? undefined : lineAt(offset)
    }
    return { value, lineOf, faults: [] }
  } catch (thrown) {
    const message = isOverflow(thrown) ? TOO_DEEP : thrown instanceof Error ? plain(thrown.message) : 'unreadable'
    return refused([{ offset: 0, message }])
  }
}

const TOO_DEEP = `nested deeper than ${MAX_DEPTH} levels`

/** Whether it says that the stack was too small: the parser's own word, or the engine's, whose regular expressions throw a SyntaxError. */
function isOverflow(fault: unknown): boolean {
  if (!(fault instanceof Error)) return false
  const isParsers = 'code' in fault && fault.code === 'RESOURCE_EXHAUSTION'
  return isParsers || fault instanceof RangeError || / Stack overflow$/.test(fault.message)
}

interface Survey {
  /** Undefined for an empty file. */
  readonly value: unknown
  readonly root: Place
  readonly mistakes: readonly Mistake[]
}

/** A value, and how many it holds, itself included and aliases written out. */
interface Surveyed {
  readonly value: unknown
  readonly size: number
}

/**
 * Goes through the parsed text once: which values it has, where each is, which keys stand twice, and whether it is all too much. The
 * parser's own way from nodes to values searches the whole text for each alias.
 */
function surveyOf(contents: unknown): Survey {
  const mistakes: Mistake[] = []
  const anchored = new Map<string, Surveyed>()

  function survey(node: unknown, place: Place, depth: number): Surveyed {
    if (depth > MAX_DEPTH) return mistake(place.offset, TOO_DEEP)
    if (isAlias(node))
      return anchored.get(node.source) ?? mistake(startOf(node), `*${node.source} names nothing before it`)
    const found = isMap(node)
      ? surveyMap(node, place, depth)
      : isSeq(node)
        ? surveyList(node, place, depth)
        : plainValue(node)
    if (isNode(node) && 'anchor' in node && typeof node.anchor === 'string') anchored.set(node.anchor, found)
    return found.size > MAX_VALUES ? mistake(place.offset, `more than ${MAX_VALUES} values`) : found
  }

  function surveyMap({ items }: YAMLMap, place: Place, depth: number): Surveyed {
    const entries: [string, unknown][] = []
    let size = 1
    for (const { key, value } of items) {
      const name = isScalar(key) ? String(key.value) : ''
      if (!isScalar(key)) mistake(startOf(key), 'expected a name before the colon')
      if (place.inner.has(name)) mistake(startOf(key), `the key ${name.slice(0, 60)} stands twice`)
      if (mistakes.length > 0) break
      const inner = survey(value, placeWithin(place, name, key), depth + 1)
      entries.push([name, inner.value])
      size += inner.size
    }
    return { value: Object.fromEntries(entries), size }
  }

  function surveyList({ items }: YAMLSeq, place: Place, depth: number): Surveyed {
    const value: unknown[] = []
    let size = 1
    for (const item of items) {
      const inner = survey(item, placeWithin(place, String(value.length), item), depth + 1)
      value.push(inner.value)
      size += inner.size
      if (mistakes.length > 0) break
    }
    return { value, size }
  }

  function mistake(offset: number, message: string): Surveyed {
    mistakes.push({ offset, message })
    return { value: undefined, size: 0 }
  }

  const root: Place = { offset: 0, inner: new Map() }
  const { value } = survey(contents, root, 0)
  return { value: value ?? undefined, root, mistakes }
}

function plainValue(node: unknown): Surveyed {
  return { value: isScalar(node) ? node.value : null, size: 1 }
}

function placeWithin({ inner }: Place, name: string, node: unknown): Place {
  const place: Place = { offset: startOf(node), inner: new Map() }
  inner.set(name, place)
  return place
}

/** Where a place is, or the nearest above it that the file has; undefined when it has none of them. */
function offsetOf(root: Place, path: Path): number | undefined {
  let place = root
  for (const step of path) {
    const next = place.inner.get(String(step))
    if (!next) break
    place = next
  }
  return place === root ? undefined : place.offset
}

function startOf(node: unknown): number {
  return (isNode(node) && node.range?.[0]) || 0
}

/** The parser's sentence without its capital, so that it reads on after the file and line. */
function plain(message: string): string {
  const [first = ''] = message.split('\n')
  return first.charAt(0).toLowerCase() + first.slice(1)
}
