// The smallest program for Linux that calls compare-exchange.ts' machine code: it reads what to call it with, and writes what became of it.

/** Where the parts of the program lie, from its start. The machine code below holds these addresses. */
const [BASE, FUNCTION, DRIVER, MEMORY] = [0x400000, 0x80, 0x100, 0x200]
/** Size, target, expected, desired, result: eight bytes each. */
const MEMORY_BYTES = 40

/** Reads MEMORY from stdin, calls the function with its size and the addresses of the next three, keeps the result, and writes MEMORY to stdout. */
const DRIVERS = {
  x64: [
    '31c031ffbe00024000ba280000000f05', // read(0, memory, 40)
    '488b3c2500024000be08024000ba10024000b91802400041b80500000041b905000000b880004000ffd0', // function(size, &target, …)
    '0fb6c04889042520024000', // result = al
    'b801000000bf01000000be00024000ba280000000f05', // write(1, memory, 40)
    'b83c00000031ff0f05', // exit(0)
  ],
  arm64: [
    '134080d21308a0f2000080d2e10313aa020580d2e80780d2010000d4',
    '600240f9612200916242009163620091a4008052a5008052091080d20908a0f220013fd6',
    '601200f9',
    '200080d2e10313aa020580d2080880d2010000d4',
    '000080d2a80b80d2010000d4',
  ],
} as const

/**
 * An executable around a function.
 * @param machine whose code it is
 * @param code the function, at most 128 bytes
 */
export function littleProgram(machine: keyof typeof DRIVERS, code: Buffer): Buffer {
  const file = Buffer.alloc(MEMORY + MEMORY_BYTES)
  Buffer.from('7f454c46020101', 'hex').copy(file)
  file.writeUInt16LE(2, 16) // ET_EXEC
  file.writeUInt16LE(machine === 'x64' ? 62 : 183, 18)
  file.writeUInt32LE(1, 20)
  file.writeBigUInt64LE(BigInt(BASE + DRIVER), 24)
  file.writeBigUInt64LE(64n, 32)
  file.writeUInt16LE(64, 52)
  file.writeUInt16LE(56, 54)
  file.writeUInt16LE(1, 56)
  // one segment: read, write, execute
  file.writeUInt32LE(1, 64)
  file.writeUInt32LE(7, 68)
  for (const [at, value] of [
    [80, BASE] as const,
    [88, BASE] as const,
    [96, file.length] as const,
    [104, file.length] as const,
  ])
    file.writeBigUInt64LE(BigInt(value), at)
  file.writeBigUInt64LE(4096n, 112)
  code.copy(file, FUNCTION)
  Buffer.from(DRIVERS[machine].join(''), 'hex').copy(file, DRIVER)
  return file
}
