import type { StatsFs } from 'node:fs'
import { statfs } from 'node:fs/promises'

/** Where a folder's files really are. */
export interface FileSystem {
  /** `nfs`, `ext4`; undefined where it isn't one of those that are told apart. */
  readonly name?: string
  /** Elsewhere: two machines may have it open, and locks may hold on one of them alone. */
  readonly isNetwork: boolean
  readonly freeBytes: number
}

/** By the number that Linux has for it (statfs(2), linux/magic.h). */
const KINDS: ReadonlyMap<number, readonly [name: string, isNetwork: boolean]> = new Map([
  [0x6969, ['nfs', true]],
  [0x517b, ['smb', true]],
  [0xfe534d42, ['smb2', true]],
  [0xff534d42, ['cifs', true]],
  [0x5346414f, ['afs', true]],
  [0x6b414653, ['afs', true]],
  [0x00c36400, ['ceph', true]],
  [0x0bd00bd0, ['lustre', true]],
  [0x01161970, ['gfs2', true]],
  [0x7461636f, ['ocfs2', true]],
  [0x47504653, ['gpfs', true]],
  [0xef53, ['ext4', false]],
  [0x58465342, ['xfs', false]],
  [0x9123683e, ['btrfs', false]],
  [0x2fc12fc1, ['zfs', false]],
  [0x01021994, ['tmpfs', false]],
  [0x794c7630, ['overlayfs', false]],
  [0x65735546, ['fuse', false]],
  [0x01021997, ['9p', false]],
])

/** A path on another machine, as Windows writes it: `\\server\share\folder`. What a letter stands for it doesn't tell. */
const SHARE = /^\\\\[^\\.?]/

/**
 * Looks where a folder's files are. Rejects with what the system says, as where there is no such folder.
 * @param look asks the system. Default: statfs(2)
 * @param platform whose paths these are. Default: this one
 */
export async function fileSystemOf(
  folder: string,
  look: (folder: string) => Promise<Pick<StatsFs, 'type' | 'bavail' | 'bsize'>> = statfs,
  platform = process.platform,
): Promise<FileSystem> {
  const { type, bavail, bsize } = await look(folder)
  const freeBytes = bavail * bsize
  if (platform === 'win32' && SHARE.test(folder)) return { name: 'a share', isNetwork: true, freeBytes }
  const [name, isNetwork = false] = platform === 'linux' ? (KINDS.get(type >>> 0) ?? []) : []
  return { isNetwork, freeBytes, ...(name !== undefined && { name }) }
}
