import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatTimestamp, parseDuration, parseMoment, parseTimestamp } from './timestamps.ts'

describe('parseTimestamp', () => {
  it.each([
    ['2026-11-22T10:30:00.123Z', '2026-11-22T10:30:00.123Z'],
    ['2026-11-22T10:30:00Z', '2026-11-22T10:30:00.000Z'],
    ['2026-11-22t10:30:00.5z', '2026-11-22T10:30:00.500Z'],
    ['2026-11-22T10:30:00+02:00', '2026-11-22T08:30:00.000Z'],
    ['2026-11-22T10:30:00.5+0200', '2026-11-22T08:30:00.500Z'],
    ['2026-11-22 10:30:00.123', '2026-11-22T10:30:00.123Z'],
    ['2024-02-29T00:00:00Z', '2024-02-29T00:00:00.000Z'],
    ['2026-11-22T10:30:00.123456789Z', '2026-11-22T10:30:00.123457Z'],
    ['1790000000', '2026-09-21T14:13:20.000Z'],
    ['1790000000.5', '2026-09-21T14:13:20.500Z'],
    ['1790000000123', '2026-09-21T14:13:20.123Z'],
    ['1790000000123456', '2026-09-21T14:13:20.123456Z'],
    ['1790000000123456789', '2026-09-21T14:13:20.123457Z'],
  ])('reads %s', (text, same) => {
    expect(formatTimestamp(parseTimestamp(text) ?? Number.NaN)).toBe(same)
  })

  it.each([
    '',
    'now',
    '17900000',
    '-1790000000',
    '1.79e9',
    '17900000001234567890',
    '2026-11-22',
    '2026-11-22T10:30:00',
    '2026-02-30T00:00:00Z',
    '2026-04-31 00:00:00.000',
    '2026-13-01T00:00:00Z',
    '2026-11-22T24:00:00Z',
    '2026-11-22T10:61:00Z',
    '2026-11-22T10:30:00Z\n',
    '2026-11-22T10:30:00+02',
    '2026-13-01T00:00:00+0200',
    '9999-12-31T23:59:59-00:01',
    '0000-01-01T00:00:00+00:01',
    ' 2026-11-22T10:30:00Z',
  ])('refuses %j', (text) => {
    expect(parseTimestamp(text)).toBeUndefined()
  })

  it('gives back what it was given', () => {
    const instant = fc.integer({ min: 0, max: 4_102_444_800_000_000 }).map((micros) => micros / 1000)
    const property = fc.property(instant, (ms) => {
      expect(parseTimestamp(formatTimestamp(ms))).toBeCloseTo(ms, 3)
    })
    fc.assert(property)
  })

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => void parseMoment(text, 0)))
  })
})

describe('parseDuration', () => {
  it.each([
    ['250', 250],
    ['250ms', 250],
    ['1.5s', 1_500],
    ['15m', 900_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['1w', 604_800_000],
  ])('reads %s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  it.each(['', '-1s', 's', '1y', '1 s', '1e3', '9999999999s'])('refuses %j', (text) => {
    expect(parseDuration(text)).toBeUndefined()
  })
})

describe('parseMoment', () => {
  it('takes a time or a while ago', () => {
    expect(parseMoment('15m', 1_000_000)).toBe(100_000)
    expect(parseMoment('1970-01-01T00:00:01Z', 5)).toBe(1_000)
    expect(parseMoment('1970-01-01T00:00:01z', 5)).toBe(1_000)
    expect(parseMoment('15', 5)).toBeUndefined()
  })
})
