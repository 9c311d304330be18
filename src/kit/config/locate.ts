import { isMap, isPair, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'

/** A place in the configuration: keys and list positions from the top. */
export type Path = readonly (string | number)[]

/** A YAML document's values, and the line each stands on. */
export interface LocatedYaml {
  /** The top-level keys; empty for an empty file. */
  readonly value: Record<string, unknown>
  /** The line (from 1) of a key, or of the nearest key above it that the file has; undefined when it has none of them. */
  lineOf(path: Path): number | undefined
  /** What keeps the text from being read: syntax errors, keys that stand twice. Nothing else holds when there are any. */
  readonly faults: readonly { readonly line: number; readonly message: string }[]
}

/** Reads YAML 1.2 so that every value can be traced back to its line. Never throws. */
export function locateYaml(text: string): LocatedYaml {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, uniqueKeys: true, version: '1.2' })
  const lineAt = (offset: number) => lines.linePos(offset).line
  const faults = [...document.errors, ...document.warnings].map(({ code, message, pos }) => ({
    line: lineAt(pos[0]),
    message: code === 'DUPLICATE_KEY' ? `the key ${keyAt(text, pos[0])} stands twice` : plain(message),
  }))
  const lineOf = (path: Path) => {
    const offset = offsetOf(document.contents, path)
    return offset === undefined ? undefined : lineAt(offset)
  }
  if (faults.length > 0) return { value: {}, lineOf, faults }
  try {
    const value: unknown = document.toJS({ maxAliasCount: 100 }) ?? {}
    if (isRecord(value)) return { value, lineOf, faults }
    return {
      value: {},
      lineOf,
      faults: [{ line: 1, message: 'expected keys and values, such as "log:" at the start of a line' }],
    }
  } catch (thrown) {
    return {
      value: {},
      lineOf,
      faults: [{ line: 1, message: thrown instanceof Error ? plain(thrown.message) : 'unreadable' }],
    }
  }
}

/** Whether a value is an object with keys, not a list. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function offsetOf(contents: unknown, path: Path): number | undefined {
  let node = contents
  let offset: number | undefined
  for (const step of path) {
    const found = childOf(node, step)
    if (!found) break
    ;[node, offset] = found
  }
  return offset
}

function childOf(node: unknown, step: string | number): readonly [node: unknown, offset: number] | undefined {
  if (isMap(node)) {
    const pair = node.items.find(
      (item) => isPair(item) && isScalar(item.key) && String(item.key.value) === String(step),
    )
    return pair && [pair.value, startOf(pair.key)]
  }
  const item = isSeq(node) && typeof step === 'number' ? node.items[step] : undefined
  return item === undefined ? undefined : [item, startOf(item)]
}

function startOf(node: unknown): number {
  return (node as Node | null)?.range?.[0] ?? 0
}

/** The parser's sentence without its capital, so that it reads on after the file and line. */
function plain(message: string): string {
  const [first = ''] = message.split('\n')
  return first.charAt(0).toLowerCase() + first.slice(1)
}

function keyAt(text: string, offset: number): string {
  return /^[^\s:]{1,60}/.exec(text.slice(offset, offset + 60))?.[0] ?? ''
}
