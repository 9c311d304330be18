import { createReadStream, statSync } from 'node:fs'
import type { TarFile } from '../../../kit/backup/tar.ts'
import { CONTAINER_USER, PROGRAM, VOLUME } from '../container.ts'
import type { SharedLibrary } from './shared-libraries.ts'

/** Rights of what is no program: of its documents, and in its root. */
export const READABLE = 0o644

/** What stands in the root of an image besides the program and its libraries. */
const TEXTS: Readonly<Record<string, string>> = {
  '/etc/passwd': `root:x:0:0:root:/root:/sbin/nologin\nmsvc:x:${CONTAINER_USER}:${CONTAINER_USER}:msvc:${VOLUME}:/sbin/nologin\n`,
  '/etc/group': `root:x:0:\nmsvc:x:${CONTAINER_USER}:\n`,
  '/etc/nsswitch.conf': 'passwd: files\ngroup: files\nhosts: files dns\n',
}

/** The lower layer of an image, which stays the same from version to version: libraries, and who is who. */
export function baseFiles(libraries: readonly SharedLibrary[]): readonly TarFile[] {
  const files = [
    ...Object.entries(TEXTS).map(([path, text]) => textFile(path, text)),
    ...libraries.map(({ path, file }) => fileOnDisk(path, file)),
  ]
  return [...foldersOf(files), folder('/tmp', 0o1777), ...files]
}

/** The upper one: the program, and the folder that it writes to, whose rights a fresh volume takes over. */
export function programFiles(program: string): readonly TarFile[] {
  const file = fileOnDisk(PROGRAM, program)
  return [...foldersOf([file]), folder(VOLUME, 0o1777), file]
}

/** Folders on the way to files, outermost first. */
function foldersOf(files: readonly TarFile[]): readonly TarFile[] {
  const paths = files.flatMap(({ name }) => {
    const parts = name.split('/').slice(0, -1)
    return parts.map((_, at) => parts.slice(0, at + 1).join('/'))
  })
  return [...new Set(paths)].sort().map((path) => folder(path, 0o755))
}

const inTar = (path: string) => path.replace(/^\//, '')

function folder(path: string, mode: number): TarFile {
  return { name: `${inTar(path)}/`, mode, bytes: 0, read: () => once() }
}

/** A text as a file of an archive. */
export function textFile(path: string, text: string): TarFile {
  const content = Buffer.from(text)
  return { name: inTar(path), mode: READABLE, bytes: content.length, read: () => once(content) }
}

function fileOnDisk(path: string, file: string): TarFile {
  return { name: inTar(path), mode: 0o755, bytes: statSync(file).size, read: () => createReadStream(file) }
}

async function* once(...chunks: Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}
