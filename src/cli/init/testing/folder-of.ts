import type { Folder } from '../folder.ts'

/** For tests: a folder by its files, whose names may have folders before them. */
export function folderOf(
  files: Readonly<Record<string, string>>,
  path = '.',
  name = path === '.' ? 'shop' : path,
): Folder {
  const paths = Object.keys(files)
  return {
    path,
    name,
    has: (wanted) => paths.some((file) => file === wanted || file.startsWith(`${wanted}/`)),
    text: (wanted) => files[wanted.replace(/^\.\//, '')] ?? '',
    names(inner = '.') {
      const before = inner === '.' ? '' : `${inner}/`
      const within = paths.filter((file) => file.startsWith(before)).map((file) => file.slice(before.length))
      return [...new Set(within.map((file) => file.split('/')[0] ?? ''))].toSorted()
    },
  }
}
