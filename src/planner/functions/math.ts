/** Numbers. */
import { raise, sqlType } from '../sql-text.ts'
import { add, divide, multiply, remainder } from './operators.ts'
import { isDecimal, isFloating, kernel, plain, prefix, type SqlArgument, type Template, type Templates, unsupported } from './template.ts'

/** Half up at the digit that a person sees: round(1.005, 2) is 1.01, although the double lies below. */
const round: Template = ([x, digits], type) => {
  const places = digits === undefined ? 0 : Number(digits.literal)
  if (!Number.isInteger(places))
    throw unsupported('round with a number of digits that is no literal', 'give the number of digits as a literal')
  if (isDecimal(type)) return `CAST(round(${x!.sql}, ${Math.min(places, 38)}) AS ${sqlType(type)})`
  if (!isFloating(x!.type)) return places >= 0 ? x!.sql : `round(${x!.sql}, ${places})`
  const exact = `CAST(CAST(round(CAST(CAST(${x!.sql} AS VARCHAR) AS DECIMAL(38,21)), ${places}) AS VARCHAR) AS ${sqlType(type)})`
  // from 2^53 on a double has no digits behind the point; what is no number stays as it is
  return `CASE WHEN abs(${x!.sql}) < 9007199254740992e0 THEN ${places > 20 ? x!.sql : exact} ELSE ${places >= 0 ? x!.sql : `round(${x!.sql}, ${places})`} END`
}

/** floor and ceil of a double are a long: beyond its range its ends, as Java has it, and 0 for NaN. */
const toWhole: Template = ([x], type, name) => {
  if (isDecimal(type)) return `CAST(${name}(${x!.sql}) AS ${sqlType(type)})`
  if (!isFloating(x!.type) || type !== 'long') return isFloating(x!.type) ? `${name}(${x!.sql})` : `CAST(${x!.sql} AS ${sqlType(type)})`
  return `CASE WHEN abs(${x!.sql}) < 9.2e18 THEN CAST(${name}(${x!.sql}) AS BIGINT) WHEN isnan(${x!.sql}) THEN 0 WHEN ${x!.sql} > 0 THEN 9223372036854775807 WHEN ${x!.sql} < 0 THEN CAST('-9223372036854775808' AS BIGINT) END`
}

const logarithm: Template = ([x], _type, name) => `CASE WHEN ${x!.sql} > 0 THEN ${name}(${x!.sql}) END`
const squareRoot: Template = ([x]) => `CASE WHEN ${x!.sql} < 0 THEN CAST('nan' AS DOUBLE) ELSE sqrt(${x!.sql}) END`
const sign: Template = ([x], type) =>
  isFloating(x!.type)
    ? `CASE WHEN isnan(${x!.sql}) OR ${x!.sql} = 0 THEN ${x!.sql} ELSE CAST(sign(${x!.sql}) AS ${sqlType(type)}) END`
    : `CAST(sign(${x!.sql}) AS ${sqlType(type)})`

const nan = `CAST('nan' AS DOUBLE)`
/** NaN where the function has no value; SQL would fail there. */
const within =
  (name: string, condition: (x: string) => string): Template =>
  ([x]) =>
    `CASE WHEN ${condition(x!.sql)} THEN ${name}(${x!.sql}) WHEN ${x!.sql} IS NOT NULL THEN ${nan} END`
const isFinite = (x: string) => `isfinite(${x})`
const inUnit = (x: string) => `${x} BETWEEN -1 AND 1`
/** One through a function, infinite where that is 0. */
const inverse =
  (name: string): Template =>
  ([x]) =>
    `CASE WHEN ${x!.sql} = 0 THEN CAST('inf' AS DOUBLE) * (CASE WHEN CAST(${x!.sql} AS VARCHAR) LIKE '-%' THEN -1 ELSE 1 END) WHEN isfinite(${x!.sql}) THEN 1 / ${name}(${x!.sql}) WHEN ${x!.sql} IS NOT NULL THEN ${nan} END`
const atanh: Template = ([x]) =>
  `CASE WHEN abs(${x!.sql}) < 1 THEN atanh(${x!.sql}) WHEN abs(${x!.sql}) = 1 THEN ${x!.sql} * CAST('inf' AS DOUBLE) WHEN ${x!.sql} IS NOT NULL THEN ${nan} END`
const log: Template = ([base, x]) =>
  `CASE WHEN ${base!.sql} > 0 AND ${x!.sql} > 0 THEN CASE WHEN ${base!.sql} = 1 THEN ln(${x!.sql}) * CAST('inf' AS DOUBLE) ELSE ln(${x!.sql}) / ln(${base!.sql}) END END`

const rounded =
  (mode: string): Template =>
  ([x, scale], type) => {
    const text = `spark_round_text(CAST(${x!.sql} AS VARCHAR), ${scale!.sql}, '${mode}')`
    if (isFloating(type)) return `CASE WHEN isfinite(${x!.sql}) THEN CAST(${text} AS ${sqlType(type)}) ELSE ${x!.sql} END`
    return isDecimal(type) ? `CAST(${text} AS ${sqlType(type)})` : `CAST(CAST(${text} AS HUGEINT) AS ${sqlType(type)})`
  }
/** Of a whole number before the point, where SQL's own would pass its type by without a word. */
const roundAny: Template = (args, type, name) => {
  const places = Number(args[1]?.literal ?? 0)
  return places < 0 && !isFloating(type) && !isDecimal(type) ? rounded('half-up')(args, type, name) : round(args, type, name)
}

const pmod: Template = (args, type, name) => {
  const rest = remainder(args, type, name)
  const b = args[1]!.sql
  if (isFloating(type)) return `CASE WHEN ${rest} < 0 THEN ((${rest}) + ${b}) % ${b} ELSE ${rest} END`
  const wide = isDecimal(type) ? `((${rest}) + ${b}) % ${b}` : `(CAST(${rest} AS HUGEINT) + ${b}) % ${b}`
  return `CASE WHEN ${rest} < 0 THEN CAST(${wide} AS ${sqlType(type)}) ELSE ${rest} END`
}
const div: Template = ([a, b], type) => {
  const zero = raise('DIVIDE_BY_ZERO', 'Division by zero.')
  const whole = isDecimal(a!.type)
    ? `spark_div(CAST(${a!.sql} AS VARCHAR), CAST(${b!.sql} AS VARCHAR))`
    : `CAST(CAST(${a!.sql} AS HUGEINT) // ${b!.sql} AS ${sqlType(type)})`
  return `CASE WHEN ${b!.sql} = 0 AND ${a!.sql} IS NOT NULL THEN ${zero} ELSE ${whole} END`
}
/** Null instead of an overflow: whole numbers are computed in 128 bits, decimals are tried. */
const orNull =
  (operator: string, ofDecimals: Template): Template =>
  (args, type, name) => {
    const [a, b] = args as [SqlArgument, SqlArgument]
    if (isFloating(type)) return `(${a.sql} ${operator} ${b.sql})`
    if (isDecimal(type)) return `TRY(${ofDecimals(args, type, name)})`
    return `TRY_CAST(CAST(${a.sql} AS HUGEINT) ${operator} CAST(${b.sql} AS HUGEINT) AS ${sqlType(type)})`
  }
const unlessZero =
  (template: Template): Template =>
  (args, type, name) =>
    `CASE WHEN ${args[1]!.sql} <> 0 THEN ${template(args, type, name)} END`

const uniform: Template = ([low, high], type) => {
  const [a, b] = [low!.sql, high!.sql]
  if (isFloating(type)) return `(${a} + (${b} - ${a}) * random())`
  if (isDecimal(type)) return `CAST(${a} + (${b} - ${a}) * random() AS ${sqlType(type)})`
  return `CAST(floor(${a} + (${b} - ${a}) * random()) AS ${sqlType(type)})`
}

export const math: Templates = {
  negative: prefix('-'),
  abs: plain('abs'),
  ceil: toWhole,
  floor: toWhole,
  ceil_scaled: rounded('ceiling'),
  floor_scaled: rounded('floor'),
  round: roundAny,
  bround: rounded('half-even'),
  rint: kernel('rint'),
  sign,
  sqrt: squareRoot,
  cbrt: plain('cbrt'),
  exp: plain('exp'),
  expm1: kernel('expm1'),
  ln: logarithm,
  log,
  log10: logarithm,
  log1p: kernel('log1p'),
  log2: logarithm,
  pow: kernel('pow'),
  hypot: kernel('hypot'),
  sin: within('sin', isFinite),
  cos: within('cos', isFinite),
  tan: within('tan', isFinite),
  cot: inverse('tan'),
  sec: ([x]) => `CASE WHEN isfinite(${x!.sql}) THEN 1 / cos(${x!.sql}) WHEN ${x!.sql} IS NOT NULL THEN ${nan} END`,
  csc: inverse('sin'),
  asin: within('asin', inUnit),
  acos: within('acos', inUnit),
  atan: plain('atan'),
  // + 0 makes -0 to 0, as Spark does
  atan2: ([y, x]) => `atan2(${y!.sql} + 0, ${x!.sql} + 0)`,
  sinh: plain('sinh'),
  cosh: plain('cosh'),
  tanh: plain('tanh'),
  asinh: plain('asinh'),
  acosh: within('acosh', (x) => `${x} >= 1`),
  atanh,
  degrees: plain('degrees'),
  radians: plain('radians'),
  pi: plain('pi'),
  e: () => 'exp(1e0)',
  factorial: ([n]) => `CASE WHEN ${n!.sql} BETWEEN 0 AND 20 THEN CAST(factorial(${n!.sql}) AS BIGINT) END`,
  bin: ([n]) => `bin(${n!.sql})`,
  conv: kernel('conv'),
  pmod,
  div,
  width_bucket: kernel('width_bucket'),
  try_add: orNull('+', add('+')),
  try_subtract: orNull('-', add('-')),
  try_multiply: orNull('*', multiply),
  try_divide: unlessZero(divide),
  try_mod: unlessZero(remainder),
  rand: plain('random'),
  // Box and Muller; 1 - random() is never 0
  randn: () => '(sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random()))',
  uniform,
  randstr: ([given]) => {
    const length = `coalesce(${given!.sql}, 0)`
    return `spark_randstr(array_to_string(list_transform(range(greatest(${length}, 0)), lambda i: lpad(hex(CAST(floor(random() * 4294967296) AS BIGINT)), 8, '0')), ''), ${length})`
  },
}
