import { connect, type Socket } from 'node:net'
import type * as z from 'zod'
import { AppError, isErrorCode } from '../errors.ts'
import { lineSplitter, parseJson } from '../output/lines.ts'
import { Answered, CONTROL_VERSION, type ControlRequest, REFUSED } from './control-protocol.ts'

/** A connection to a running platform. */
export interface ControlClient {
  /**
   * Asks it to do something. Rejects with an AppError: the platform's own, `RATE_LIMITED` when it takes no more connections, `UNAVAILABLE` when it is gone,
   * the signal's reason.
   * @param shape what the answer looks like
   */
  ask<S extends z.ZodType>(request: ControlRequest, shape: S, signal: AbortSignal): Promise<z.infer<S>>
  /** Ends the connection, and with it what was asked for and is not decided. */
  close(): void
}

/** Connects to the platform that takes requests at an address. Throws AppError `UNAVAILABLE` when none does. */
export async function connectControl(address: string): Promise<ControlClient> {
  const socket = await opened(address)
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let last = 0
  let end = new AppError('UNAVAILABLE', 'the platform is gone')
  const lines = lineSplitter((line) => {
    const said = Answered.safeParse(parseJson(line)).data
    if (said?.number === REFUSED && said.fault) end = faultOf(said.fault)
    const asker = said && waiting.get(said.number)
    if (!said || !asker) return
    waiting.delete(said.number)
    if (said.fault) asker.reject(faultOf(said.fault))
    else asker.resolve(said.answer)
  })
  socket.on('data', (chunk: Buffer) => lines.push(chunk)).on('error', () => {})
  socket.once('close', () => {
    for (const asker of waiting.values()) asker.reject(end)
    waiting.clear()
  })
  return {
    async ask(request, shape, signal) {
      signal.throwIfAborted()
      if (socket.destroyed) throw end
      const number = ++last
      const asker = Promise.withResolvers<unknown>()
      waiting.set(number, asker)
      const giveUp = () => asker.reject(signal.reason)
      signal.addEventListener('abort', giveUp, { once: true })
      socket.write(`${JSON.stringify({ version: CONTROL_VERSION, number, request })}\n`)
      try {
        return shape.parse(await asker.promise)
      } finally {
        waiting.delete(number)
        signal.removeEventListener('abort', giveUp)
      }
    },
    close: () => void socket.destroy(),
  }
}

function opened(address: string): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ path: address })
    const fail = (cause: Error) =>
      reject(new AppError('UNAVAILABLE', `no running platform answers at ${address}`, { cause }))
    socket.once('error', fail)
    socket.once('connect', () => {
      socket.off('error', fail)
      resolve(socket)
    })
  })
}

function faultOf({ code, message }: { readonly code: string; readonly message: string }): AppError {
  return new AppError(isErrorCode(code) ? code : 'INTERNAL', message)
}
