/** URLs. */
import { kernel, type Template, type Templates } from './template.ts'

const parse: Template = ([url, part, key], _type, name) =>
  `spark_parse_url(${url!.sql}, ${part!.sql}, ${key?.sql ?? 'CAST(NULL AS VARCHAR)'}, ${name.startsWith('try')})`

export const url: Templates = {
  parse_url: parse,
  try_parse_url: parse,
  url_encode: kernel('url_encode'),
  url_decode: kernel('url_decode'),
  try_url_decode: kernel('try_url_decode'),
}
