import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { DriverError } from '../../drivers/driver-error.ts'
import { AppError, toAppError } from '../errors.ts'
import { lineSplitter, parseJson } from '../output/lines.ts'
import { Asked, CONTROL_VERSION, ControlRequest } from './control-protocol.ts'

/** Most connections at a time. */
const MOST = 16
/** Most requests of a connection that may be under way. */
const MOST_REQUESTS = 16

/** Does what is asked; gives the answer, or throws why it was not done. The signal fires when who asked is gone. */
export type ControlHandler = (request: ControlRequest, signal: AbortSignal) => Promise<unknown>

/** An open control channel. */
export interface ControlServer {
  /** Ends all connections and takes the socket away. */
  close(): Promise<void>
}

/**
 * Takes requests on a socket that only this user can reach (0600): one JSON document a line, each answered by one with its number. What another
 * process left at the address is taken away: whoever opens it holds the data folder. Rejects with the system's own error.
 */
export async function openControl(address: string, handle: ControlHandler): Promise<ControlServer> {
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    if (sockets.size >= MOST) {
      socket.destroy()
      return
    }
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    serve(socket, handle)
  })
  const isFile = !address.startsWith('\\\\')
  if (isFile) rmSync(address, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path: address, readableAll: false, writableAll: false }, () => resolve())
  })
  if (isFile) chmodSync(address, 0o600)
  return {
    close() {
      for (const socket of sockets) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

function serve(socket: Socket, handle: ControlHandler): void {
  const gone = new AbortController()
  let underWay = 0
  socket.once('close', () => gone.abort())
  socket.on('error', () => {})

  async function answer(line: string) {
    const asked = Asked.safeParse(parseJson(line)).data
    if (!asked || underWay >= MOST_REQUESTS) {
      socket.destroy()
      return
    }
    underWay++
    const { version, number, request } = asked
    const said = await perform(version, request, handle, gone.signal)
    underWay--
    if (!socket.destroyed) socket.write(`${JSON.stringify({ version: CONTROL_VERSION, number, ...said })}\n`)
  }

  const lines = lineSplitter((line) => void answer(line))
  socket.on('data', (chunk: Buffer) => lines.push(chunk))
}

async function perform(version: number, given: unknown, handle: ControlHandler, signal: AbortSignal): Promise<object> {
  try {
    const request = ControlRequest.safeParse(given).data
    if (version !== CONTROL_VERSION || !request) {
      throw new AppError(
        'NOT_IMPLEMENTED',
        'the platform was started with another version of msvc: start it anew with this one',
      )
    }
    return { answer: (await handle(request, signal)) ?? {} }
  } catch (fault) {
    const { code, message } = toAppError(fault)
    // whoever has this socket runs the platform
    return { fault: { code, message: fault instanceof DriverError ? fault.message : message } }
  }
}
