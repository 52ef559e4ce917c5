import { type FunctionExamples, of } from './example.ts'

export const bitwise: readonly FunctionExamples[] = [
  of('&', ['a & b', 'Bits that both have.'], '3 & 5', '-1 & 255L', 'NULL & 1', 'CAST(3 AS TINYINT) & CAST(6 AS TINYINT)', '1.5 & 1'),
  of('|', ['a | b', 'Bits that one has.'], '3 | 5', '-1 | 255L', 'NULL | 1', 'CAST(3 AS SMALLINT) | CAST(4 AS TINYINT)'),
  of('^', ['a ^ b', 'Bits that one of the two has.'], '3 ^ 5', '-1 ^ 255L', 'NULL ^ 1', '0 ^ 0'),
  of('~', ['~ a', 'The other bits.'], '~ 0', '~ 255L', '~ NULL', '~ CAST(1 AS TINYINT)'),
  of('bit_count', ['bit_count(number)', 'How many bits are set.'], 'bit_count(0)', 'bit_count(255)', 'bit_count(-1)', 'bit_count(NULL)', 'bit_count(true)', 'bit_count(-1L)', 'bit_count(CAST(-1 AS TINYINT))'),
  of('getbit', ['getbit(number, position)', 'The bit at a position, 0 the lowest.'], 'getbit(11, 0)', 'getbit(11, 2)', 'bit_get(11, 3)', 'getbit(-1, 31)', 'getbit(1, 32)', 'getbit(1, -1)', 'getbit(NULL, 0)', 'getbit(-1L, 63)', 'getbit(CAST(-1 AS TINYINT), 8)'),
  of('shiftleft', ['a << n', 'Shifted to the left.'], 'shiftleft(2, 1)', '2 << 1', 'shiftleft(1, 32)', 'shiftleft(1, 33)', 'shiftleft(1L, 33)', 'shiftleft(NULL, 1)', 'shiftleft(1, -1)', 'shiftleft(-1, 31)'),
  of('shiftright', ['a >> n', 'Shifted to the right with its sign.'], 'shiftright(4, 1)', '-4 >> 1', 'shiftright(1, 32)', 'shiftright(-1L, 63)', 'shiftright(NULL, 1)', 'shiftright(-8, -1)'),
  of('shiftrightunsigned', ['a >>> n', 'Shifted to the right, zeros from the left.'], 'shiftrightunsigned(4, 1)', '-1 >>> 31', 'shiftrightunsigned(-1, 0)', 'shiftrightunsigned(-1L, 1)', 'shiftrightunsigned(NULL, 1)', 'shiftrightunsigned(-1, 33)'),
]
