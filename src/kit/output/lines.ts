import { StringDecoder } from 'node:string_decoder'

/** Longest line handed on whole, in UTF-16 units; what is longer comes in pieces. */
const MAX_LINE = 65_536

/**
 * Cuts a stream of bytes into lines.
 * @returns a function for each chunk, and `end` for what is left without a newline
 */
export function lineSplitter(take: (line: string) => void): { push(chunk: Buffer): void; end(): void } {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  return {
    push(chunk) {
      const text = decoder.write(chunk)
      // what comes in small pieces would be looked through again with each of them
      if (text.includes('\n')) {
        const lines = (rest + text).split('\n')
        rest = lines.pop() ?? ''
        for (const line of lines) take(line.endsWith('\r') ? line.slice(0, -1) : line)
      } else rest += text
      while (rest.length > MAX_LINE) {
        take(rest.slice(0, MAX_LINE))
        rest = rest.slice(MAX_LINE)
      }
    },
    end() {
      rest += decoder.end()
      if (rest !== '') take(rest)
      rest = ''
    },
  }
}

/** What a line of JSON says; undefined for one that is none. */
export function parseJson(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
