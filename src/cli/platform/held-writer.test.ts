import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { createHeldWriter } from './held-writer.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function recording() {
  const written: string[] = []
  return { written, writer: createHeldWriter((text) => void written.push(text)) }
}

it('writes what can wait together, a tenth of a second after the first of it', () => {
  const { written, writer } = recording()
  writer.write('a', 'soon')
  vi.advanceTimersByTime(60)
  writer.write('b', 'soon')
  vi.advanceTimersByTime(39)
  expect(written).toEqual([])
  vi.advanceTimersByTime(1)
  expect(written).toEqual(['ab'])
  writer.write('c', 'soon')
  vi.advanceTimersByTime(100)
  expect(written).toEqual(['ab', 'c'])
})

it('keeps the order where something can not wait', () => {
  const { written, writer } = recording()
  writer.write('a', 'soon')
  writer.write('b')
  vi.advanceTimersByTime(1_000)
  expect(written).toEqual(['ab'])
})

it('holds a bounded amount', () => {
  const { written, writer } = recording()
  const line = 'x'.repeat(1_000)
  for (let n = 0; n < 100; n++) writer.write(line, 'soon')
  expect(written).toHaveLength(1)
})

it('writes what is held when it is flushed, and nothing when nothing is', () => {
  const { written, writer } = recording()
  writer.flush()
  writer.write('a', 'soon')
  writer.flush()
  expect(written).toEqual(['a'])
})
