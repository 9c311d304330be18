import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/**
 * Ends this process. Its heap is collected before: Node waits as it exits for the threads that compile, and one of those that wants room waits for a
 * collection by this thread, which would be for ever (https://github.com/nodejs/node/issues/54918).
 * 3 of 480 commands hung, four at a time on two processors.
 */
export function exitProcess(code: number): never {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  // what is compiled ahead is taken by an engine with the flags that it was compiled under alone
  setFlagsFromString('--no-expose-gc')
  if (typeof collect === 'function') collect()
  process.exit(code)
}
