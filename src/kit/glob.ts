/** A step of a compiled pattern; what comes after it are the indices of other steps. */
type Step =
  | { readonly is: 'end' }
  | { readonly is: 'fork'; readonly next: number[] }
  | { readonly is: 'take'; readonly takes: (character: string) => boolean; readonly isWild: boolean; next: number }

/** Where a part of a pattern begins, and the forks that go on behind it. */
interface Part {
  readonly first: number
  readonly last: number
}

/** More than any pattern that a person writes, characters. */
const LONGEST = 1_000

/**
 * Compiles a pattern for paths: `*`, `?` and `[a-z]` within a name, `**` for any folders, `{a,b}` for one of several. Wildcards don't match the dot that a name
 * begins with. A path is matched in one pass over it with all that the pattern allows at once (Thompson's construction), so that no pattern takes longer than its
 * length times the path's.
 * @returns whether it means a path, with `/` between its names. Throws RangeError that says what is wrong with the pattern
 * @example compileGlob('src/*.{ts,tsx}')('src/main.ts') // true
 */
export function compileGlob(pattern: string): (path: string) => boolean {
  const fault = globFault(pattern)
  if (fault !== undefined) throw new RangeError(fault)
  const { steps, first } = new Compiler(pattern).compile()
  return matcherOf(steps, first)
}

/** What is wrong with a pattern; undefined for a good one. */
export function globFault(pattern: string): string | undefined {
  if (pattern.length > LONGEST) return `longer than ${LONGEST} characters`
  if (/[?*+@!]\(/.test(pattern)) return 'groups such as +(a|b) are not known; write {a,b}'
  if (/\{[^{},]*\}/.test(pattern)) return 'braces hold several texts with commas between them, such as {a,b}'
  let depth = 0
  for (const character of pattern.replace(/\\./g, '')) {
    if (character === '{') depth++
    if (character === '}') depth--
    if (depth < 0) break
  }
  return depth === 0 ? undefined : 'a brace is opened or closed too often'
}

class Compiler {
  readonly #pattern: string
  readonly #steps: Step[] = []
  #at = 0

  constructor(pattern: string) {
    this.#pattern = pattern
  }

  compile(): { readonly steps: readonly Step[]; readonly first: number } {
    const { first, last } = this.#sequence(false)
    this.#join(last, this.#add({ is: 'end' }))
    return { steps: this.#steps, first }
  }

  #add(step: Step): number {
    return this.#steps.push(step) - 1
  }

  #join(from: number, to: number): void {
    const step = this.#steps[from]
    if (step?.is === 'fork') step.next.push(to)
    else if (step?.is === 'take') step.next = to
  }

  #empty(): Part {
    const fork = this.#add({ is: 'fork', next: [] })
    return { first: fork, last: fork }
  }

  #take(takes: (character: string) => boolean, isWild: boolean): Part {
    const taken = this.#add({ is: 'take', takes, isWild, next: 0 })
    const last = this.#add({ is: 'fork', next: [] })
    this.#join(taken, last)
    return { first: taken, last }
  }

  /** Any number of times, none included. */
  #repeated(part: Part): Part {
    const fork = this.#add({ is: 'fork', next: [part.first] })
    this.#join(part.last, fork)
    const last = this.#add({ is: 'fork', next: [] })
    this.#join(fork, last)
    return { first: fork, last }
  }

  #follow(one: Part, other: Part): Part {
    this.#join(one.last, other.first)
    return { first: one.first, last: other.last }
  }

  #sequence(isInBraces: boolean): Part {
    let whole = this.#empty()
    while (this.#at < this.#pattern.length) {
      const next = this.#pattern[this.#at]
      if (isInBraces && (next === ',' || next === '}')) break
      whole = this.#follow(whole, this.#one(isInBraces))
    }
    return whole
  }

  #one(isInBraces: boolean): Part {
    const rest = this.#pattern.slice(this.#at)
    const [folders] = /^\*\*\//.exec(rest) ?? []
    const isNamesBegin = this.#at === 0 || /[/{,]/.test(this.#pattern[this.#at - 1] ?? '')
    if (folders && isNamesBegin) {
      this.#at += folders.length
      const name = this.#repeated(this.#take((character) => character !== '/', true))
      return this.#repeated(this.#follow(name, this.#literal('/')))
    }
    if (isNamesBegin && (rest === '**' || (isInBraces && /^\*\*[,}]/.test(rest)))) {
      this.#at += 2
      return this.#repeated(this.#take(() => true, true))
    }
    const [stars] = /^\*+/.exec(rest) ?? []
    if (stars) {
      this.#at += stars.length
      return this.#repeated(this.#take((character) => character !== '/', true))
    }
    const [set, not, members = ''] = /^\[([!^]?)(\]?[^\]/]*)\]/.exec(rest) ?? []
    if (set) {
      this.#at += set.length
      const has = membersOf(members)
      return this.#take((character) => character !== '/' && has(character) === (not === ''), true)
    }
    if (rest.startsWith('{')) return this.#braces()
    if (rest.startsWith('?')) {
      this.#at++
      return this.#take((character) => character !== '/', true)
    }
    const [literal = ''] = /^(?:\\.|.)/su.exec(rest) ?? []
    this.#at += literal.length
    return this.#literal(literal.replace(/^\\(?=.)/s, ''))
  }

  #literal(text: string): Part {
    return this.#take((character) => character === text, false)
  }

  #braces(): Part {
    const fork = this.#add({ is: 'fork', next: [] })
    const last = this.#add({ is: 'fork', next: [] })
    do {
      this.#at++
      const choice = this.#sequence(true)
      this.#join(fork, choice.first)
      this.#join(choice.last, last)
    } while (this.#pattern[this.#at] === ',')
    this.#at++
    return { first: fork, last }
  }
}

/** The characters of a set such as `a-z0_`. */
function membersOf(text: string): (character: string) => boolean {
  const ranges = [...text.matchAll(/(.)-(.)|(.)/gsu)].map(([, from, to, one = '']) => [from ?? one, to ?? one] as const)
  return (character) => ranges.some(([from, to]) => from <= character && character <= to)
}

/** A step that takes a character, and those that may take the one after it. */
interface Taking {
  readonly takes: (character: string) => boolean
  readonly isWild: boolean
  /** Their indices; that of no step is the end of the pattern. */
  readonly next: readonly number[]
}

/** Leaves out the forks, so that each character costs one look at those that may take it. */
function matcherOf(steps: readonly Step[], first: number): (path: string) => boolean {
  const order = steps.flatMap((step, index) => (step.is === 'take' ? [index] : []))
  const END = order.length
  const places = new Map(order.map((index, place) => [index, place]))
  const takersFrom = (index: number) =>
    [...reached(steps, index)].flatMap((each) => (steps[each]?.is === 'end' ? [END] : (places.get(each) ?? [])))
  const takings = steps.flatMap((step): readonly Taking[] =>
    step.is === 'take' ? [{ ...step, next: takersFrom(step.next) }] : [],
  )
  const begin = takersFrom(first)

  return (path) => {
    // by the number of the character after which a step was reached
    const reachedAt = new Int32Array(END + 1)
    let here = begin
    let at = 0
    let isNamesBegin = true
    for (const character of path) {
      at++
      const isHidden = isNamesBegin && character === '.'
      const next: number[] = []
      for (const place of here) {
        const taking = takings[place]
        if (!taking || (taking.isWild && isHidden) || !taking.takes(character)) continue
        for (const target of taking.next) {
          if (reachedAt[target] === at) continue
          reachedAt[target] = at
          next.push(target)
        }
      }
      if (next.length === 0) return false
      here = next
      isNamesBegin = character === '/'
    }
    return here.includes(END)
  }
}

/** Where one may be without taking a character. */
function reached(steps: readonly Step[], from: number): ReadonlySet<number> {
  const here = new Set([from])
  for (const index of here) {
    const step = steps[index]
    if (step?.is === 'fork') for (const next of step.next) here.add(next)
  }
  return here
}
