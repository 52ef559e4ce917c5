import type { QueryProgress } from 'millrace'

/** What a demo knows about its stream at one moment. */
export interface Moment {
  readonly progress: QueryProgress
  /** From 0 to 1. */
  readonly share: number
  /** What is still to do, and what is done. */
  readonly left: string
  readonly done: string
}
export interface Display {
  /** A line that stays. */
  say(text: string): void
  show(moment: Moment): void
}

/** On a screen a block of lines that is drawn over and over; elsewhere a plain line now and then. */
export function display(stream: NodeJS.WriteStream, { plain = false, nowMs = () => performance.now() } = {}): Display {
  return stream.isTTY && !plain ? screen(stream, nowMs) : lines(stream, nowMs)
}

function screen(stream: NodeJS.WriteStream, nowMs: () => number): Display {
  let height = 0
  let shownAtMs = Number.NEGATIVE_INFINITY
  const clear = () => {
    if (height > 0) stream.write(`\x1b[${height}A\x1b[J`)
    height = 0
  }
  return {
    say(text) {
      // What was shown last stays above the line.
      height = 0
      stream.write(`${text}\n`)
    },
    show(moment) {
      if (nowMs() - shownAtMs < 50 && moment.share < 1) return
      shownAtMs = nowMs()
      clear()
      const text = [
        `  ${bar(moment.share, 40)}  ${moment.left}`,
        `  batch ${moment.progress.batchId}   ${moment.done}`,
        `  ${ratesText(moment.progress)}`,
        `  ${stateText(moment.progress)}`,
      ]
      stream.write(`${text.map((line) => line.slice(0, (stream.columns || 100) - 1)).join('\n')}\n`)
      height = text.length
    },
  }
}

function lines(stream: NodeJS.WriteStream, nowMs: () => number): Display {
  let shownAtMs = Number.NEGATIVE_INFINITY
  return {
    say: (text) => void stream.write(`${text}\n`),
    show(moment) {
      if (nowMs() - shownAtMs < 1000 && moment.share < 1) return
      shownAtMs = nowMs()
      const { progress } = moment
      stream.write(`  batch ${progress.batchId}: ${moment.left}, ${moment.done}; ${ratesText(progress)}; ${stateText(progress)}\n`)
    },
  }
}

/** `share` from 0 to 1 as blocks, an eighth of a character fine. */
export function bar(share: number, width: number): string {
  const eighths = Math.round(Math.min(1, Math.max(0, share)) * width * 8)
  const part = eighths % 8 === 0 ? '' : ' ▏▎▍▌▋▊▉'[eighths % 8]!
  return `▕${('█'.repeat(Math.floor(eighths / 8)) + part).padEnd(width)}▏${String(Math.round(share * 100)).padStart(3)} %`
}
export const number = (value: number) => Math.round(value).toLocaleString('en-US')
function ratesText({ inputRowsPerSecond: into = 0, processedRowsPerSecond: done = 0 }: QueryProgress): string {
  return `in ${number(into)} rows/s, processed ${number(done)} rows/s`
}
function stateText({ eventTime, stateOperators }: QueryProgress): string {
  const rows = stateOperators.reduce((sum, operator) => sum + operator.numRowsTotal, 0)
  const watermark = eventTime['watermark'] ?? ''
  // Until the first batch has measured its event times the watermark stands at 1970.
  return `watermark ${watermark > '1971' ? watermark.slice(0, 16).replace('T', ' ') : 'not yet'}, state ${number(rows)} rows`
}
