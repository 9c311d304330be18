import { createServer, type Socket } from 'node:net'
import { portOf } from '../../http/port-of.ts'

/** Resolves as soon as `holds` does; looks again every few milliseconds, and rejects after 20 s. */
export async function until(holds: () => boolean, what = 'a condition'): Promise<void> {
  const end = performance.now() + 20_000
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited 20 s in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** An upstream that speaks raw bytes: the test says what each connection answers to what came on it. */
export interface RawUpstream {
  readonly port: number
  /** All that came, one text a connection, in order of arrival. */
  readonly received: string[]
  /** Connections open now. */
  readonly open: ReadonlySet<Socket>
  close(): Promise<void>
}

/** What a raw upstream does with bytes. @param received all that came on this connection since the last answer; return true to forget it */
export type RawAnswer = (socket: Socket, received: string, connection: number) => boolean

/** Starts a raw upstream on a free port of 127.0.0.1. */
export async function rawUpstream(answer: RawAnswer): Promise<RawUpstream> {
  const received: string[] = []
  const open = new Set<Socket>()
  const server = createServer((socket) => {
    const connection = received.push('') - 1
    let pending = ''
    open.add(socket)
    socket.on('close', () => open.delete(socket))
    socket.on('error', () => {})
    socket.on('data', (bytes) => {
      received[connection] += bytes.toString('latin1')
      pending += bytes.toString('latin1')
      if (answer(socket, pending, connection)) pending = ''
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: portOf(server),
    received,
    open,
    close() {
      for (const socket of open) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** A raw answer that gives every complete bodiless request the same bytes. */
export function always(bytes: string): RawAnswer {
  return (socket, received) => {
    if (!received.endsWith('\r\n\r\n')) return false
    socket.write(bytes, 'latin1')
    return true
  }
}
