const unitMs = {
  us: 0.001,
  ms: 1,
  s: 1000,
  sec: 1000,
  second: 1000,
  m: 60_000,
  min: 60_000,
  minute: 60_000,
  h: 3_600_000,
  hour: 3_600_000,
  d: 86_400_000,
  day: 86_400_000,
  w: 604_800_000,
  week: 604_800_000,
} as const

export type DurationUnit = keyof typeof unitMs

/** Milliseconds of one of Spark's time strings (`7d`, `10 min`, `500ms`, `2 hours`); without a unit in `unit`. Undefined for anything else. */
export function durationMsOf(value: string, unit: DurationUnit = 'ms'): number | undefined {
  const match = /^\s*(\d+)\s*([a-z]*)\s*$/i.exec(value)
  if (match === null) return undefined
  const given = match[2]!.toLowerCase()
  const name = given.length > 2 ? given.replace(/s$/, '') : given
  const factor = name === '' ? unitMs[unit] : unitMs[name as DurationUnit]
  return factor === undefined ? undefined : Math.floor(Number(match[1]) * factor)
}

const unitBytes: Readonly<Record<string, number>> = { b: 1, k: 2 ** 10, m: 2 ** 20, g: 2 ** 30, t: 2 ** 40, p: 2 ** 50 }

/** Bytes of one of Spark's size strings, powers of 1024 (`512m`, `2g`, `64 MiB`, `100kb`); without a unit bytes. Undefined for anything else. */
export function bytesOf(value: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(?:([kmgtp])(?:i?b)?|b)?\s*$/i.exec(value)
  if (match === null) return undefined
  const bytes = Math.floor(Number(match[1]) * unitBytes[match[2]?.toLowerCase() ?? 'b']!)
  return Number.isSafeInteger(bytes) ? bytes : undefined
}
