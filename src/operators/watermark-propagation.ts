/** A step of a plan as far as watermarks go through it. */
export interface WatermarkNode {
  readonly kind: string
  readonly inputs?: readonly WatermarkNode[]
  readonly input?: WatermarkNode
  /** Of a step with state. */
  readonly operatorId?: number
  readonly outputWatermark?: { readonly kind: 'same' } | { readonly kind: 'behind'; readonly lagMs: number } | { readonly kind: 'none' }
}

/**
 * The watermark of each stateful operator's input in a batch with that global watermark, in milliseconds, by operator id (Spark's WatermarkPropagator). A node
 * withWatermark gives the global one; others the least of their inputs', an operator less what it may hold back. An operator below which there is
 * none counts as 0. As long as the global watermark is 0 all are. Pure: with the watermark of the batch before it gives what that batch
 * evicted by, after a restart too, and by that this one's rows are late.
 */
export function propagateWatermark(root: WatermarkNode, globalMs: number): ReadonlyMap<number, number> {
  const inputs = new Map<number, number>()
  const outputs = new Map<WatermarkNode, number | undefined>()
  const outputOf = (node: WatermarkNode): number | undefined => {
    if (!outputs.has(node)) outputs.set(node, compute(node))
    return outputs.get(node)
  }
  const compute = (node: WatermarkNode): number | undefined => {
    const below = (node.inputs ?? (node.input ? [node.input] : [])).map(outputOf).filter((ms) => ms !== undefined)
    if (node.kind === 'event-time') return globalMs
    const least = below.length === 0 ? undefined : Math.min(...below)
    if (node.operatorId === undefined) return least
    inputs.set(node.operatorId, globalMs === 0 ? 0 : (least ?? 0))
    return least === undefined ? undefined : behind(node, least)
  }
  outputOf(root)
  return inputs
}

function behind({ outputWatermark }: WatermarkNode, inputMs: number): number | undefined {
  if (outputWatermark?.kind === 'none') return undefined
  return outputWatermark?.kind === 'behind' ? Math.min(inputMs, inputMs - outputWatermark.lagMs) : inputMs
}
