// Leaves out of an executable for Linux what only a debugger of its C++ reads: a fifth of its bytes.
import { ELF, readElf } from './elf.ts'

/** The table of sections is aligned to it, bytes. */
const ALIGNMENT = 8

/**
 * An executable without the sections that are never loaded (`.debug_…`, `.symtab`), as strip(1) does it. The exported symbols stay, by which Node
 * names its own functions in a crash.
 * @param executable an ELF file whose unloaded sections stand behind the loaded ones, as linkers put them
 */
export function withoutDebugInformation(executable: Buffer): Buffer {
  const { sections, segments } = readElf(executable)
  const unloaded = sections.findIndex(({ flags }, index) => index > 0 && !(flags & ELF.SHF_ALLOC))
  if (unloaded === -1) return executable
  const kept = sections.slice(0, unloaded)
  const loadedEnd = Math.max(
    ...segments.filter(({ type }) => type === ELF.PT_LOAD).map(({ offset, bytes }) => offset + bytes),
  )
  const named = [...kept.map(({ name }) => name), '.shstrtab']
  const names = Buffer.from(`${named.join('\0')}\0`, 'latin1')
  const tableAt = Math.ceil((loadedEnd + names.length) / ALIGNMENT) * ALIGNMENT
  const size = executable.readUInt16LE(58)
  const table = Buffer.alloc(named.length * size)
  let nameAt = 0
  for (const [index, name] of named.entries()) {
    const header = table.subarray(index * size, (index + 1) * size)
    const { at } = kept[index] ?? {}
    if (at === undefined) {
      header.writeUInt32LE(ELF.SHT_STRTAB, 4)
      header.writeBigUInt64LE(BigInt(loadedEnd), 24)
      header.writeBigUInt64LE(BigInt(names.length), 32)
      header.writeBigUInt64LE(1n, 48)
    } else executable.copy(header, 0, at, at + size)
    header.writeUInt32LE(nameAt, 0)
    nameAt += name.length + 1
  }
  const smaller = Buffer.alloc(tableAt + table.length)
  executable.copy(smaller, 0, 0, loadedEnd)
  names.copy(smaller, loadedEnd)
  table.copy(smaller, tableAt)
  smaller.writeBigUInt64LE(BigInt(tableAt), 40)
  smaller.writeUInt16LE(named.length, 60)
  smaller.writeUInt16LE(named.length - 1, 62)
  return smaller
}
