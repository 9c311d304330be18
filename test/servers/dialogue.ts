import { connect } from 'node:net'

/** Sends a text to a local port and resolves with the first bytes that come back, for at most 20 s. */
export function ask(port: number, text: string | Uint8Array): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.setTimeout(20_000, () => socket.destroy(new Error('no answer')))
    socket.on('connect', () => text.length > 0 && socket.write(text))
    socket.once('data', (data) => {
      resolve(Buffer.from(data))
      socket.destroy()
    })
    socket.on('error', reject)
    socket.on('close', () => reject(new Error('closed without an answer')))
  })
}
