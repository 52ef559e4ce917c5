/** As Spark has it: files and folders whose names begin with `_` or `.` are not data, unless they are a partition's (`_day=1`); nor are copies under way. */
export function isHiddenName(name: string): boolean {
  return name.startsWith('.') || (name.startsWith('_') && !name.includes('=')) || name.endsWith('._COPYING_')
}
