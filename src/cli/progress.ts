import type { Terminal } from './io.ts'
import { fitWidth } from './render/text-width.ts'

/** A line at the bottom of the terminal that says what is under way. */
export interface Progress {
  show(text: string): void
  /** A terminal whose text goes above the line. */
  readonly above: Terminal
  /** Takes the line away. */
  end(): void
}

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏']
const FRAME_MS = 80
const CLEAR_LINE = '\r\u001b[K'

/** Starts a spinner. On anything but a terminal it shows nothing. */
export function createProgress(terminal: Terminal): Progress {
  if (!terminal.isTTY) return { show: () => {}, above: terminal, end: () => {} }
  let text = ''
  let frame = 0
  const draw = () =>
    terminal.write(`${CLEAR_LINE}${FRAMES[frame++ % FRAMES.length]} ${fitWidth(text, terminal.columns - 3)}`)
  let timer: NodeJS.Timeout | undefined
  return {
    show(next) {
      text = next
      timer ??= setInterval(draw, FRAME_MS)
      draw()
    },
    above: {
      ...terminal,
      write(line) {
        terminal.write(timer ? `${CLEAR_LINE}${line}` : line)
        if (timer) draw()
      },
    },
    end() {
      if (timer) terminal.write(CLEAR_LINE)
      clearInterval(timer)
      timer = undefined
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
