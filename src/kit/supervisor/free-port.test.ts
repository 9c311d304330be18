import { createServer } from 'node:net'
import { expect, it } from 'vitest'
import { freePort, isTaken } from './free-port.ts'

it('finds a free port, and sees a taken one', async () => {
  const port = await freePort('127.0.0.1')
  expect(await isTaken('127.0.0.1', port)).toBe(false)
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  try {
    expect(await isTaken('127.0.0.1', port)).toBe(true)
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
})

it('says so when an address is not of this machine', async () => {
  await expect(freePort('192.0.2.1')).rejects.toMatchObject({
    code: 'START_FAILED',
    message: 'no free port on 192.0.2.1',
  })
})
