import { expect, it } from 'vitest'
import { systemClock } from '../clock.ts'
import { openBus } from './open.ts'

const options = { folder: '/nonexistent', clock: systemClock }

it('names the drivers there are when asked for another', async () => {
  await expect(openBus({ ...options, url: 'nats://user:secret@host:4222' })).rejects.toMatchObject({
    kind: 'invalid',
    message: 'no bus driver for nats:; this build has embedded:',
  })
})

it('says so when the address is no URL', async () => {
  await expect(openBus({ ...options, url: 'embedded' })).rejects.toMatchObject({ kind: 'invalid' })
})
