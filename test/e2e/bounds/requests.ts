/** A request as bytes, without a body unless its headers announce one that follows. */
export function requestHead(method: string, path: string, headers: Readonly<Record<string, string>> = {}): string {
  const lines = Object.entries({ host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`)
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n`
}

/** What `times` chunks of one byte are on the wire. */
export const bytesInChunks = (times: number, byte = 'x') => Buffer.from(`1\r\n${byte}\r\n`.repeat(times))

/** The end of a body in chunks. */
export const LAST_CHUNK = '0\r\n\r\n'
