import { describe, expect, it } from 'vitest'
import { Connections, type Member } from './connections.ts'

/** A connection as the bounds see it. */
function member(moment: number, { group = '127.0.0.1', isIdle = true, owesBody = false } = {}) {
  const made = { group, idleSince: moment, isIdle, owesBody, index: -1, closed: false, close: () => {} }
  made.close = () => {
    made.closed = true
  }
  return made satisfies Member
}

const fill = (connections: Connections, members: readonly Member[]) => members.map((one) => connections.admit(one))

describe('Connections', () => {
  it('gives up the longest idle from 90 % on, oldest first, and nobody who is answered', () => {
    const connections = new Connections({ max_connections: 10, connections_share: 0.5 })
    const members = [
      member(5),
      member(1, { isIdle: false }),
      member(3),
      member(2),
      ...[6, 7, 8, 9, 10].map((moment) => member(moment)),
    ]
    expect(fill(connections, members)).not.toContain(false)
    expect(members.some(({ closed }) => closed)).toBe(false)
    fill(connections, [member(11), member(12)])
    expect(members.map(({ closed }, at) => (closed ? at : -1)).filter((at) => at >= 0)).toEqual([2, 3])
  })

  it('gives up those that owe a body when nobody is idle and there is no room at all', () => {
    const connections = new Connections({ max_connections: 10, connections_share: 0.5 })
    const slow = Array.from({ length: 9 }, (_, at) => member(9 - at, { isIdle: false, owesBody: true }))
    fill(connections, slow)
    expect(slow.filter(({ closed }) => closed)).toEqual([])
    fill(connections, [member(10, { isIdle: false })])
    expect(slow.map(({ closed }) => closed).indexOf(true)).toBe(8)
  })

  it('leaves an address its share, giving up what it has idle itself', () => {
    const connections = new Connections({ max_connections: 100, connections_share: 0.05 })
    const own = Array.from({ length: 5 }, (_, at) => member(at, { group: '192.0.2.1', isIdle: at > 0 }))
    fill(connections, own)
    const more = Array.from({ length: 6 }, (_, at) => member(10 + at, { group: '192.0.2.1', isIdle: false }))
    expect(fill(connections, more)).toEqual([true, true, true, true, false, false])
    expect(own.map(({ closed }) => closed)).toEqual([false, true, true, true, true])
    expect(connections.admit(member(20, { group: '192.0.2.2' }))).toBe(true)
    for (const one of more.slice(0, 4)) connections.remove(one)
    expect(connections.admit(member(21, { group: '192.0.2.1' }))).toBe(true)
  })

  it('counts no loopback address, since all local clients have it', () => {
    const connections = new Connections({ max_connections: 100, connections_share: 0.01 })
    const members = ['127.0.0.1', '127.9.9.9', '0:0:0:0::/64'].flatMap((group) => [
      member(1, { group }),
      member(2, { group }),
    ])
    expect(fill(connections, members)).not.toContain(false)
    expect(members.some(({ closed }) => closed)).toBe(false)
  })
})
