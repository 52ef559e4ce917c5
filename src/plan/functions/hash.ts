/** Digests and hashes. */
import type { DataType } from '../../data/types.ts'
import { typeMismatch } from '../analysis-errors.ts'
import type { Expression } from '../expression.ts'
import { call } from '../signatures.ts'
import { type FunctionRow, type Resolve, scalar, special } from './row.ts'

const hashOf = (name: string, gives: DataType): FunctionRow => {
  const resolve: Resolve = (args) => {
    for (const arg of args) if (holdsMap(arg.type)) throw mapInHash(name, arg)
    return call(name, args, gives, false)
  }
  return special(name, [1, Infinity], resolve)
}
function holdsMap(type: DataType): boolean {
  if (typeof type === 'string') return false
  if (type.kind === 'map') return true
  if (type.kind === 'array') return holdsMap(type.element)
  return type.kind === 'struct' && type.fields.some((field) => holdsMap(field.type))
}
function mapInHash(name: string, arg: Expression): Error {
  return typeMismatch(
    'HASH_MAP_TYPE',
    `${name} was given a map, or a value that holds one (${arg.kind}): equal maps may have different hashes`,
    'hash map_entries(…), sorted by key',
  )
}

export const hash: readonly FunctionRow[] = [
  scalar('md5', { takes: ['bytes'], gives: 'string' }),
  scalar('sha1', { takes: ['bytes'], gives: 'string', aliases: ['sha'] }),
  scalar('sha2', { takes: ['bytes', 'int'], gives: 'string', nullable: true }), // an unknown length gives null
  scalar('crc32', { takes: ['bytes'], gives: 'long' }),
  hashOf('hash', 'int'),
  hashOf('xxhash64', 'long'),
]
