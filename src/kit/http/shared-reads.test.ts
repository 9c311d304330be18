import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { portOf } from './port-of.ts'
import { shareReads } from './shared-reads.ts'

const server = createServer()
const clients: Socket[] = []
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy()
  server.close()
})

it('reads all sockets into one buffer, and tells of their end as ever', async () => {
  const reads: Buffer[] = []
  let texts = ''
  let ended = 0
  server.on('connection', (socket) => {
    socket.on('data', () => expect.unreachable('node reads by itself'))
    socket.on('end', () => ended++)
    shareReads(socket, (bytes) => {
      reads.push(bytes)
      texts += bytes.toString()
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  for (const text of ['one', 'two']) {
    const client = connect(portOf(server), '127.0.0.1')
    clients.push(client)
    client.write(text)
    await expect.poll(() => texts).toContain(text)
    client.end()
  }
  await expect.poll(() => ended).toBe(2)
  expect(texts).toBe('onetwo')
  expect(new Set(reads.map(({ buffer }) => buffer)).size).toBe(1)
})
