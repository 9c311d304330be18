import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EventParser, EventTooLarge, type ReceivedEvent } from './event-parser.ts'

/** What a parser makes of a text, cut into chunks of the given sizes (repeated). */
function parse(text: string, sizes: readonly number[] = [1_000_000], maxLength = 1_000_000): ReceivedEvent[] {
  const events: ReceivedEvent[] = []
  const parser = new EventParser((event) => events.push(event), maxLength)
  const bytes = new TextEncoder().encode(text)
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    parser.push(bytes.subarray(at, at + size))
    at += size
  }
  return events
}

describe('EventParser', () => {
  it('reads names, ids and data, and leaves comments out', () => {
    expect(parse(':hi\n\nevent: up\nid: 7\ndata: {"a":1}\n\ndata:two\ndata: lines\n\n')).toEqual([
      { event: 'up', id: '7', data: '{"a":1}' },
      { event: 'message', id: '7', data: 'two\nlines' },
    ])
  })

  it.each(['\n', '\r', '\r\n'])('takes %j as line break', (end) => {
    expect(parse(['event: a', 'data: 1', '', 'data: 2', '', ''].join(end), [1])).toEqual([
      { event: 'a', id: '', data: '1' },
      { event: 'message', id: '', data: '2' },
    ])
  })

  it('gives no event without data and none that is cut off', () => {
    expect(parse('event: a\nid: 1\n\ndata: whole\n\ndata: half')).toEqual([
      { event: 'message', id: '1', data: 'whole' },
    ])
  })

  it('takes fields without colon or space, ignores unknown ones and ids with NUL', () => {
    expect(parse('data\nwhat: x\nid: a\0b\ndata:  two\n\n')).toEqual([{ event: 'message', id: '', data: '\n two' }])
  })

  it('skips a byte order mark', () => {
    expect(parse('\uFEFFdata: 1\n\n')).toEqual([{ event: 'message', id: '', data: '1' }])
  })

  it.each([
    ['one endless line', 'data: aaaaaaaaaaaaaaaaaaaaaaaaaa'],
    ['endless lines', 'data: aaaa\n'.repeat(10)],
  ])('refuses %s', (_, text) => {
    expect(() => parse(text, [4], 20)).toThrow(EventTooLarge)
  })

  it('finds the same events however the bytes are cut', () => {
    const line = fc.oneof(
      fc
        .tuple(
          fc.constantFrom('data', 'event', 'id', '', 'retry', 'data:'),
          fc.string({ unit: fc.constantFrom('a', ':', ' ', '\0', 'é', '€', '🦉'), maxLength: 8 }),
        )
        .map(([field, value]) => `${field}: ${value}`),
      fc.constant(''),
    )
    const text = fc.array(fc.tuple(line, fc.constantFrom('\n', '\r', '\r\n'))).map((lines) => lines.flat().join(''))
    fc.assert(
      fc.property(text, fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }), (stream, sizes) => {
        expect(JSON.stringify(parse(stream, sizes))).toBe(JSON.stringify(parse(stream)))
      }),
    )
  })
})
