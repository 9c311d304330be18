import { describe, expect, it } from 'vitest'
import { architectureOf } from './program-file.ts'
import { libraryPaths, sharedLibraries } from './shared-libraries.ts'

const LISTED = `\tlinux-vdso.so.1 (0x00007ffd)
\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x00007f01)
\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f02)
\t/lib64/ld-linux-x86-64.so.2 (0x00007f03)
`

describe('what a loader lists', () => {
  it('is read without the loader itself and what the kernel brings', () => {
    expect(libraryPaths(LISTED)).toEqual(['/lib/x86_64-linux-gnu/libm.so.6', '/lib/x86_64-linux-gnu/libc.so.6'])
  })

  it('names what is missing', () => {
    expect(() => libraryPaths(`${LISTED}\tlibatomic.so.1 => not found\n`)).toThrow(/lacks libatomic\.so\.1, which/)
  })
})

describe.skipIf(process.platform !== 'linux')('a program of this machine', () => {
  it('is known by its processor, and has its libraries and the loader', async () => {
    const architecture = architectureOf(process.execPath)
    expect(architecture.name).toBe(process.arch === 'x64' ? 'amd64' : process.arch)
    const paths = (await sharedLibraries(process.execPath, architecture)).map(({ path }) => path)
    expect(paths).toContain(architecture.loader)
    expect(paths.some((path) => path.endsWith('/libc.so.6'))).toBe(true)
    expect(new Set(paths).size).toBe(paths.length)
  })

  it('of another processor is refused with the way out', async () => {
    const other = { name: 'arm64', loader: '/lib/ld-none.so.1' } as const
    await expect(sharedLibraries(process.execPath, other)).rejects.toThrow(/no \/lib\/ld-none\.so\.1: make it there/)
  })
})
