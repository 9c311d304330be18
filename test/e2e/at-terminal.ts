import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** What is asked, and what somebody types then. */
export interface Dialogue {
  /** Where the command runs; its home too. */
  readonly folder: string
  /** The last words before somebody types. */
  readonly question: string
  readonly answer: string
}

/** Runs a command at a terminal of its own (script(1) of util-linux), and types an answer once it is asked. */
export async function answerAtTerminal(
  command: readonly string[],
  { folder, question, answer }: Dialogue,
): Promise<{ readonly code: number; readonly said: string }> {
  const line = command.map((word) => `'${word}'`).join(' ')
  const child = spawn('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, NO_COLOR: '1', TERM: 'dumb' },
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  let said = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    if (!said.includes(question) && (said + text).includes(question)) child.stdin.write(answer)
    said += text
  })
  const [code] = await once(child, 'close')
  return { code, said }
}
