import type { Kysely } from 'kysely'
import { type ConfigTables, readDocuments, readLayers } from './config-rows.ts'
import { DEFAULT } from './contract.ts'

/**
 * Says that values are in environments that a platform in another one doesn't look into, unless it finds the same keys in its own, or in `_default`. Rejects with
 * DriverError.
 * @returns one line, or none
 */
export async function unseenValues(
  db: Kysely<ConfigTables>,
  { environment }: { readonly environment: string },
): Promise<readonly string[]> {
  const forAll = keysOf(await readLayers(db, { service: DEFAULT, environment }))
  const unseen = new Map<string, number>()
  for await (const documents of readDocuments(db)) {
    const isSeen = (name: string) => name === environment || name === DEFAULT
    const seen = forAll.union(keysOf(documents.filter((one) => isSeen(one.environment))))
    for (const { environment: name, document } of documents.filter((one) => !isSeen(one.environment))) {
      const keys = new Set(document.keys()).difference(seen)
      if (keys.size > 0) unseen.set(name, (unseen.get(name) ?? 0) + keys.size)
    }
  }
  const [first, ...more] = [...unseen].map(([name, count]) => ({ name, count }))
  if (first === undefined) return []
  const found = [
    `${first.count} ${first.count === 1 ? 'value' : 'values'} of the config server in ${first.name}`,
    ...more.map(({ name, count }) => `${count} in ${name}`),
  ]
  const others = [...unseen.keys()].join(' or ')
  return [
    `${found.join(' and ')} won't hold where the configuration says environment: ${environment}; say ${others} there, or copy them with msvc config get and set, --env ${environment}`,
  ]
}

function keysOf(layers: readonly { readonly document: ReadonlyMap<string, unknown> }[]): Set<string> {
  return new Set(layers.flatMap(({ document }) => [...document.keys()]))
}
