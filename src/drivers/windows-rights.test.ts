import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { closeWindowsFolder, isOpenOnWindows, isWide } from './windows-rights.ts'

const ME = 'S-1-5-21-1004336348-1177238915-682003330-512'

describe('a security descriptor', () => {
  it.each([
    ['O:BAG:SYD:PAI(A;OICI;FA;;;SY)(A;OICI;FA;;;S-1-5-21-1-2-3-1001)', false],
    ['O:BAG:SYD:(A;ID;FA;;;SY)(A;ID;FA;;;BA)(A;ID;0x1200a9;;;BU)', true],
    ['O:BAG:SYD:(A;;FR;;;WD)', true],
    ['O:BAG:SYD:(A;;FR;;;S-1-5-11)', true],
    ['O:BAG:SYD:(D;;FA;;;WD)(A;;FA;;;SY)', false],
    ['O:BAG:SYD:NO_ACCESS_CONTROL', true],
    ['O:BAG:SY', true],
    ['', true],
  ])('%s is open: %s', (sddl, isOpen) => {
    expect(isWide(sddl)).toBe(isOpen)
  })

  it('is open as soon as one of its entries is, wherever it stands', () => {
    const closed = fc.constantFrom('(A;OICI;FA;;;SY)', `(A;;FA;;;${ME})`, '(D;;FA;;;WD)', '(A;ID;FA;;;BA)')
    const wide = fc.constantFrom('(A;;FR;;;WD)', '(A;ID;0x1;;;BU)', '(OA;;FR;;;AU)')
    fc.assert(
      fc.property(fc.array(closed), fc.option(wide), fc.array(closed), (before, open, after) => {
        const list = [...before, ...(open === null ? [] : [open]), ...after]
        expect(isWide(`O:BAG:SYD:PAI${list.join('')}`)).toBe(open !== null)
      }),
    )
  })
})

it('leaves a folder to its user and the system, by their numbers, since names are in the language of the system', () => {
  const calls: string[] = []
  closeWindowsFolder('C:\\data dir', (program, args) => {
    calls.push(`${program} ${args.join(' ')}`)
    return program === 'whoami' ? `"host\\ann","${ME}"\r\n` : ''
  })
  expect(calls).toEqual([
    'whoami /user /fo csv /nh',
    `icacls C:\\data dir /inheritance:r /grant:r *${ME}:(OI)(CI)F /grant:r *S-1-5-18:(OI)(CI)F`,
  ])
})

it('asks for a path with quotes in it without running them', () => {
  let asked = ''
  const isOpen = isOpenOnWindows("C:\\it's", (_, args) => {
    asked = args.at(-1) ?? ''
    return 'O:BAG:SYD:PAI(A;;FA;;;SY)\r\n'
  })
  expect(isOpen).toBe(false)
  expect(asked).toBe("& {(Get-Acl -LiteralPath $args[0]).Sddl} 'C:\\it''s'")
})
