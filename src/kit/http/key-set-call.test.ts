import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { askKeySet } from './key-set-call.ts'

describe('a key set that is asked for', () => {
  const answers: Readonly<Record<string, string>> = {
    '/set': '{"keys":[]}',
    '/page': '<html>secret</html>',
    '/much': `"${'k'.repeat(300_000)}"`,
  }
  const server = createServer((asked, answer) => {
    const text = answers[asked.url ?? '']
    if (asked.url === '/moved') answer.writeHead(302, { location: '/set' }).end()
    else answer.writeHead(text === undefined ? 404 : 200).end(text)
  })
  let url = ''
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(() => server.close())

  it('is what was answered, parsed', async () => {
    expect(await askKeySet(`${url}/set`)).toEqual({ keys: [] })
  })

  it.each([
    ['/gone', 'answered 404'],
    ['/moved', 'answered 302'],
    ['/page', 'answered something that is no JSON'],
    ['/much', 'answered more than 262144 bytes'],
  ])('is refused with its URL: %s', async (path, why) => {
    const asking = askKeySet(`${url}${path}`)
    await expect(asking).rejects.toMatchObject({ code: 'UPSTREAM_FAILED', message: `${url}${path} ${why}` })
  })

  it('is told as unreachable where nobody answers', async () => {
    const asking = askKeySet('http://127.0.0.1:1/set')
    const refusal = { code: 'UNREACHABLE', message: expect.stringMatching(/^http:\/\/127\.0\.0\.1:1\/set: .*REFUSED/) }
    await expect(asking).rejects.toMatchObject(refusal)
  })
})
