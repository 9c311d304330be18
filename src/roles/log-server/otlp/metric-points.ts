import * as z from 'zod'
import { Slice } from '../../../drivers/slice.ts'
import { type Encoding, walkRequest } from './requests.ts'
import { BYTES, fieldTag, type WireReader } from './wire-reader.ts'

/** Gauge, Sum, Histogram, ExponentialHistogram and Summary (opentelemetry/proto/metrics/v1/metrics.proto): each has its points in field 1. */
const KINDS = [5, 7, 9, 10, 11].map((field) => fieldTag(field, BYTES))
const POINTS = fieldTag(1, BYTES)

const Points = z
  .object({ dataPoints: z.array(z.unknown()).nullish() })
  .nullish()
  .transform((points) => points?.dataPoints?.length ?? 0)
const JsonMetric = z
  .object({ gauge: Points, sum: Points, histogram: Points, exponentialHistogram: Points, summary: Points })
  .transform((kinds) => Object.values(kinds).reduce((sum, count) => sum + count, 0))

const METRICS = {
  names: ['resourceMetrics', 'scopeMetrics', 'metrics'],
  fromWire: countInMetric,
  fromJson: JsonMetric,
} as const

/** How many data points a metrics request has. Rejects with AppError `INVALID_BODY`, `BODY_TOO_LARGE`. */
export async function countPoints(body: Buffer, encoding: Encoding): Promise<number> {
  const slice = new Slice()
  let count = 0
  for (const found of walkRequest(body, encoding, METRICS)) {
    if (found) count += 'item' in found ? found.item : 1
    if (slice.isOver) await slice.next()
  }
  return count
}

function countInMetric(reader: WireReader, end: number): number {
  let count = 0
  reader.fields(end, (tag) => {
    if (!KINDS.includes(tag)) return false
    reader.message((inner) => {
      if (inner === POINTS) count++
      return false
    })
    return true
  })
  return count
}
