import type { Socket } from 'node:net'

/** Sends `bytes` this many times, as fast as the other end reads them. Resolves when all is handed over, or the connection has ended. */
export async function flood(socket: Socket, bytes: Buffer, times: number): Promise<void> {
  for (let sent = 0; sent < times && socket.writable; sent++) {
    if (socket.write(bytes)) continue
    await new Promise<void>((resolve) => {
      const goOn = () => {
        socket.off('drain', goOn).off('close', goOn)
        resolve()
      }
      socket.on('drain', goOn).on('close', goOn)
    })
  }
}
