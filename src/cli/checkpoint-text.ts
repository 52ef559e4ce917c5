/** Reports about checkpoints as text for people. */
import type { BatchDetails, CheckpointOverview, CopyReport, GarbageReport, RunInfo, VerifyReport } from '../index.ts'
import { sizeText, tableText } from './size-text.ts'

const orNone = (value: number | null) => (value === null ? '-' : String(value))
const watermarkText = (ms: number) => (ms === 0 ? '-' : new Date(ms).toISOString())
const runText = ({ epoch, host, pid, startedAt, millraceVersion }: RunInfo) =>
  `run ${epoch}: pid ${pid} on ${host}, started ${startedAt}, Millrace ${millraceVersion}`

export function overviewText(overview: CheckpointOverview): string {
  const { path, queryId, queryName, run, mayBeAlive, runs, batches, files, bytes, temporaryFiles, history, restorePoints } = overview
  const head = [
    `${path}: query ${queryName === null ? '' : `${queryName}, `}id ${queryId}`,
    run === null ? 'no run yet' : `${runs} ${runs === 1 ? 'run' : 'runs'}; ${runText(run)}${mayBeAlive ? ' (at work, or it may be)' : ''}`,
    `${files} files, ${sizeText(bytes)}${temporaryFiles > 0 ? `, ${temporaryFiles} of them temporary` : ''}`,
    ...(history.batches === 0
      ? []
      : [`history: ${history.batches} older batches from ${history.first} on; restore points: ${pointsText(restorePoints)}`]),
  ]
  const rows = batches.map((batch) => [
    String(batch.batchId),
    batch.committed ? 'yes' : 'no',
    batch.timestamp,
    watermarkText(batch.watermarkMs),
    orNone(batch.numInputRows),
    orNone(batch.numOutputRows),
    orNone(batch.epoch),
    String(batch.files),
    sizeText(batch.bytes),
  ])
  const table = tableText(['>batch', 'committed', 'timestamp', 'watermark', '>rows in', '>rows out', '>run', '>files', '>bytes'], rows)
  return `${head.join('\n')}\n\n${batches.length === 0 ? 'no batches\n' : table}`
}

function pointsText(points: readonly number[]): string {
  if (points.length <= 10) return points.join(', ') || 'none'
  return `${points.slice(0, 3).join(', ')}, … ${points.slice(-3).join(', ')} (${points.length})`
}

export function batchText(batch: BatchDetails): string {
  const offset = (value: unknown) => (value === undefined ? 'not known any more' : value === null ? 'the beginning' : JSON.stringify(value))
  const lines = [
    `batch ${batch.batchId}: ${batch.committed ? 'committed' : 'planned, not committed: the next start runs it again'}`,
    `  timestamp ${batch.timestamp}, watermark ${watermarkText(batch.watermarkMs)}${batch.nextWatermarkMs === null ? '' : `, afterwards ${watermarkText(batch.nextWatermarkMs)}`}`,
    ...(batch.run ? [`  ${runText(batch.run)}`] : []),
    ...(batch.progress
      ? [`  ${batch.progress.numInputRows} rows in, ${orNone(batch.numOutputRows)} out, ${batch.progress.batchDuration} ms`]
      : ['  rows and durations: not in the progress history']),
    'sources:',
    ...batch.sources.flatMap((source) => [
      `  ${source.name}${source.format === null ? '' : ` (${source.format}${source.path === null ? '' : ` ${source.path}`})`}: from ${offset(source.from)} to ${offset(source.to)}`,
      ...(source.files ?? []).slice(0, 20).map((file) => `    ${file}`),
      ...((source.files?.length ?? 0) > 20 ? [`    and ${source.files!.length - 20} more`] : []),
    ]),
    `sink: ${batch.sink === null ? 'not known' : `${batch.sink.format}${batch.sink.path === null ? '' : ` ${batch.sink.path}`}, mode ${batch.outputMode}`}`,
    ...(batch.stateFiles.length === 0 ? [] : ['state files:']),
    ...batch.stateFiles.map(
      ({ name, bytes, counts }) => `  ${name}, ${sizeText(bytes)}${counts === false ? ' (litter of another run)' : ''}`,
    ),
    ...batch.stateChanges.map(
      ({ operatorId, operatorName, storeName, updated, removed }) =>
        `  operator ${operatorId} (${operatorName}), store ${storeName}: ${updated} rows written, ${removed} removed`,
    ),
    batch.isNewest ? 'configuration, by which the next start goes:' : 'configuration:',
    ...Object.entries(batch.conf).map(([key, value]) => `  ${key} = ${value}`),
  ]
  return `${lines.join('\n')}\n`
}

export function verifyText(report: VerifyReport): string {
  const { path, queryId, files, bytes, unchecked, problems, notes } = report
  return [
    `${path}: query ${queryId}, ${files} files, ${sizeText(bytes)}${unchecked > 0 ? `; ${unchecked} of them have no checksum, or do not count` : ''}`,
    ...problems.map(({ file, code, what }) => `DAMAGED ${file}\n  ${code}: ${what}`),
    ...notes.map((note) => `note: ${note}`),
    problems.length === 0
      ? 'nothing is damaged'
      : `${problems.length} ${problems.length === 1 ? 'problem' : 'problems'}: restore the checkpoint from a backup`,
    '',
  ].join('\n')
}

export function garbageText(report: GarbageReport): string {
  const { path, deleted, mayBeAlive, oldestKept, garbage, bytes } = report
  const rows = garbage.map(({ file, bytes: size, why }) => [file, sizeText(size), why])
  return [
    ...(garbage.length === 0 ? [] : [tableText(['file', '>bytes', 'why'], rows)]),
    `${path}: ${garbage.length} files, ${sizeText(bytes)} ${deleted ? 'deleted' : 'that nobody needs'}; ${oldestKept === null ? 'it has no batches' : `batches from ${oldestKept} on stay`}`,
    ...(deleted || garbage.length === 0
      ? []
      : [mayBeAlive ? 'a run may be at work: it removes most of this itself' : 'nothing was deleted; --delete does it']),
    '',
  ].join('\n')
}

export function copyText({ from, to, batchId, queryId, copiedFrom, files, bytes, sink }: CopyReport): string {
  const same = queryId === copiedFrom
  const output = sink?.path ?? sink?.format
  return [
    `${to}: the checkpoint ${from} as it stood after batch ${batchId}; ${files} files, ${sizeText(bytes)}`,
    `its query goes on with batch ${batchId + 1}, under ${same ? 'the same id' : `the new id ${queryId}`}`,
    ...(output === undefined ? [] : [same ? sameOutput(output, batchId) : newOutput(output)]),
    '',
  ].join('\n')
}
function newOutput(output: string): string {
  return `the original writes to ${output}: give the copy an output of its own; one that remembers its query refuses another`
}
function sameOutput(output: string, batchId: number): string {
  return `the original writes to ${output}: with the same id, batches after ${batchId} that are there already are taken for written. Let the copy write elsewhere, unless the original is gone and nothing but the same batches would be written`
}
