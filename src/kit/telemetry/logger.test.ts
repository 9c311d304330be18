import { describe, expect, it } from 'vitest'
import type { Level, LogEntry } from './log.ts'
import { createLog } from './logger.ts'
import { runInScope } from './scope.ts'

const NOW = Date.parse('2026-12-01T12:00:00Z')

function open(level?: Level) {
  const entries: LogEntry[] = []
  const log = createLog({
    service: 'user-service',
    instance: 'user-service-1',
    clock: { now: () => NOW },
    sinks: [(entry) => void entries.push(entry)],
    ...(level && { level }),
  })
  return { log, entries, messages: () => entries.map(({ message }) => message) }
}

function scope(sampled: boolean) {
  const span = { traceId: 'a'.repeat(32), spanId: 'b'.repeat(16), sampled, setAttribute() {}, rename() {}, end() {} }
  return { span, requestId: 'request-1' }
}

describe('createLog', () => {
  it('says who, when and how bad', () => {
    const { log, entries } = open()
    log.warning('the disk is slow', { ms: 900 })
    expect(entries).toEqual([
      {
        timestamp: '2026-12-01T12:00:00.000Z',
        level: 'WARNING',
        service: 'user-service',
        instance: 'user-service-1',
        message: 'the disk is slow',
        metadata: { ms: 900 },
      },
    ])
  })

  it.each([
    [undefined, ['info', 'warning', 'error', 'critical']],
    ['DEBUG', ['debug', 'info', 'warning', 'error', 'critical']],
    ['ERROR', ['error', 'critical']],
  ] as const)('keeps what is at least %s', (level, kept) => {
    const { log, messages } = open(level)
    for (const at of ['debug', 'info', 'warning', 'error', 'critical'] as const) log[at](at)
    expect(messages()).toEqual(kept)
  })

  it('joins an entry to its trace, and keeps only bad news of one that is not kept', () => {
    const { log, entries, messages } = open()
    runInScope(scope(true), () => log.info('kept'))
    runInScope(scope(false), () => log.info('left out'))
    runInScope(scope(false), () => log.warning('bad'))
    expect(messages()).toEqual(['kept', 'bad'])
    expect(entries[0]).toMatchObject({ trace_id: 'a'.repeat(32), span_id: 'b'.repeat(16) })
  })

  it('hides secrets, in the message as in the metadata', () => {
    const { log, entries } = open()
    log.error('GET http://bob:pw@db/ failed: token=abc', { password: 'hunter2' })
    expect(entries[0]).toMatchObject({
      message: 'GET http://[hidden]@db/ failed: token=[hidden]',
      metadata: { password: '[hidden]' },
    })
  })
})
