import { run } from '../../src/cli/run.ts'
import type { Io, Terminal } from '../../src/cli/terminal/io.ts'
import { QUIET, quietIo } from '../../src/cli/terminal/testing/quiet-io.ts'

/** What a command line said and how it ended. */
export interface Said {
  readonly code: number
  readonly out: string
  readonly err: string
}

/** A command under way. */
export interface Started {
  /** The first line it writes to stdout. Rejects with what it said on stderr when it ends without one. */
  readonly line: Promise<string>
  readonly ended: Promise<Said>
  /** Ends it as Ctrl-C does. */
  stop(): Promise<Said>
}

/** Starts a command line in this process, in a folder, without a terminal. */
export function start(folder: string, ...args: readonly string[]): Started {
  return startWith({}, folder, ...args)
}

/** The same, in an environment. */
export function startWith(environment: Io['environment'], folder: string, ...args: readonly string[]): Started {
  const said = { out: '', err: '' }
  const interrupt = new AbortController()
  const line = Promise.withResolvers<string>()
  line.promise.catch(() => {})
  const terminal = (name: 'out' | 'err'): Terminal => ({
    ...QUIET,
    write(text) {
      said[name] += text
      const [first, ...rest] = said.out.split('\n')
      if (first !== undefined && rest.length > 0) line.resolve(first)
    },
  })
  const { signal } = interrupt
  const io = quietIo(folder, { out: terminal('out'), err: terminal('err'), environment, signal, leaving: signal })
  const ended = run(args, io).then((code) => {
    line.reject(new Error(`ended with ${code}: ${said.err}`))
    return { code, ...said }
  })
  return {
    line: line.promise,
    ended,
    stop() {
      interrupt.abort()
      return ended
    },
  }
}
