/** What is tried beside every other reader and writer of the format. */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type Engine, t } from 'millrace'
import { DeltaTable } from 'millrace/delta'
import { feedOf, type Jobs, rowsOf, same } from './jobs.ts'
import { makeTables } from './tables.ts'

/** Tables of Millrace's, read by the other. */
export async function readByOther(other: string, engine: Engine, jobs: Jobs, folder: string): Promise<void> {
  for (const { name, path, feed } of await makeTables(engine, folder)) {
    same(`${other} reads ${name}`, await jobs.do('read', { path }), await rowsOf(engine, path))
    if (feed) same(`${other} reads the changes of ${name}`, await jobs.do('feed', { path }), await feedOf(engine, path))
  }
  const path = join(folder, 'streamed')
  same(`${other} reads an older version`, await jobs.do('read', { path, version: 10 }), await rowsOf(engine, path, { versionAsOf: '10' }))
  const cleaned = join(folder, 'cleaned')
  const commits = (await readdir(join(cleaned, '_delta_log'))).filter((name) => name.endsWith('.json')).sort()
  const kept = [4, 5, 6, 7, 8].map((version) => `${String(version).padStart(20, '0')}.json`)
  same('its log was cleaned', commits, kept)
  same(
    `${other} reads one of its older versions`,
    await jobs.do('read', { path: cleaned, version: 5 }),
    await rowsOf(engine, cleaned, { versionAsOf: '5' }),
  )
}

/** A table of the other's, read and changed by Millrace. `gone` and `changed` are ids that it has. */
export async function writtenByOther(
  other: string,
  engine: Engine,
  jobs: Jobs,
  path: string,
  { gone, changed, city }: { readonly gone: number; readonly changed: number; readonly city: string },
): Promise<void> {
  await jobs.do('make', { path })
  same(`Millrace reads what ${other} wrote`, await rowsOf(engine, path), await jobs.do('read', { path }))
  same(`Millrace reads the changes that ${other} kept`, await feedOf(engine, path), await jobs.do('feed', { path }))
  const table = DeltaTable.forPath(engine, path)
  await table.delete(`id = ${gone}`)
  const source = engine.createDataFrame(
    [
      { id: changed, city },
      { id: 20, city: null },
    ],
    { id: t.int(), city: t.string().nullable() },
  )
  await table.as('t').merge(source.alias('s'), 't.id = s.id').whenMatchedUpdateAll().whenNotMatchedInsertAll().execute()
  await table.optimize().executeCompaction()
  same(`${other} reads its table after a delete, a merge and a compaction`, await jobs.do('read', { path }), await rowsOf(engine, path))
  same('and its changes', await jobs.do('feed', { path }), await feedOf(engine, path))
  const first = await rowsOf(engine, path, { versionAsOf: '0' })
  await table.restoreToVersion(0)
  same(`${other} reads its table as Millrace has restored it`, await jobs.do('read', { path }), first)
}
