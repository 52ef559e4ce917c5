type Style = 'bold' | 'dim' | 'red' | 'green' | 'yellow' | 'cyan'
const codes: Readonly<Record<Style, string>> = { bold: '1', dim: '2', red: '31', green: '32', yellow: '33', cyan: '36' }

/** Whether to colour: NO_COLOR (not empty) says no, FORCE_COLOR (not empty, not 0) says yes, else only on a screen. */
export function wantsColour(isScreen: boolean, env: Readonly<Record<string, string | undefined>>): boolean {
  if (env['NO_COLOR']) return false
  if (env['FORCE_COLOR']) return env['FORCE_COLOR'] !== '0'
  return isScreen && env['TERM'] !== 'dumb'
}
export type Paint = (style: Style, text: string) => string
export function painter(isOn: boolean): Paint {
  return (style, text) => (isOn ? `\x1b[${codes[style]}m${text}\x1b[0m` : text)
}
