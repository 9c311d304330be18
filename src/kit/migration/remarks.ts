import type { StorePlace } from '../../drivers/store/contract.ts'
import { readStore } from '../../drivers/store/open.ts'
import type { KeepingRole } from './moved-services.ts'

/** What a platform with other settings won't make of what its services keep in a place: a line each. Rejects with DriverError. */
export async function remarksOn(
  place: Omit<StorePlace, 'name'>,
  roles: readonly KeepingRole[],
  settings: { readonly environment: string },
): Promise<readonly string[]> {
  const found: string[] = []
  for (const { service: name, keeps } of roles) {
    if (keeps?.remarks === undefined) continue
    const store = await readStore({ ...place, name })
    try {
      if (store) found.push(...(await keeps.remarks(store.db, settings)))
    } finally {
      await store?.close()
    }
  }
  return found
}
