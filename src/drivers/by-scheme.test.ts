import { describe, expect, it } from 'vitest'
import { driverFor } from './by-scheme.ts'

describe('driverFor', () => {
  const drivers = { 'one:': async () => 1, 'two:': async () => 2 }

  it.each([
    ['one:', 1],
    ['TWO://host:1/path', 2],
  ])('loads the driver of %s', async (url, driver) => {
    expect(await driverFor('store', url, drivers)).toBe(driver)
  })

  it.each([
    ['nats://user:secret@host:4222', 'no bus driver for nats:; this build has one:, two:'],
    ['constructor:', 'no bus driver for constructor:; this build has one:, two:'],
    ['secret', 'bus: not a URL; it starts with a scheme, and this build has one:, two:'],
    ['', 'bus: not a URL; it starts with a scheme, and this build has one:, two:'],
  ])('refuses %j without repeating it', async (url, message) => {
    await expect(driverFor('bus', url, drivers)).rejects.toMatchObject({ kind: 'invalid', message })
  })
})
