import { megabytes } from '../../kit/backup/room.ts'
import type { MigrationPlan } from '../../kit/migration/offline.ts'

/** What there is to move, as lines for people. */
export function planLines({ store, bus, cache }: MigrationPlan): string[] {
  const services = store?.services ?? []
  return [
    ...(store ? [`store: ${store.from} -> ${store.to}`] : []),
    ...services.map(({ service, bytes, tables }) => {
      const rows = tables.map((table) => `${table.rows} ${table.name}`).join(', ')
      return `  ${service}: ${rows} (${megabytes(bytes)})`
    }),
    ...(bus
      ? [
          `bus: ${bus.from} -> ${bus.to}`,
          `  ${bus.topics} topics, ${bus.messages} messages (${megabytes(bus.bytes)}), ${bus.subscriptions} subscriptions, ${bus.deadLetters} dead letters, ${bus.delayed} that wait for their time`,
        ]
      : []),
    ...(cache ? [`cache: ${cache.to} answers; nothing is copied, leases and limits begin anew`] : []),
  ]
}
