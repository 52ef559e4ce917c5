import { millrace, MemoryStream, Schema, t } from 'millrace'
import { mkdtemp, rm } from 'node:fs/promises'
const how = process.argv[2] ?? 'inner', B = Number(process.argv[3] ?? 14), rows = 100_000
const S = (n: any, last: any) => new Schema(n.map((name: any, i: number) => ({ name, type: ['long','timestamp',last][i], nullable: false })))
const iS = S(['ad','shown','campaign'],'string'), cS = S(['id','clicked','price'],'double')
const secondUs = 1e6
function block(schema: any, first: number, fromUs: number, spread: number): any {
  const ids = BigInt64Array.from({length: rows}, (_, i) => BigInt(first + ((i*7919)%rows)))
  const times = BigInt64Array.from(ids, (id) => BigInt(fromUs + Math.floor(((Number(id)-first)/rows)*spread)))
  let last: any
  if (schema === cS) last = {kind:'fixed',type:'double',data:Float64Array.from({length:rows},(_, i)=>i/8),valid:null}
  else { const texts = Array.from({length:rows},(_, i)=>`campaign-${i%100}`); const offsets=new Uint32Array(rows+1); for(let i=0;i<rows;i++) offsets[i+1]=offsets[i]!+texts[i]!.length; last={kind:'bytes',type:'string',offsets,heap:new TextEncoder().encode(texts.join('')),valid:null} }
  return {schema,length:rows,columns:[{kind:'fixed',type:'long',data:ids,valid:null},{kind:'fixed',type:'timestamp',data:times,valid:null},last]}
}
const dir = await mkdtemp('/tmp/jf-')
const engine = await millrace.local({ threads: 2, conf: { 'spark.sql.streaming.stateStore.maintenanceInterval': '10s' } })
const left = new MemoryStream(engine, {ad:t.long(),shown:t.timestamp(),campaign:t.string()}), right = new MemoryStream(engine,{id:t.long(),clicked:t.timestamp(),price:t.double()})
const q = await (left.toDF().withWatermark('shown','10 seconds') as any).join(right.toDF().withWatermark('clicked','10 seconds'), (l: any, r: any) => l.ad.eq(r.id).and(r.clicked.geq(l.shown.minus('10 seconds'))).and(r.clicked.leq(l.shown.plus('1 minute'))), how).writeStream.format('noop').option('checkpointLocation', dir).start()
let took = 0, cpu = 0, el = 0
const blocks = Array.from({length:B},(_, i)=>[block(iS,i*rows,i*20*secondUs,20*secondUs), block(cS,i*rows-rows/2,i*20*secondUs+secondUs,20*secondUs)])
for (let i = 0; i < B; i++) {
  if (i === 2) { took = 0; cpu = 0; el = 0 }
  left.addColumns(blocks[i]![0]); right.addColumns(blocks[i]![1])
  const c0 = process.cpuUsage(), s = performance.now(), e0 = performance.eventLoopUtilization()
  await q.processAllAvailable()
  took += performance.now()-s; const c = process.cpuUsage(c0); cpu += (c.user+c.system)/1000
  el += performance.eventLoopUtilization(e0).active
}
console.log(how, 'rows/s wall', Math.round((B-2)*2*rows*1000/took), 'wall ms/batch', took/(B-2), 'cpu ms/batch', cpu/(B-2), 'js active ms/batch', el/(B-2), 'state', q.lastProgress!.stateOperators[0]!.numRowsTotal)
for (const p of q.recentProgress.slice(-4)) console.log(p.batchId, p.numInputRows, JSON.stringify(p.durationMs), p.stateOperators[0]!.allUpdatesTimeMs, p.stateOperators[0]!.allRemovalsTimeMs, p.stateOperators[0]!.commitTimeMs)
await q.stop(); await engine.close(); await rm(dir,{recursive:true,force:true})
