import type { Terminal } from './cli/terminal/io.ts'

/**
 * One of this process's output streams.
 * @param write how text gets there. Default: at once
 */
export function terminal(
  stream: NodeJS.WriteStream,
  write: Terminal['write'] = (text) => void stream.write(text),
): Terminal {
  const isTTY = stream.isTTY ?? false
  const { NO_COLOR, TERM } = process.env
  return {
    write,
    isTTY,
    colour: isTTY && !NO_COLOR && TERM !== 'dumb',
    get columns() {
      return stream.columns || 80
    },
    get rows() {
      return stream.rows || 24
    },
  }
}
