/** Numbers. */
import { sqlType } from '../sql-text.ts'
import { isDecimal, isFloating, plain, prefix, type Template, type Templates, unsupported } from './template.ts'

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
    ? `CASE WHEN isnan(${x!.sql}) THEN ${x!.sql} ELSE CAST(sign(${x!.sql}) AS ${sqlType(type)}) END`
    : `CAST(sign(${x!.sql}) AS ${sqlType(type)})`

export const math: Templates = {
  negative: prefix('-'),
  abs: plain('abs'),
  ceil: toWhole,
  floor: toWhole,
  round,
  sqrt: squareRoot,
  exp: plain('exp'),
  ln: logarithm,
  log10: logarithm,
  pow: plain('pow'),
  sign,
}
