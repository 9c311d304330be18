/** What payments and cancellations tell orders apart by: the UUID, or `order 7` where the event of an older order told none. */
export function orderKey({ order_id, order_uuid }: { order_id: number; order_uuid?: string | undefined }): string {
  return order_uuid ?? `order ${order_id}`
}
