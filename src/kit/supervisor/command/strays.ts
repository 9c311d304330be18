import { readdir, readFile } from 'node:fs/promises'

/**
 * Processes whose environment has a variable with a value, by their ids: those that left the group of what started them, which began with it (Jenkins tells what a
 * build left by the same). Only on Linux, where the environment of one's own processes can be read; elsewhere there are none.
 * @param mark `NAME=value`
 */
export async function strays(mark: string): Promise<readonly number[]> {
  const names = await readdir('/proc').catch(() => [])
  const ids = names.map(Number).filter((id) => id > 0 && id !== process.pid)
  const found = await Promise.all(
    ids.map(async (id) => {
      const environment = await readFile(`/proc/${id}/environ`, 'latin1').catch(() => '')
      return environment.split('\0').includes(mark) ? [id] : []
    }),
  )
  return found.flat()
}
