import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { AppError } from '../../../kit/errors.ts'
import { logsRequest, tracesRequest } from '../export/otlp-request.ts'
import { anyLogRecord, anySpan } from '../testing/telemetry-arbitraries.ts'
import { type Encoding, LOGS, TRACES } from './requests.ts'
import { siftRequest } from './sifting-request.ts'

/** As JSON has it, members in the order of their names. */
function plain(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

describe('what is read of protobuf', () => {
  it('is what was written, each field of it: spans', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anySpan, { maxLength: 5 }), async (spans) => {
        const sifted = await siftRequest(Buffer.from(tracesRequest(spans)), 'protobuf', TRACES, undefined)
        expect(sifted.why).toBe('')
        expect(plain(sifted.items)).toEqual(plain(spans))
        // the types of values too, which JSON does not tell apart
        expect(Buffer.from(tracesRequest(sifted.items))).toEqual(Buffer.from(tracesRequest(spans)))
      }),
    )
  })

  it('is what was written, each field of it: log records', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyLogRecord, { maxLength: 5 }), async (records) => {
        const sifted = await siftRequest(Buffer.from(logsRequest(records)), 'protobuf', LOGS, undefined)
        expect(sifted.why).toBe('')
        expect(plain(sifted.items)).toEqual(plain(records))
        expect(Buffer.from(logsRequest(sifted.items))).toEqual(Buffer.from(logsRequest(records)))
      }),
    )
  })
})

/** Reads what may be anything: gives whether it was taken for a request. Whatever is thrown must be the sender's fault. */
async function tried(body: Buffer, encoding: Encoding): Promise<boolean> {
  try {
    await siftRequest(body, encoding, TRACES, undefined)
    await siftRequest(body, encoding, LOGS, undefined)
    return true
  } catch (fault) {
    if (fault instanceof AppError && (fault.status === 400 || fault.status === 413)) return false
    throw fault
  }
}

describe('bytes of which nothing is known', () => {
  it('are refused, or pass for a request, in protobuf', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uint8Array({ maxLength: 200 }),
        async (bytes) => void (await tried(Buffer.from(bytes), 'protobuf')),
      ),
    )
  })

  it('are refused, or pass for a request, when a request was damaged', async () => {
    const damage = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 })
    await fc.assert(
      fc.asyncProperty(fc.array(anySpan, { minLength: 1, maxLength: 2 }), damage, async (spans, changes) => {
        const body = Buffer.from(tracesRequest(spans))
        for (const [at, byte] of changes) body[at % body.length] = byte
        await tried(body, 'protobuf')
      }),
    )
  })

  it('are refused when a request was cut off', async () => {
    await fc.assert(
      fc.asyncProperty(anySpan, fc.integer({ min: 1, max: 60 }), async (span, missing) => {
        const body = Buffer.from(tracesRequest([span]))
        expect(await tried(body.subarray(0, Math.max(1, body.length - missing)), 'protobuf')).toBe(false)
      }),
    )
  })

  it('are refused, or pass for a request, in JSON', async () => {
    const words = fc.constantFrom(
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '"',
      '\\',
      '"resourceSpans"',
      '"scopeSpans"',
      '"spans"',
      '"resource"',
      'null',
      '1',
      ' ',
      '"x"',
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(words, { maxLength: 40 }),
        async (all) => void (await tried(Buffer.from(all.join('')), 'json')),
      ),
    )
    await fc.assert(fc.asyncProperty(fc.json(), async (json) => void (await tried(Buffer.from(json), 'json'))))
  })
})
