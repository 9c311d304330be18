import { connect, createServer, type Server, type Socket } from 'node:net'

/** The port a listening server was given. */
export function portOf(server: Server): number {
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('the server is not listening on a port')
  return address.port
}

/** Sends bytes on a connection of their own; resolves with all that came back, latin1, once the server closed it. */
export function exchangeBytes(port: number, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let seen = ''
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'))
    socket.setEncoding('latin1').on('data', (text) => {
      seen += text
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve(seen))
  })
}

/** Statuses of the responses in a byte stream. */
export function statusesIn(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status))
}

/** Resolves as soon as `holds` does; looks again every few milliseconds, and rejects after 10 s. */
export async function until(holds: () => boolean, what = 'a condition'): Promise<void> {
  const end = performance.now() + 10_000
  while (!holds()) {
    if (performance.now() > end) throw new Error(`waited 10 s in vain for ${what}`)
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
