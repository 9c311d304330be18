import { connect } from 'node:net'

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
