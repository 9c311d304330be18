import { expect, it } from 'vitest'
import type { Level, LogEntry } from '../../kit/telemetry/log.ts'
import { createHeldEntries } from './held-entries.ts'

const BEFORE = '2026-01-01T12:00:00.000Z'
const NOW = '2026-01-01T12:00:01.000Z'
const entry = (message: string, level: Level = 'INFO', timestamp = BEFORE): LogEntry => ({
  timestamp,
  level,
  service: 's',
  instance: 'i',
  message,
})

function holding() {
  const shown: string[] = []
  return { shown, held: createHeldEntries((unit, { message }) => void shown.push(`${unit}: ${message}`)) }
}

it('lets through what is wrong, and the rest once it is released', () => {
  const { held, shown } = holding()
  held.take('shop', entry('listening'))
  held.take('user', entry('ready'))
  held.take('shop', entry('no cache', 'WARNING'))
  expect(shown).toEqual(['shop: no cache'])
  held.take('catalog', entry('one', 'INFO', '2026-01-01T11:59:59.000Z'))
  held.release(new Set(['shop', 'catalog']), NOW)
  held.take('user', entry('came late'))
  held.take('user', entry('served', 'INFO', NOW))
  held.take('shop', entry('came late too'))
  expect(shown.slice(1)).toEqual(['catalog: one', 'shop: listening', 'user: served', 'shop: came late too'])
})

it('tells what a unit said last before it ended, once', () => {
  const { held, shown } = holding()
  for (let line = 0; line < 30; line++) held.take('shop', entry(`line ${line}`))
  held.explain('shop')
  expect(shown).toHaveLength(20)
  expect(shown.at(-1)).toBe('shop: line 29')
  held.take('shop', entry('again'))
  held.explain('shop')
  held.release(new Set(['shop']), NOW)
  expect(shown).toHaveLength(20)
})
