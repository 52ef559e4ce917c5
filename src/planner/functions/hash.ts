/** Digests and hashes. */
import { plain, type Template, type Templates, unsupported } from './template.ts'

const sha2: Template = ([x, bits]) => {
  const wanted = bits === undefined ? 256 : Number(bits.literal)
  if (![0, 256].includes(wanted)) throw unsupported(`sha2 with ${bits?.literal ?? 'a computed number of'} bits`, 'use sha2(…, 256)')
  return `sha256(${x!.sql})`
}

export const hash: Templates = {
  md5: plain('md5'),
  sha2,
}
