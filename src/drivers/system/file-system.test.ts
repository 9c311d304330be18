import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { fileSystemOf } from './file-system.ts'

it('tells how much room there is', async () => {
  const { freeBytes, isNetwork } = await fileSystemOf(tmpdir())
  expect({ isFree: freeBytes > 0, isNetwork }).toEqual({ isFree: true, isNetwork: false })
})

it.skipIf(process.platform !== 'linux').each([
  [0x6969, 'nfs', true],
  // as a signed number, which some systems give
  [-0x1acb2be, 'smb2', true],
  [0xef53, 'ext4', false],
  [0x1234, undefined, false],
])('knows the kind of number %d: %s', async (type, name, isNetwork) => {
  const look = async () => ({ type, bavail: 1, bsize: 4_096 })
  expect(await fileSystemOf('/data', look)).toEqual({
    ...{ isNetwork, freeBytes: 4_096 },
    ...(name !== undefined && { name }),
  })
})

it('knows a share of Windows by its path', async () => {
  const look = async () => ({ type: 0, bavail: 1, bsize: 1 })
  const paths = [String.raw`\\server\share\data`, String.raw`\\?\C:\data`, String.raw`C:\data`]
  const found = await Promise.all(paths.map((path) => fileSystemOf(path, look, 'win32')))
  expect(found.map(({ isNetwork }) => isNetwork)).toEqual([true, false, false])
})

it('rejects where there is nothing', async () => {
  await expect(fileSystemOf(join(tmpdir(), 'msvc-none'))).rejects.toMatchObject({ code: 'ENOENT' })
})
