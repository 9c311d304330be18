import { isPlain } from '../yaml-text.ts'

/** Text as a value in compose's YAML: plain where nobody reads it otherwise, in quotes else. `$` is doubled, as compose puts variables in its place. */
export function scalar(text: string): string {
  if (isPlain(text)) return text
  const doubled = text.replaceAll('$', '$$$$')
  return /^[\x20-\x7e]*$/.test(doubled) && !doubled.includes("'") ? `'${doubled}'` : JSON.stringify(doubled)
}

/** A list on one line. */
export function flowList(texts: Iterable<string>): string {
  return `[${[...texts].map(scalar).join(', ')}]`
}

/** A line for each of some values. @param indent spaces before each */
export function mapping(values: Readonly<Record<string, string>>, indent: number): string {
  return Object.entries(values)
    .map(([name, value]) => `${' '.repeat(indent)}${name}: ${scalar(value)}`)
    .join('\n')
}
