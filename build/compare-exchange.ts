// Gives Node's executable for Linux the one function that it takes from libatomic, which minimal systems don't have: __atomic_compare_exchange.
import { AppError } from '../src/kit/errors.ts'
import { dynamicEntries, ELF, type ElfFile, neededVersions, readElf, sectionOf, textAt } from './elf.ts'

const LIBRARY = 'libatomic.so.1'
const FUNCTION = '__atomic_compare_exchange'

/** How many bytes every call in Node exchanges, and the function here can. */
const WIDTH = 8

/** A processor's machine code, and how its binaries are laid out. Relocations: ELF supplements for x86-64 (4.4) and AArch64 (5.7). */
interface Processor {
  readonly jumpSlot: number
  readonly relative: number
  /** Of the procedure linkage table: bytes of its head and of each entry, which are in the order of .rela.plt. */
  readonly linkage: { readonly head: number; readonly entry: number }
  /**
   * `bool __atomic_compare_exchange(size_t size, void *ptr, void *expected, void *desired, int success, int failure)` for a size of 8: sequentially
   * consistent, whatever is asked for. It ends the process at any other size.
   */
  readonly code: Buffer
  /** The size that the call here passes; undefined when nothing here calls the function at that address. */
  readonly sizeAt: (text: Buffer, at: number, distance: number) => number | 'unknown' | undefined
}

/** How far before a call its size may stand, bytes. */
const LOOK_BACK = 64

const X64: Processor = {
  jumpSlot: 7,
  relative: 8,
  linkage: { head: 16, entry: 16 },
  code: Buffer.from(
    [
      '4883ff08', // cmp rdi, 8
      '7514', // jne trap
      '488b02', // mov rax, [rdx]
      '488b09', // mov rcx, [rcx]
      'f0480fb10e', // lock cmpxchg [rsi], rcx
      '7403', // je done
      '488902', // mov [rdx], rax
      '0f94c0', // done: sete al
      'c3', // ret
      '0f0b', // trap: ud2
    ].join(''),
    'hex',
  ),
  sizeAt(text, at, distance) {
    const isCall = text[at] === 0xe8 || text[at] === 0xe9
    if (!isCall || at + 5 > text.length || text.readInt32LE(at + 1) !== distance - 5) return undefined
    const move = text.lastIndexOf(Buffer.from([0xbf, WIDTH, 0, 0, 0]), at) // mov edi, 8
    return move !== -1 && at - move <= LOOK_BACK ? WIDTH : 'unknown'
  },
}

const words = (...code: readonly number[]) => Buffer.from(Uint32Array.from(code).buffer)
const MOVE_8_TO_W0 = 0x52800100

const ARM64: Processor = {
  jumpSlot: 1026,
  relative: 1027,
  linkage: { head: 32, entry: 16 },
  code: words(
    0xf100201f, // cmp x0, #8
    0x540001c1, // b.ne trap
    0xf9400046, // ldr x6, [x2]
    0xf9400067, // ldr x7, [x3]
    0xc85ffc28, // again: ldaxr x8, [x1]
    0xeb06011f, // cmp x8, x6
    0x540000a1, // b.ne fail
    0xc809fc27, // stlxr w9, x7, [x1]
    0x35ffff89, // cbnz w9, again
    0x52800020, // mov w0, #1
    0xd65f03c0, // ret
    0xd5033f5f, // fail: clrex
    0xf9000048, // str x8, [x2]
    0x52800000, // mov w0, #0
    0xd65f03c0, // ret
    0xd4200020, // trap: brk #1
  ),
  sizeAt(text, at, distance) {
    if (at % 4 !== 0) return undefined
    const word = text.readUInt32LE(at)
    const isCall = word >>> 26 === 0b100101 || word >>> 26 === 0b000101 // bl, b
    if (!isCall || ((word << 6) >> 6) * 4 !== distance) return undefined
    for (let back = at - 4; back >= Math.max(0, at - LOOK_BACK); back -= 4)
      if (text.readUInt32LE(back) === MOVE_8_TO_W0) return WIDTH
    return 'unknown'
  },
}

/** By processor; the tests run the code of each. */
export const PROCESSORS: Readonly<Record<ElfFile['machine'], Processor>> = { x64: X64, arm64: ARM64 }

/**
 * An executable of Node for Linux that starts without libatomic: the library and its version are no longer asked for, and the one relocation that
 * named its function leads to code in the unused end of the segment of code. Nothing moves, and nothing else changes. One that doesn't ask for
 * libatomic is given back as it is.
 * @param node the executable, which is left as it was
 * @throws AppError UNPROCESSABLE when it takes more of libatomic than this replaces, such as another function or another size
 */
export function withoutLibatomic(node: Buffer): Buffer {
  const elf = readElf(Buffer.from(node))
  const record = neededVersions(elf).find(({ library }) => library === LIBRARY)
  if (!record) return elf.bytes
  const processor = PROCESSORS[elf.machine]
  const symbol = soleSymbol(
    elf,
    record.versions.map(({ index }) => index),
  )
  const slot = soleRelocation(elf, symbol, processor.jumpSlot)
  checkCalls(elf, processor, slot.index)
  const address = placeCode(elf, processor.code)
  // r_info, then r_addend: *slot = base + address
  elf.bytes.writeBigUInt64LE(BigInt(processor.relative), slot.at + 8)
  elf.bytes.writeBigUInt64LE(BigInt(address), slot.at + 16)
  // VER_NDX_GLOBAL: no version
  elf.bytes.writeUInt16LE(1, sectionOf(elf, '.gnu.version').offset + symbol * 2)
  forgetVersions(elf, record)
  forgetLibrary(elf)
  return elf.bytes
}

const refusal = (why: string) =>
  new AppError('UNPROCESSABLE', `${LIBRARY} can't be left out of this Node, as ${why}; see build/compare-exchange.ts`)

/** The one symbol that carries a version of the library. */
function soleSymbol(elf: ElfFile, versions: readonly number[]): number {
  const { offset, bytes } = sectionOf(elf, '.gnu.version')
  const symbols = Array.from({ length: bytes / 2 }, (_, symbol) => symbol).filter((symbol) =>
    versions.includes(elf.bytes.readUInt16LE(offset + symbol * 2) & 0x7fff),
  )
  const [table, strings] = [sectionOf(elf, '.dynsym').offset, sectionOf(elf, '.dynstr').offset]
  const names = symbols.map((symbol) => textAt(elf.bytes, strings + elf.bytes.readUInt32LE(table + symbol * 24)))
  const [symbol] = symbols
  if (symbol === undefined || names.length > 1 || names[0] !== FUNCTION)
    throw refusal(`it takes ${names.join(', ')} from there`)
  return symbol
}

/** The one relocation of a symbol, in the linkage table. */
function soleRelocation(elf: ElfFile, symbol: number, type: number): { readonly at: number; readonly index: number } {
  const of = ['.rela.dyn', '.rela.plt'].flatMap((name) => {
    const { offset, bytes } = sectionOf(elf, name)
    return Array.from({ length: bytes / 24 }, (_, index) => ({ name, index, at: offset + index * 24 }))
  })
  const found = of.filter(({ at }) => elf.bytes.readUInt32LE(at + 12) === symbol)
  const [only] = found
  if (found.length !== 1 || only?.name !== '.rela.plt' || elf.bytes.readUInt32LE(only.at + 8) !== type)
    throw refusal(`${FUNCTION} is not only called`)
  return only
}

/** Looks at every call of the function: the code knows one size. */
function checkCalls(elf: ElfFile, { linkage, sizeAt }: Processor, index: number): void {
  const { address, offset, bytes } = sectionOf(elf, '.text')
  const text = elf.bytes.subarray(offset, offset + bytes)
  const entry = sectionOf(elf, '.plt').address + linkage.head + index * linkage.entry
  const sizes: (number | 'unknown')[] = []
  for (let at = 0; at < text.length; at += 1) {
    const size = sizeAt(text, at, entry - address - at)
    if (size !== undefined) sizes.push(size)
  }
  if (sizes.length === 0) throw refusal(`no call of ${FUNCTION} was found`)
  if (sizes.some((size) => size !== WIDTH)) throw refusal(`a call of ${FUNCTION} isn't for ${WIDTH} bytes`)
}

/** Puts code behind the last of the segment of code, where its page is unused; gives its address. */
function placeCode(elf: ElfFile, code: Buffer): number {
  const segment = elf.segments.find(({ type, flags }) => type === ELF.PT_LOAD && flags & ELF.PF_X)
  if (!segment) throw refusal('it has no segment of code')
  const place = Math.ceil((segment.offset + segment.bytes) / 16) * 16
  const next = elf.segments.map(({ offset }) => offset).filter((offset) => offset > segment.offset)
  const unused = elf.bytes.subarray(place, place + code.length)
  const isFree = place + code.length <= Math.min(...next) && unused.every((byte) => byte === 0)
  if (!isFree) throw refusal('there is no room behind its code')
  code.copy(elf.bytes, place)
  const bytes = BigInt(place + code.length - segment.offset)
  elf.bytes.writeBigUInt64LE(bytes, segment.at + 32)
  elf.bytes.writeBigUInt64LE(bytes, segment.at + 40)
  return segment.address + place - segment.offset
}

/** Takes a record out of the list of needed versions. */
function forgetVersions(elf: ElfFile, { at, next }: { readonly at: number; readonly next: number }): void {
  const { bytes } = elf
  const before = neededVersions(elf).find((each) => each.at + each.next === at && each.next !== 0)
  const section = sectionOf(elf, '.gnu.version_r')
  const count = bytes.readUInt32LE(section.at + 44) - 1
  bytes.writeUInt32LE(count, section.at + 44)
  if (before) bytes.writeUInt32LE(next === 0 ? 0 : before.next + next, before.at + 12)
  else {
    bytes.writeBigUInt64LE(BigInt(section.address + next), section.at + 16)
    bytes.writeBigUInt64LE(BigInt(section.offset + next), section.at + 24)
    bytes.writeBigUInt64LE(BigInt(section.bytes - next), section.at + 32)
  }
  for (const { tag, value, at: entry } of dynamicEntries(elf)) {
    if (tag === ELF.DT_VERNEEDNUM) bytes.writeBigUInt64LE(BigInt(count), entry + 8)
    if (tag === ELF.DT_VERNEED && !before) bytes.writeBigUInt64LE(BigInt(value + next), entry + 8)
  }
}

/** Takes the library out of the dynamic section: what comes behind it moves up by one. */
function forgetLibrary(elf: ElfFile): void {
  const names = sectionOf(elf, '.dynstr').offset
  const entries = dynamicEntries(elf)
  const entry = entries.find(({ tag, value }) => tag === ELF.DT_NEEDED && textAt(elf.bytes, names + value) === LIBRARY)
  const last = entries.at(-1)
  if (!entry || !last) throw refusal('it is not among the libraries that it names')
  elf.bytes.copy(elf.bytes, entry.at, entry.at + 16, last.at + 16)
  elf.bytes.fill(0, last.at, last.at + 16)
}
