import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { insist } from './insist.ts'

describe('a question that is repeated', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  /** Asks what is answered by hand. */
  function asked({ isWanted = () => true }: { isWanted?: () => boolean } = {}) {
    const questions: PromiseWithResolvers<string>[] = []
    const surplus: string[] = []
    const question = () => {
      const one = Promise.withResolvers<string>()
      questions.push(one)
      return one.promise
    }
    const answer = insist(question, { again: [100, 300], isWanted, surplus: (one) => void surplus.push(one) })
    return { questions, surplus, answer }
  }

  it('is asked once where the answer comes in time', async () => {
    const { questions, answer } = asked()
    questions[0]?.resolve('a')
    expect(await answer).toBe('a')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(questions).toHaveLength(1)
  })

  it('takes the first answer, to whichever time it was asked, and hands out the others', async () => {
    const { questions, surplus, answer } = asked()
    await vi.advanceTimersByTimeAsync(99)
    expect(questions).toHaveLength(1)
    await vi.advanceTimersByTimeAsync(1)
    expect(questions).toHaveLength(2)
    await vi.advanceTimersByTimeAsync(200)
    expect(questions).toHaveLength(3)
    questions[1]?.resolve('second')
    expect(await answer).toBe('second')
    questions[0]?.resolve('first')
    questions[2]?.reject(new Error('late'))
    await vi.advanceTimersByTimeAsync(1_000)
    expect(surplus).toEqual(['first'])
    expect(questions).toHaveLength(3)
  })

  it('ends with the first fault, and asks no more', async () => {
    const { questions, answer } = asked()
    await vi.advanceTimersByTimeAsync(100)
    questions[0]?.reject(new Error('no'))
    await expect(answer).rejects.toThrow('no')
    await vi.advanceTimersByTimeAsync(1_000)
    expect(questions).toHaveLength(2)
  })

  it('is not asked again when that is of no use', async () => {
    const { questions } = asked({ isWanted: () => false })
    await vi.advanceTimersByTimeAsync(1_000)
    expect(questions).toHaveLength(1)
  })
})
