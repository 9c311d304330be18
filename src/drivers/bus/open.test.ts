import { expect, it } from 'vitest'
import { systemClock } from '../clock.ts'
import { openBus } from './open.ts'

it.each([
  ['kafka://user:secret@host:9092', 'no bus driver for kafka:; this build has embedded:, nats:, tls:'],
  ['embedded', 'bus: not a URL; it starts with a scheme, and this build has embedded:, nats:, tls:'],
  ['embedded:secret', 'bus: embedded: takes nothing behind the colon; its file lies in the data folder'],
])('says what is wrong with %s, without repeating what may be a secret', async (url, message) => {
  const opening = openBus({ url, folder: '/nonexistent', clock: systemClock })
  await expect(opening).rejects.toMatchObject({ name: 'DriverError', kind: 'invalid', message })
})
