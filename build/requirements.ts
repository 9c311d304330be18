import { type ElfFile, neededLibraries, neededVersions } from './elf.ts'

/** What an executable for Linux wants of the system that it is copied to. */
export interface Requirements {
  /** The oldest glibc it starts with, such as `2.28`. */
  readonly glibc: string
  /** The interface of the C++ library, such as `3.4.21`, which GCC 5 brought. */
  readonly glibcxx: string
  /** The files that its loader looks for, such as `libstdc++.so.6`; those of glibc itself included. */
  readonly libraries: readonly string[]
}

/** Reads it from the executable itself: the loader refuses what asks for a newer version of a library than the system has. */
export function requirementsOf(elf: ElfFile): Requirements {
  const names = neededVersions(elf).flatMap(({ versions }) => versions.map(({ name }) => name))
  return {
    glibc: newest(names, 'GLIBC_'),
    glibcxx: newest(names, 'GLIBCXX_'),
    libraries: neededLibraries(elf),
  }
}

/** The newest of the versions with a prefix; empty when there is none. */
function newest(names: readonly string[], prefix: string): string {
  const versions = names.filter((name) => name.startsWith(prefix)).map((name) => name.slice(prefix.length))
  return versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1) ?? ''
}

/**
 * As a line for people.
 * @example 'glibc 2.28 or newer, libstdc++.so.6 (GLIBCXX_3.4.21), libgcc_s.so.1'
 */
export function requirementsText({ glibc, glibcxx, libraries }: Requirements): string {
  const others = libraries.filter((name) => !OF_GLIBC.test(name))
  const named = others.map((name) => (name.startsWith('libstdc++') ? `${name} (GLIBCXX_${glibcxx})` : name))
  return [`glibc ${glibc} or newer`, ...named].join(', ')
}

/** Files that glibc itself brings. */
const OF_GLIBC = /^(?:ld-linux|lib(?:c|m|dl|pthread|rt)\.so)/
