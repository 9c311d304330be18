import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import * as z from 'zod'
import type { Composed } from './composed.ts'

const Line = z.object({ id: z.int(), status: z.int(), body: z.string() })

/** What was answered; status 0 where nobody did, and why. */
interface Answered {
  readonly status: number
  readonly body: string
}

/** Asks from the machine that containers run on. */
export interface MachineClient extends Disposable {
  ask(url: string, init?: Pick<RequestInit, 'method' | 'body'> & { readonly headers?: object }): Promise<Answered>
}

/** Starts one. */
export function machineClient({ machine }: Pick<Composed, 'machine'>): MachineClient {
  const script = join(import.meta.dirname, 'machine-client.mjs')
  const child = spawn('nsenter', ['--target', String(machine), '--net', process.execPath, script], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const waiting = new Map<number, (answer: Answered) => void>()
  createInterface(child.stdout).on('line', (line) => {
    const { id, ...answer } = Line.parse(JSON.parse(line))
    waiting.get(id)?.(answer)
    waiting.delete(id)
  })
  let next = 0
  return {
    ask(url, init = {}) {
      const id = next++
      return new Promise((resolve) => {
        waiting.set(id, resolve)
        child.stdin.write(`${JSON.stringify({ id, url, ...init })}\n`)
      })
    },
    [Symbol.dispose]: () => void child.kill(),
  }
}
