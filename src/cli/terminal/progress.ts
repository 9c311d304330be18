import { stripVTControlCharacters } from 'node:util'
import { fitWidth, textWidth } from '../render/text-width.ts'
import type { Terminal } from './io.ts'

/** What lines are drawn for. */
export interface View {
  /** Most lines that there is room for. */
  readonly rows: number
  /** Most columns of a line. */
  readonly columns: number
  readonly colour: boolean
  /** A character that turns while something is under way. */
  readonly spinner: string
}

/** Lines at the bottom of the terminal that say what is under way, drawn over and over in their place. */
export interface Progress {
  /** Shows one line, with a spinner before it. */
  show(text: string): void
  /** Shows lines that are made anew for each drawing, so that they follow the window's size. */
  showLines(lines: (view: View) => readonly string[]): void
  /** A terminal whose text goes above the lines. */
  readonly above: Terminal
  /** Takes the lines away. */
  end(): void
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const FRAME_MS = 80
/** Columns for the `^C` that a terminal writes behind the last line, and one that stays free: some begin another line when the last one is filled. */
const ECHO = 3
const CLEAR_BELOW = '\u001b[J'
const CLEAR_REST = '\u001b[K'

/** Starts to draw. On anything but a terminal it shows nothing. */
export function createProgress(terminal: Terminal): Progress {
  if (!terminal.isTTY) return { show: () => {}, showLines: () => {}, above: terminal, end: () => {} }
  let make: ((view: View) => readonly string[]) | undefined
  /** Widths of the lines that stand there. */
  let drawn: readonly number[] = []
  let frame = 0
  let timer: NodeJS.Timeout | undefined

  /** Moves to the beginning of what stands there; a window that has become narrower has broken long lines into several. */
  function back(): string {
    const rows = drawn.reduce((sum, width) => sum + Math.max(1, Math.ceil(width / terminal.columns)), 0)
    return `\r${rows > 1 ? `\u001b[${rows - 1}A` : ''}`
  }

  function draw(before = '') {
    const spinner = FRAMES[frame % FRAMES.length] ?? ''
    const { rows, columns, colour } = terminal
    const room = { rows: Math.max(1, rows - 1), columns: Math.max(1, columns - ECHO), colour, spinner }
    const lines = make?.(room) ?? []
    const from = back()
    drawn = lines.map((line) => textWidth(stripVTControlCharacters(line)))
    terminal.write(`${from}${before}${lines.map((line) => line + CLEAR_REST).join('\n')}${CLEAR_BELOW}`)
  }

  function showLines(lines: NonNullable<typeof make>) {
    make = lines
    timer ??= setInterval(() => {
      frame++
      draw()
    }, FRAME_MS)
    draw()
  }

  return {
    show: (text) => showLines(({ columns, spinner }) => [`${spinner} ${fitWidth(text, columns - 2)}`]),
    showLines,
    above: {
      ...terminal,
      // what is spread is read once, and a window changes
      get columns() {
        return terminal.columns
      },
      get rows() {
        return terminal.rows
      },
      write(text, when) {
        if (timer) draw(`${CLEAR_BELOW}${text}`)
        else terminal.write(text, when)
      },
    },
    end() {
      if (timer) terminal.write(`${back()}${CLEAR_BELOW}`)
      clearInterval(timer)
      timer = undefined
      drawn = []
    },
  }
}

/** The same for steps that are told again and again, such as with a share that is done: each text is drawn once. @param quiet shows nothing */
export function createStepProgress(terminal: Terminal, quiet: boolean): Progress {
  const progress = createProgress(quiet ? { ...terminal, isTTY: false } : terminal)
  let last = ''
  return {
    ...progress,
    show(text) {
      if (text !== last) progress.show(text)
      last = text
    },
  }
}
