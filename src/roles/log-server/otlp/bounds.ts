/** Largest body in bytes, inflated (20 MiB: the receiver of the OpenTelemetry Collector takes as much). */
export const MAX_OTLP_BYTES = 20 * 1_048_576
/** Most spans, log records or metrics of one request. */
export const MAX_OTLP_ITEMS = 100_000
/** Most values of one request, attributes, events and links together: each takes some 100 bytes in memory. */
export const MAX_OTLP_VALUES = 1_000_000
/** The same of one span or log record. */
export const MAX_ITEM_VALUES = 20_000
