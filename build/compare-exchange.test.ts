import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PROCESSORS, withoutLibatomic } from './compare-exchange.ts'
import { withoutDebugInformation } from './debug-information.ts'
import { neededLibraries, neededVersions, readElf, sectionOf } from './elf.ts'
import { littleProgram } from './testing/little-program.ts'

const isLinux = process.platform === 'linux'
const folder = mkdtempSync(join(tmpdir(), 'msvc-elf-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Written by another process: what another thread of this one starts meanwhile has the file open too, and nobody may run it (ETXTBSY). */
function executable(name: string, bytes: Buffer): string {
  const path = join(folder, name)
  execFileSync('sh', ['-c', 'cat >"$0" && chmod 755 "$0"', path], { input: bytes })
  return path
}

/** How programs of a processor are run here; undefined when they can't be. */
function runnerOf(machine: 'x64' | 'arm64'): readonly string[] | undefined {
  if (!isLinux) return undefined
  if (machine === process.arch) return []
  const emulator = machine === 'arm64' ? 'qemu-aarch64-static' : 'qemu-x86_64-static'
  return spawnSync(emulator, ['--version']).error ? undefined : [emulator]
}

describe.each(['x64', 'arm64'] as const)('the compare-and-exchange for %s', (machine) => {
  const runner = runnerOf(machine)
  /** Calls it in a process of its own. */
  function call(size: bigint, target: bigint, expected: bigint, desired: bigint) {
    const memory = Buffer.from(BigUint64Array.of(size, target, expected, desired, 99n).buffer)
    const program = join(folder, machine)
    const [command = program, ...args] = [...(runner ?? []), program]
    const { status, signal, stdout } = spawnSync(command, args, { input: memory })
    const words = stdout.length === memory.length ? [1, 2, 3, 4].map((word) => stdout.readBigUInt64LE(word * 8)) : []
    return { ended: signal ?? status, words }
  }
  beforeAll(() => {
    executable(machine, littleProgram(machine, PROCESSORS[machine].code))
  })

  it.skipIf(!runner)('exchanges what is as expected, and tells what is there otherwise', () => {
    const word = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
    // near one another too: a difference in one half or one bit must be seen
    const pair = fc.oneof(
      word.map((same) => [same, same] as const),
      fc.tuple(word, fc.bigInt({ min: 0n, max: 63n })).map(([one, bit]) => [one, one ^ (1n << bit)] as const),
      fc.tuple(word, word),
    )
    const property = fc.property(pair, word, ([target, expected], desired) => {
      const isSame = target === expected
      const words = isSame ? [desired, expected, desired, 1n] : [target, target, desired, 0n]
      expect(call(8n, target, expected, desired)).toEqual({ ended: 0, words })
    })
    fc.assert(property, { numRuns: 60 })
  })

  it.skipIf(!runner)('ends the process rather than exchange another number of bytes', () => {
    for (const size of [0n, 1n, 4n, 16n, 8n + 2n ** 32n])
      expect(call(size, 1n, 1n, 2n).ended, `${size}`).toMatch(/^SIG(?:ILL|TRAP)$/)
  })
})

describe.skipIf(!isLinux)('Node without libatomic', () => {
  const node = isLinux ? readFileSync(process.execPath) : Buffer.alloc(0)
  let changed: Buffer
  let path: string
  beforeAll(() => {
    changed = withoutDebugInformation(withoutLibatomic(node))
    path = executable('node', changed)
  })

  it('asks for the same libraries and versions but for that one', () => {
    const [before, after] = [readElf(node), readElf(changed)]
    const others = (name: string) => name !== 'libatomic.so.1'
    expect(neededLibraries(before)).toContain('libatomic.so.1')
    expect(neededLibraries(after)).toEqual(neededLibraries(before).filter(others))
    const versions = (elf: typeof before) =>
      neededVersions(elf).map(({ library, versions }) => [library, versions] as const)
    expect(versions(after)).toEqual(versions(before).filter(([library]) => others(library)))
  })

  it('has every loaded byte as it was, but for the few that say so', () => {
    const { offset } = sectionOf(readElf(node), '.bss')
    const places = new Set<number>()
    for (let at = 0; at < offset; at += 1) if (node[at] !== changed[at]) places.add(Math.floor(at / 4096))
    // the header, a version, a relocation with the needed versions, the code, the dynamic section
    expect(places.size).toBeLessThanOrEqual(6)
  })

  it('is changed once and for all', () => {
    expect(withoutLibatomic(changed).equals(changed)).toBe(true)
    expect(withoutDebugInformation(changed).equals(changed)).toBe(true)
  })

  it('runs: several threads make functions at the same time, each of which it exchanges words for', () => {
    const script = `
      const { Worker } = require('node:worker_threads')
      const work = 'let made = 0; for (let n = 0; n < 20000; n += 1) made += new Function("return " + n)() === n ? 1 : 0; require("node:worker_threads").parentPort.postMessage(made)'
      const sum = Array.from({ length: 4 }, () => new Promise((done) => new Worker(work, { eval: true }).once('message', done)))
      Promise.all(sum).then((all) => console.log(all.join()))`
    const out = execFileSync(path, ['--eval', script], { encoding: 'utf8', env: {} })
    expect(out).toBe('20000,20000,20000,20000\n')
  })

  it('is refused, with the reason, where its code calls for other sizes', () => {
    const other = Buffer.from(node)
    const { offset, bytes } = sectionOf(readElf(node), '.text')
    // every mov edi, 8 (x64), mov w0, #8 (arm64) becomes one of 4
    const [from, to] =
      process.arch === 'x64'
        ? [Buffer.from('bf08000000', 'hex'), Buffer.from('bf04000000', 'hex')]
        : [Buffer.from('00018052', 'hex'), Buffer.from('80008052', 'hex')]
    for (let at = other.indexOf(from, offset); at !== -1 && at < offset + bytes; at = other.indexOf(from, at + 1))
      to.copy(other, at)
    expect(() => withoutLibatomic(other)).toThrow(
      /libatomic\.so\.1 can't be left out of this Node, as a call of .* isn't for 8 bytes/,
    )
  })
})

describe('an executable of something else', () => {
  it('is refused', () => {
    for (const bytes of [Buffer.alloc(0), Buffer.from('MZ'), Buffer.alloc(100)])
      expect(() => readElf(bytes)).toThrow('not an ELF executable for x64 or arm64')
  })
})
