/** Digests and hashes. */
import { type FunctionRow, scalar } from './row.ts'

export const hash: readonly FunctionRow[] = [
  scalar('md5', { takes: ['bytes'], gives: 'string' }),
  scalar('sha2', { takes: ['bytes', 'int'], gives: 'string', nullable: true }), // an unknown length gives null
]
