// What is removed is never what a kept version needs: neither one of the newest, nor a restore point.
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { baseManifest, findGarbage } from './garbage.ts'
import { exactThrough, type GroupRange, type Manifest, type SnapshotFile } from './manifest.ts'
import type { VersionFile } from './state-files.ts'

const file = (path: string, version: number): VersionFile => ({ version, epoch: 1, path, bytes: 1 })
const snapshot = (version: number, group: number): SnapshotFile => ({
  operatorId: 0,
  name: `s${version}-${group}`,
  version,
  epoch: 1,
  schemaId: 0,
  rows: 1,
  bytes: 1,
  crc32: 0,
})

/** A history of versions 1…newest with manifests at some of them, each of which takes a new snapshot of some groups and keeps the others'. */
const history = fc
  .record({
    newest: fc.integer({ min: 1, max: 40 }),
    rounds: fc.array(fc.record({ at: fc.integer({ min: 1, max: 40 }), groups: fc.subarray([0, 1, 2]) }), { maxLength: 12 }),
    retained: fc.integer({ min: 0, max: 40 }),
    points: fc.array(fc.nat(11), { maxLength: 4 }),
  })
  .map(({ newest, rounds, retained, points }) => {
    const files = new Map<number, SnapshotFile>()
    const manifests = new Map<VersionFile, Manifest>()
    const snapshots: VersionFile[] = []
    const versions = [...new Map(rounds.map((round) => [round.at, round])).values()]
      .filter(({ at }) => at <= newest)
      .sort((a, b) => a.at - b.at)
    for (const { at, groups } of versions) {
      for (const group of groups) {
        files.set(group, snapshot(at, group))
        snapshots.push(file(`s${at}-${group}`, at))
      }
      const ranges = [0, 1, 2].map(
        (group): GroupRange => ({ first: group, last: group, through: files.get(group)?.version ?? 0, file: files.get(group) ?? null }),
      )
      manifests.set(file(`m${at}`, at), { version: at, epoch: 1, operators: new Map([[0, ranges]]), schemas: new Map() })
    }
    const all = [...manifests.keys()]
    return {
      newest,
      oldest: Math.min(retained, newest),
      manifests,
      inventory: { changelogs: Array.from({ length: newest }, (_, i) => file(`c${i + 1}`, i + 1)), manifests: all, snapshots },
      restorePoints: [...new Set(points)].flatMap((i) => all[i] ?? []),
    }
  })

/** What a load of a version reads. */
function needs(version: number, manifests: ReadonlyMap<VersionFile, Manifest>): string[] {
  const base = [...manifests].filter(([each]) => each.version <= version).sort(([a], [b]) => b.version - a.version)[0]
  const from = base === undefined ? 0 : exactThrough(base[1])
  const names =
    base === undefined ? [] : [base[0].path, ...[...base[1].operators.values()].flat().flatMap((range) => range.file?.name ?? [])]
  return [...names, ...Array.from({ length: version - from }, (_, i) => `c${from + 1 + i}`)]
}

test('every kept version and every restore point stays loadable, and the rest goes', () => {
  fc.assert(
    fc.property(history, ({ newest, oldest, manifests, inventory, restorePoints }) => {
      const question = {
        epoch: 1,
        oldestRetainedVersion: oldest,
        version: newest,
        epochOf: () => 1,
        manifestOf: (each: VersionFile) => manifests.get(each),
        inUse: new Set<string>(),
        pathOf: (name: string) => name,
        restorePoints,
      }
      const gone = new Set(findGarbage(inventory, question).map(({ path }) => path))
      const kept = Array.from({ length: newest - oldest + 1 }, (_, i) => oldest + i)
      for (const version of [...kept, ...restorePoints.map((point) => point.version)]) {
        expect(needs(version, manifests).filter((path) => gone.has(path))).toEqual([])
      }
      // what nobody needs does go, once there is a manifest to begin with
      const base = baseManifest(inventory, question)
      if (base === undefined) return
      const needed = new Set([...kept, ...restorePoints.map((point) => point.version)].flatMap((version) => needs(version, manifests)))
      const left = [...inventory.changelogs, ...inventory.manifests].filter(
        ({ path, version }) => version < base.version && !gone.has(path),
      )
      expect(left.filter(({ path }) => !needed.has(path)).map(({ path }) => path)).toEqual([])
    }),
    { numRuns: 300 },
  )
})
