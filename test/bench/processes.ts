import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'

/** A program under measurement; `await using` ends it, by its own id. */
export interface Program extends AsyncDisposable {
  readonly pid: number
}

/** Starts a program and waits until `url` answers with a status below 500. */
export async function start(
  command: string,
  args: readonly string[],
  url: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Program> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, ...env } })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-4000)
  })
  try {
    await answers(url, child)
  } catch (cause) {
    child.kill('SIGKILL')
    throw new Error(`${command} ${args.join(' ')} did not answer at ${url}:\n${said}`, { cause })
  }
  return { pid: child.pid ?? 0, [Symbol.asyncDispose]: () => end(child) }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  const late = setTimeout(() => child.kill('SIGKILL'), 15_000)
  await once(child, 'exit')
  clearTimeout(late)
}

async function answers(url: string, child: ChildProcess): Promise<void> {
  const patience = AbortSignal.timeout(20_000)
  while (child.exitCode === null) {
    patience.throwIfAborted()
    const answer = await fetch(url, { signal: patience }).catch(() => undefined)
    await answer?.body?.cancel()
    if (answer && answer.status < 500) return
    await delay(50)
  }
  throw new Error(`it ended with exit code ${child.exitCode}`)
}
