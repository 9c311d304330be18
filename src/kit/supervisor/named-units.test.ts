import { expect, it } from 'vitest'
import { namedUnits } from './named-units.ts'

const units = ['user', 'user-2', 'order', 'worker-2'].map((name) => ({
  name,
  replicaOf: name === 'user-2' ? 'user' : name,
}))

it('takes the name of a role for all its replicas, and that of a replica for itself', () => {
  expect(namedUnits(['user'], units)).toEqual(['user', 'user-2'])
  expect(namedUnits(['user-2', 'order', 'order'], units)).toEqual(['user-2', 'order'])
  expect(namedUnits(['user-1'], units)).toEqual(['user'])
  expect(namedUnits(['worker-2'], units)).toEqual(['worker-2'])
})

it('names what comes near where there is none', () => {
  expect(() => namedUnits(['usr'], units)).toThrow('there is no unit usr; did you mean user?; msvc ps lists them')
})
