import { chmodSync, rmSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { DriverError } from '../../drivers/driver-error.ts'
import { AppError, toAppError } from '../errors.ts'
import { lineSplitter, parseJson } from '../output/lines.ts'
import { Asked, CONTROL_VERSION, ControlRequest, REFUSED } from './control-protocol.ts'

/** Most connections at a time. */
const MOST = 16
/** Most requests of a connection that may be under way. */
const MOST_REQUESTS = 16
/** For how long nothing may come of a connection before its first line, milliseconds: who connects asks at once. */
const FIRST_LINE_MS = 5_000
/** How long one that is refused has to read why, milliseconds. */
const REFUSED_MS = 1_000

/** Does what is asked; gives the answer, or throws why it was not done. The signal fires when who asked is gone. */
export type ControlHandler = (request: ControlRequest, signal: AbortSignal) => Promise<unknown>

/** An open control channel. */
export interface ControlServer {
  /** Ends all connections and takes the socket away. */
  close(): Promise<void>
}

/**
 * Takes requests on a socket that only this user can reach (0600): one JSON document a line, each answered by one with its number. What another
 * process left at the address is taken away: whoever opens it holds the data folder. A connection of which no line comes for 5 s is ended, sooner where
 * others find no place; who finds none is answered `RATE_LIMITED`. Rejects with the system's own error.
 */
export async function openControl(address: string, handle: ControlHandler): Promise<ControlServer> {
  const open = new Set<Socket>()
  const served = new Set<Socket>()
  /** Of which nothing has come yet, the oldest first. */
  const silent = new Set<Socket>()

  function giveUp(socket: Socket, fault: AppError): void {
    served.delete(socket)
    silent.delete(socket)
    refuse(socket, fault)
  }

  const server = createServer((socket) => {
    open.add(socket)
    socket.on('error', () => {})
    socket.once('close', () => {
      for (const set of [open, served, silent]) set.delete(socket)
    })
    const busy = () =>
      new AppError('RATE_LIMITED', `the platform is busy with ${MOST} other commands: try again when one has ended`)
    const [oldest] = silent
    if (served.size >= MOST) giveUp(oldest ?? socket, busy())
    if (served.size >= MOST) return
    served.add(socket)
    silent.add(socket)
    const late = setTimeout(
      () => giveUp(socket, new AppError('REQUEST_TIMEOUT', `nothing was asked for ${FIRST_LINE_MS / 1_000} s`)),
      FIRST_LINE_MS,
    )
    socket.once('close', () => clearTimeout(late))
    serve(socket, handle, () => {
      clearTimeout(late)
      silent.delete(socket)
    })
  })
  // beyond those who are being told that they are refused
  server.maxConnections = 2 * MOST
  const isFile = !address.startsWith('\\\\')
  if (isFile) rmSync(address, { force: true })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path: address, readableAll: false, writableAll: false }, () => resolve())
  })
  if (isFile) chmodSync(address, 0o600)
  return {
    close() {
      for (const socket of open) socket.destroy()
      return new Promise((resolve) => server.close(() => resolve()))
    },
  }
}

/** Ends a connection, and says why; it is read until its other side ends too, who would lose the answer while he writes. */
function refuse(socket: Socket, { code, message }: AppError): void {
  if (socket.writableEnded) return
  socket.removeAllListeners('data').resume()
  socket.end(`${JSON.stringify({ version: CONTROL_VERSION, number: REFUSED, fault: { code, message } })}\n`)
  const late = setTimeout(() => socket.destroy(), REFUSED_MS)
  socket.once('close', () => clearTimeout(late))
}

/** @param onLine told of each line */
function serve(socket: Socket, handle: ControlHandler, onLine: () => void): void {
  const gone = new AbortController()
  let underWay = 0
  socket.once('close', () => gone.abort())

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

  const lines = lineSplitter((line) => {
    onLine()
    void answer(line)
  })
  socket.on('data', (chunk: Buffer) => lines.push(chunk))
}

async function perform(version: number, given: unknown, handle: ControlHandler, signal: AbortSignal): Promise<object> {
  try {
    const request = ControlRequest.safeParse(given).data
    if (version !== CONTROL_VERSION || !request) {
      throw new AppError(
        'NOT_IMPLEMENTED',
        'the platform was started with another version of msvc: msvc upgrade has it run this one',
      )
    }
    return { answer: (await handle(request, signal)) ?? {} }
  } catch (fault) {
    const { code, message } = toAppError(fault)
    // whoever has this socket runs the platform
    return { fault: { code, message: fault instanceof DriverError ? fault.message : message } }
  }
}
