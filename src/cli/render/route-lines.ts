import type { UnitRow } from '../../kit/supervisor/control-protocol.ts'
import { columns } from './columns.ts'
import { textWidth } from './text-width.ts'
import { visibleText } from './visible-text.ts'

/**
 * Where services are reached through the gateway, a line a route; empty where none is routed. An address is never cut: where there is no room for it beside
 * its service, it stands below.
 * @param width columns that there is room for. Default: no limit
 */
export function routeLines(
  units: readonly Pick<UnitRow, 'unit' | 'service' | 'routes'>[],
  width = Number.POSITIVE_INFINITY,
): string {
  const routes = new Map(units.map(({ unit, service = unit, routes: urls = [] }) => [service, urls]))
  const rows = [...routes].flatMap(([service, urls]) => urls.map((url) => [service, url] as const))
  if (rows.length === 0) return ''
  const table = columns([['SERVICE', 'AT THE GATEWAY'], ...rows])
  if (table.split('\n').every((line) => textWidth(line) <= width)) return table
  return [
    'AT THE GATEWAY',
    ...rows.flatMap((row) => row.map(visibleText)).map((text, at) => (at % 2 ? `  ${text}` : text)),
  ].join('\n')
}
