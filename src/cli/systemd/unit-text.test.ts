import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { command, unitText, variable, withSpecifiers } from './unit-text.ts'

const lineOf = (value: Parameters<typeof variable>[1]) => unitText([], { Service: [['Key', value]] }).split('\n')[1]

describe('a value of a unit', () => {
  it('stands for itself, whatever is in it', () => {
    expect(lineOf('/srv/50%')).toBe('Key=/srv/50%%')
    expect(lineOf(withSpecifiers`%S/msvc/${'50%'}`)).toBe('Key=%S/msvc/50%%')
    expect(lineOf(variable('A', 'a "b" \\ 5%'))).toBe('Key="A=a \\"b\\" \\\\ 5%%"')
    expect(lineOf(command(['/opt/my programs/msvc', 'up', ';', '']))).toBe('Key="/opt/my programs/msvc" up ";" ""')
    expect(lineOf(command(['/opt/$x/msvc', '$HOME']))).toBe('Key=:"/opt/$x/msvc" "$HOME"')
  })

  it.each(['a\nExecStartPre=+/bin/sh', 'a\rb', 'a\0b', ' a', 'a ', 'a\\'])(
    'is refused where no line can hold it: %j',
    (text) => {
      expect(() => lineOf(text)).toThrow(/which a unit of systemd can't hold/)
      expect(() => unitText([text], {})).toThrow(/which a unit of systemd can't hold/)
    },
  )

  it('comes out as it went in', () => {
    const words = fc.array(fc.string({ unit: fc.constantFrom(...'ab "\\%$&;:\'') }), { minLength: 1 })
    fc.assert(
      fc.property(words, (given) => {
        expect(takenApart(lineOf(command(['/msvc', ...given])) ?? '')).toEqual(['/msvc', ...given])
      }),
    )
  })
})

/** As systemd takes a command apart. */
function takenApart(line: string): readonly string[] {
  const text = line.replace(/^Key=:?/, '')
  return [...text.matchAll(/"((?:\\.|[^"\\])*)"|(\S+)/g)].map(([, quoted, bare = '']) =>
    (quoted?.replace(/\\(.)/g, '$1') ?? bare).replaceAll('%%', '%'),
  )
}
