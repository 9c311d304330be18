import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, it, vi } from 'vitest'
import { AppError } from '../../kit/errors.ts'
import type { ControlClient } from '../../kit/supervisor/control-client.ts'
import { type ControlRequest, Done } from '../../kit/supervisor/control-protocol.ts'
import { askWhileItAnswers, isHalted } from './answering.ts'

const signal = new AbortController().signal
const PLACES = { data: '.msvc', store: 'sqlite:', bus: 'embedded:', cache: 'memory:' }

/** A platform by what becomes of each request; one that gives undefined gets no answer. */
function platform(answer: (request: ControlRequest) => Promise<unknown> | undefined) {
  const asked: string[] = []
  const control: Pick<ControlClient, 'ask'> = {
    async ask(request, shape, over) {
      asked.push(request.do)
      const given = answer(request)
      if (given) return shape.parse(await given)
      return new Promise((_, reject) => over.addEventListener('abort', () => reject(over.reason)))
    },
  }
  return { asked, of: { control, data: 'nowhere', signal, silentMs: 20 } }
}

const look = async () => ({ places: PLACES, ready: true })

it('asks nothing of a platform that gives no answer', async () => {
  const { asked, of } = platform(() => undefined)
  await expect(askWhileItAnswers(of, { do: 'down' }, Done)).rejects.toMatchObject({
    code: 'UNAVAILABLE',
    message: expect.stringContaining('the platform on nowhere gives no answer'),
  })
  expect(asked).toEqual(['look'])
})

it('waits for what takes its time, for as long as the platform answers', async () => {
  const done = Promise.withResolvers<unknown>()
  const { asked, of } = platform(({ do: what }) => (what === 'look' ? look() : done.promise))
  const answer = askWhileItAnswers(of, { do: 'apply' }, Done)
  await vi.waitUntil(() => asked.filter((what) => what === 'look').length > 2, { timeout: 20_000 })
  done.resolve({})
  expect(await answer).toEqual({})

  let answers = 0
  const halted = platform(({ do: what }) => (what === 'look' && answers++ === 0 ? look() : undefined))
  await expect(askWhileItAnswers(halted.of, { do: 'apply' }, Done)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
})

it("tells the platform's own refusal", async () => {
  const { of } = platform(({ do: what }) =>
    what === 'look' ? look() : Promise.reject(new AppError('NOT_FOUND', 'there is no unit till')),
  )
  await expect(askWhileItAnswers(of, { do: 'start', units: ['till'] }, Done)).rejects.toMatchObject({
    code: 'NOT_FOUND',
  })
})

it.skipIf(process.platform === 'win32')('knows a process that stands still', async () => {
  const child = spawn('sleep', ['60'])
  await once(child, 'spawn')
  const { pid = 0 } = child
  expect(await isHalted(pid)).toBe(false)
  child.kill('SIGSTOP')
  await vi.waitUntil(() => isHalted(pid), { timeout: 20_000 })
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(await isHalted(pid)).toBe(false)
})
