/** Text and binary. */
import type { ArrCol, BoolCol, Col, Expr, Num, NumCol, Operand, OpNull, StrCol } from '../column-types.ts'
import type { Arr, DecimalText, IntLike, NullOf, TimeLike } from '../types.ts'
import { call, given, type NullIfAny, type Str, type Text, type Whole } from './call.ts'

export function upper<A extends 'string' | null>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('upper', e)
}
export function lower<A extends 'string' | null>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('lower', e)
}
/** Characters of a string, bytes of a binary. */
export function length<A extends 'string' | 'binary' | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('length', e)
}
/** Without the spaces (or the given characters) at both ends. */
export function trim<A extends 'string' | null>(e: Expr<A>, characters?: string): StrCol<'string' | NullOf<A>> {
  return characters === undefined ? call('trim', e) : call('trim', characters, e)
}
export function ltrim<A extends 'string' | null>(e: Expr<A>, characters?: string): StrCol<'string' | NullOf<A>> {
  return characters === undefined ? call('ltrim', e) : call('ltrim', characters, e)
}
export function rtrim<A extends 'string' | null>(e: Expr<A>, characters?: string): StrCol<'string' | NullOf<A>> {
  return characters === undefined ? call('rtrim', e) : call('rtrim', characters, e)
}
/** Strings one after the other; null where one is null. */
export function concat<const L extends readonly Operand[]>(...parts: L): StrCol<'string' | NullIfAny<L>> {
  return call('concat', ...parts)
}
/** Strings with a separator between them; nulls are passed over. */
export function concat_ws(separator: string, ...parts: (Text | Expr<Arr<'string' | null> | null>)[]): StrCol<'string'> {
  return call('concat_ws', separator, ...parts)
}
/** From position `start` (1 is the first, negative counts from the end), `length` characters or all. */
export function substring<A extends 'string' | null>(e: Expr<A>, start: Whole, length?: Whole): StrCol<'string' | NullOf<A>> {
  return call('substring', ...given(e, start, length))
}
export function replace<A extends 'string' | null>(e: Expr<A>, search: Text, replacement: Text = ''): StrCol<'string' | NullOf<A>> {
  return call('replace', e, search, replacement)
}
/** Parts between matches of a regular expression. */
export function split<A extends 'string' | null>(e: Expr<A>, pattern: string, limit = -1): ArrCol<'string', NullOf<A>> {
  return call('split', e, pattern, limit)
}
export function lpad<A extends 'string' | null>(e: Expr<A>, length: number, pad = ' '): StrCol<'string' | NullOf<A>> {
  return call('lpad', e, length, pad)
}
export function rpad<A extends 'string' | null>(e: Expr<A>, length: number, pad = ' '): StrCol<'string' | NullOf<A>> {
  return call('rpad', e, length, pad)
}
/** The first position of a part, from 1; 0 where it is not there. */
export function instr<A extends 'string' | null>(e: Expr<A>, part: Text): NumCol<'int' | NullOf<A>> {
  return call('instr', e, part)
}
export function reverse<A extends 'string' | Arr<any> | null>(e: Expr<A>): Col<A> {
  return call('reverse', e)
}
export function repeat<A extends 'string' | null>(e: Expr<A>, times: Whole): StrCol<'string' | NullOf<A>> {
  return call('repeat', e, times)
}
/** Whether a text begins with another. */
export function startswith<A extends 'string' | null, const B extends Text>(
  e: Expr<A>,
  prefix: B,
): BoolCol<'boolean' | NullOf<A> | OpNull<B>> {
  return call('startswith', e, prefix)
}
/** Whether a text ends with another. */
export function endswith<A extends 'string' | null, const B extends Text>(
  e: Expr<A>,
  suffix: B,
): BoolCol<'boolean' | NullOf<A> | OpNull<B>> {
  return call('endswith', e, suffix)
}
/** Whether a text holds another. */
export function contains<A extends 'string' | null, const B extends Text>(e: Expr<A>, part: B): BoolCol<'boolean' | NullOf<A> | OpNull<B>> {
  return call('contains', e, part)
}
/** The first letter of each word a capital, the others small; words end at blanks. */
export function initcap<A extends 'string' | null>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('initcap', e)
}
export function ucase<A extends 'string' | null>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('ucase', e)
}
export function lcase<A extends 'string' | null>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('lcase', e)
}
/** Bytes of a text in UTF-8, or of a binary. */
export function octet_length<A extends 'string' | 'binary' | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('octet_length', e)
}
/** Bits of a text in UTF-8, or of a binary. */
export function bit_length<A extends 'string' | 'binary' | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('bit_length', e)
}
/** Characters of a text, bytes of a binary. */
export function char_length<A extends 'string' | 'binary' | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('char_length', e)
}
export function character_length<A extends 'string' | 'binary' | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('character_length', e)
}
/** Without the blanks, or the given characters, at both ends. */
export function btrim<A extends 'string' | null>(e: Expr<A>, characters?: Text): StrCol<'string' | NullOf<A>> {
  return call('btrim', ...given(e, characters))
}
/** What lies before the count-th delimiter, or behind it from the end where the count is negative. */
export function substring_index<A extends 'string' | null>(e: Expr<A>, delimiter: string, count: number): StrCol<'string' | NullOf<A>> {
  return call('substring_index', e, delimiter, count)
}
/** The first characters. */
export function left<A extends 'string' | null, const B extends Whole>(e: Expr<A>, length: B): StrCol<'string' | NullOf<A> | OpNull<B>> {
  return call('left', e, length)
}
/** The last characters. */
export function right<A extends 'string' | null, const B extends Whole>(e: Expr<A>, length: B): StrCol<'string' | NullOf<A> | OpNull<B>> {
  return call('right', e, length)
}
/** As substring. */
export function substr<A extends 'string' | null>(e: Expr<A>, start: Whole, length?: Whole): StrCol<'string' | NullOf<A>> {
  return call('substring', ...given(e, start, length))
}
/** A stretch of the text from a position on replaced by another text; as long as that, unless `length` says otherwise. */
export function overlay<A extends 'string' | null, const B extends Text>(
  e: Expr<A>,
  replacement: B,
  position: number,
  length = -1,
): StrCol<'string' | NullOf<A> | OpNull<B>> {
  return call('overlay', e, replacement, position, length)
}
/** Characters of `from` become those of `to` in the same place, or go where there is none. */
export function translate<A extends 'string' | null>(e: Expr<A>, from: string, to: string): StrCol<'string' | NullOf<A>> {
  return call('translate', e, from, to)
}
/** The n-th part between delimiters, from the end where n is negative; empty where there is none. */
export function split_part<A extends 'string' | null>(e: Expr<A>, delimiter: string, n: number): StrCol<'string' | NullOf<A>> {
  return call('split_part', e, delimiter, n)
}
/** The first position of a part from a start on, from 1; 0 where it is not there. */
export function locate<A extends 'string' | null>(part: string, e: Expr<A>, start = 1): NumCol<'int' | NullOf<A>> {
  return call('locate', part, e, start)
}
/** The first position of a part, from 1; 0 where it is not there. */
export function position<A extends 'string' | null>(part: string, e: Expr<A>, start = 1): NumCol<'int' | NullOf<A>> {
  return call('locate', part, e, start)
}
/** The place of a text in a list with commas, from 1; 0 where it is not there or has a comma. */
export function find_in_set<A extends 'string' | null, const B extends Text>(e: Expr<A>, list: B): NumCol<'int' | NullOf<A> | OpNull<B>> {
  return call('find_in_set', e, list)
}
/** The n-th of the values, 1 the first; an error where there is none. */
export function elt(n: Whole, ...values: Text[]): StrCol<'string' | null> {
  return call('elt', n, ...values)
}
/** As many blanks. */
export function space<const A extends Whole>(count: A): StrCol<'string' | OpNull<A>> {
  return call('space', count)
}
/** The Soundex code; the text itself where it begins with no letter. */
export function soundex<A extends 'string' | null>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('soundex', e)
}
/** How many characters must change to make one of the other; -1 where they are more than the threshold. */
export function levenshtein<A extends 'string' | null, const B extends Text>(
  a: Expr<A>,
  b: B,
  threshold?: number,
): NumCol<'int' | NullOf<A> | OpNull<B>> {
  return call('levenshtein', ...given(a, b, threshold))
}
/** Whether a number in digits passes the check of Luhn. */
export function luhn_check<A extends 'string' | null>(e: Expr<A>): BoolCol<'boolean' | NullOf<A>> {
  return call('luhn_check', e)
}
/** Letters and digits hidden behind characters; null leaves them as they are. */
export function mask<A extends 'string' | null>(
  e: Expr<A>,
  upper: string | null = 'X',
  lower: string | null = 'x',
  digit: string | null = 'n',
  other: string | null = null,
): StrCol<'string' | NullOf<A>> {
  return call('mask', e, upper, lower, digit, other)
}
/** The code point of the first character; 0 for an empty text. */
export function ascii<A extends 'string' | null>(e: Expr<A>): NumCol<'int' | NullOf<A>> {
  return call('ascii', e)
}
/** The character of a code, taken modulo 256; empty for a negative one. */
export function char<A extends IntLike | null>(code: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('char', code)
}
export function chr<A extends IntLike | null>(code: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('char', code)
}
/** Base64 of a binary, in lines of 76 characters. */
export function base64<A extends 'string' | 'binary' | null>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('base64', e)
}
/** The binary of a text in base64. */
export function unbase64<A extends 'string' | null>(e: Expr<A>): Col<'binary' | NullOf<A>> {
  return call('unbase64', e)
}
/** Hexadecimal digits of a whole number, a text or a binary. */
export function hex<A extends 'string' | 'binary' | IntLike | null>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('hex', e)
}
/** The binary of hexadecimal digits; null for anything else. */
export function unhex(e: Str): Col<'binary' | null> {
  return call('unhex', e)
}
export type Charset = 'US-ASCII' | 'ISO-8859-1' | 'UTF-8' | 'UTF-16' | 'UTF-16BE' | 'UTF-16LE' | 'UTF-32'
/** The bytes of a text in a charset. */
export function encode<A extends 'string' | null>(e: Expr<A>, charset: Charset): Col<'binary' | NullOf<A>> {
  return call('encode', e, charset)
}
/** The text of bytes in a charset. */
export function decode<A extends 'binary' | null>(e: Expr<A>, charset: Charset): StrCol<'string' | NullOf<A>> {
  return call('decode', e, charset)
}
/** Values in a text in the manner of printf: %s, %d, %.2f, … */
export function format_string(format: string, ...values: Operand[]): StrCol<'string'> {
  return call('format_string', format, ...values)
}
export function printf(format: string, ...values: Operand[]): StrCol<'string'> {
  return call('format_string', format, ...values)
}
/** A number with commas and so many digits after the point, or by a pattern such as '#,##0.00'. */
export function format_number(e: Expr<Num>, decimals: number | string): StrCol<'string' | null> {
  return call('format_number', e, decimals)
}
/** The decimal that a text writes in a format of 0, 9, G, D, $, S, MI, PR; an error where it does not fit. */
export function to_number(e: Str, format: string): NumCol<DecimalText | null> {
  return call('to_number', e, format)
}
/** As to_number, but null where the text does not fit. */
export function try_to_number(e: Str, format: string): NumCol<DecimalText | null> {
  return call('try_to_number', e, format)
}
/** A number in a format of 0, 9, G, D, $, S, MI, PR; a binary as 'base64', 'hex' or 'utf-8'; a time by its pattern. */
export function to_char(e: Expr<Num | TimeLike | 'binary'>, format: string): StrCol<'string' | null> {
  return call('to_char', e, format)
}
export function to_varchar(e: Expr<Num | TimeLike | 'binary'>, format: string): StrCol<'string' | null> {
  return call('to_char', e, format)
}
/** The binary of a text. */
export function to_binary<A extends 'string' | null>(e: Expr<A>, format: 'hex' | 'utf-8' | 'base64' = 'hex'): Col<'binary' | NullOf<A>> {
  return call('to_binary', e, format)
}
/** As to_binary, but null where the text does not fit. */
export function try_to_binary(e: Str, format: 'hex' | 'utf-8' | 'base64' = 'hex'): Col<'binary' | null> {
  return call('try_to_binary', e, format)
}
/** Whether the bytes are UTF-8; a text here always is. */
export function is_valid_utf8<A extends 'string' | null>(e: Expr<A>): BoolCol<'boolean' | NullOf<A>> {
  return call('is_valid_utf8', e)
}
/** The text between single quotes, those inside it escaped. */
export function quote<A extends 'string' | null>(e: Expr<A>): StrCol<'string' | NullOf<A>> {
  return call('quote', e)
}
