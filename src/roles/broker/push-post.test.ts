import { expect, it } from 'vitest'
import { mutePort } from '../../kit/upstream/testing/mute-port.ts'
import { ConnectTimeout } from '../../kit/upstream/unreachable.ts'
import { pushPost } from './push-post.ts'

it.skipIf(process.platform !== 'linux')('gives up soon on an endpoint that says nothing, not even no', async () => {
  await using mute = await mutePort()
  const outcome = await pushPost({
    url: `http://127.0.0.1:${mute.port}/sold`,
    message: { id: '1', topic: 'sold', payload: '{}', attributes: {}, offset: 1, timestamp: 0 },
    token: undefined,
    span: { traceId: '1'.repeat(32), spanId: '1'.repeat(16), sampled: false },
    timeoutMs: 60_000,
    now: () => 0,
    signal: new AbortController().signal,
  })
  expect(outcome).toMatchObject({ taken: false, later: true, cause: expect.any(ConnectTimeout) })
})
