import { describe, expect, it } from 'vitest'
import { Connections, type Member, type Seat } from './connections.ts'

/** A connection as the bounds see it. */
function member({ group = '127.0.0.1', owesBody = false } = {}) {
  const made = { group, owesBody, closed: false, close: () => {} }
  made.close = () => {
    made.closed = true
  }
  return made satisfies Member
}

const many = (count: number, options: Parameters<typeof member>[0] = {}) =>
  Array.from({ length: count }, () => member(options))
const fill = (connections: Connections, members: readonly Member[]) => members.map((one) => connections.admit(one))
const closed = (members: readonly { closed: boolean }[]) => members.flatMap(({ closed }, at) => (closed ? [at] : []))
const busy = (seats: readonly (Seat | undefined)[]) => {
  for (const seat of seats) seat?.busy()
}

describe('Connections', () => {
  it('gives up the longest idle from 90 % on, oldest first, and nobody who is answered', () => {
    const connections = new Connections({ max_connections: 10, connections_share: 0.5 })
    const members = many(9)
    const seats = fill(connections, members)
    expect(seats).not.toContain(undefined)
    busy([seats[1], seats[0]])
    seats[0]?.idle()
    expect(closed(members)).toEqual([])
    fill(connections, many(2))
    expect(closed(members)).toEqual([2, 3])
  })

  it('gives up those that owe a body when nobody is idle and there is no room at all', () => {
    const connections = new Connections({ max_connections: 10, connections_share: 0.5 })
    const members = [...many(1), ...many(8, { owesBody: true })]
    const seats = fill(connections, members)
    busy([seats[0], seats[8], ...seats.slice(1, 8)])
    const last = connections.admit(member())
    busy([last])
    expect(closed(members)).toEqual([8])
    for (const one of many(8)) busy([connections.admit(one)])
    expect(closed(members)).toEqual([1, 2, 3, 4, 5, 6, 7, 8])
  })

  it('leaves an address its share, giving up what it has idle itself', () => {
    const connections = new Connections({ max_connections: 100, connections_share: 0.05 })
    const own = many(5, { group: '192.0.2.1' })
    busy(fill(connections, own).slice(0, 1))
    const more = many(6, { group: '192.0.2.1' }).map((one) => {
      const seat = connections.admit(one)
      seat?.busy()
      return seat
    })
    expect(more.map((seat) => seat !== undefined)).toEqual([true, true, true, true, false, false])
    expect(closed(own)).toEqual([1, 2, 3, 4])
    expect(connections.admit(member({ group: '192.0.2.2' }))).toBeDefined()
    for (const seat of more) if (seat) connections.remove(seat)
    expect(connections.admit(member({ group: '192.0.2.1' }))).toBeDefined()
  })

  it('counts no loopback address, since all local clients have it', () => {
    const connections = new Connections({ max_connections: 100, connections_share: 0.01 })
    const members = ['127.0.0.1', '127.9.9.9', '0:0:0:0::/64'].flatMap((group) => many(2, { group }))
    expect(fill(connections, members)).not.toContain(undefined)
    expect(closed(members)).toEqual([])
  })

  it('forgets who has left, once', () => {
    const connections = new Connections({ max_connections: 100, connections_share: 0.02 })
    const [first, second] = fill(connections, many(2, { group: '192.0.2.1' }))
    busy([first, second])
    for (const seat of [first, first]) if (seat) connections.remove(seat)
    first?.idle()
    const seats = fill(connections, many(1, { group: '192.0.2.1' }))
    busy(seats)
    expect(seats).not.toContain(undefined)
    expect(connections.admit(member({ group: '192.0.2.1' }))).toBeUndefined()
  })

  describe.each([
    ['beyond an address’s share', { max_connections: 20_000, connections_share: 0.4 }],
    ['near the most', { max_connections: 8_800, connections_share: 1 }],
    ['at the most', { max_connections: 8_001, connections_share: 1 }],
  ])('one that comes %s', (_, limits) => {
    it.each([true, false])('costs as little as ever, where the others are idle: %s', (isIdle) => {
      const connections = new Connections(limits)
      let looks = 0
      const counted = () =>
        new Proxy(member({ group: '192.0.2.1' }), {
          get(one, name) {
            looks++
            return Reflect.get(one, name)
          },
        })
      const seats = fill(
        connections,
        Array.from({ length: 8_000 }, () => counted()),
      )
      if (!isIdle) busy(seats)
      looks = 0
      for (let at = 0; at < 100; at++) connections.admit(counted())
      expect(looks / 100).toBeLessThan(110)
    })
  })
})
