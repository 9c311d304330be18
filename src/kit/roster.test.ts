import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ABSENT, type Enrolled, Roster } from './roster.ts'

it('has exactly those who came and have not left, in whatever order they come and go', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(9))), (steps) => {
      const roster = new Roster<Enrolled>()
      const people = Array.from({ length: 10 }, () => ({ place: ABSENT }))
      const expected = new Set<Enrolled>()
      for (const [comes, index] of steps) {
        const one = people[index]
        if (!one) continue
        if (comes) roster.add(one)
        else roster.remove(one)
        if (comes) expected.add(one)
        else expected.delete(one)
      }
      const visited: Enrolled[] = []
      roster.each((one) => visited.push(one))
      expect(roster.size).toBe(expected.size)
      expect(visited).toHaveLength(expected.size)
      expect(new Set(visited)).toEqual(expected)
    }),
  )
})

it('visits each once though all leave while they are visited', () => {
  const roster = new Roster<Enrolled>()
  const people = Array.from({ length: 20 }, () => ({ place: ABSENT }))
  for (const one of people) roster.add(one)
  let visits = 0
  roster.each((one) => {
    visits++
    roster.remove(one)
  })
  expect([visits, roster.size]).toEqual([20, 0])
})
